"""Trials in this very process take turns, whichever threads they are begun in."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from ganbench import Resources, TrialRef, worker
from ganbench.default_plugins.executors import Inline


def test_trials_of_several_threads_take_turns(tmp_path: Path, monkeypatch) -> None:
    working, most = [], []

    def work(directory: Path) -> int:
        working.append(directory)
        most.append(len(working))
        time.sleep(0.02)
        working.remove(directory)
        return 0

    monkeypatch.setattr(worker, "run", work)

    def run(name: str) -> None:
        trials = [TrialRef(tmp_path / name / str(i), "cell") for i in range(3)]
        list(Inline().run(trials, Resources()))

    threads = [threading.Thread(target=run, args=(name,)) for name in ("a", "b")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == [1] * 6
