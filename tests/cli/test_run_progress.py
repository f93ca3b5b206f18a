"""What `run` says while it is at work."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers.bench import OPEN

from ganbench.cli import progress
from ganbench.records import windows
from ganbench.records.results import TrialResult
from ganbench.records.run_folder import WINDOWS, Trial, TrialOutcome
from ganbench.records.run_info import Execution
from ganbench.records.status import Status
from ganbench.records.windows import Window
from ganbench.runs.costs import MOST_BEGINNING

TEXT = OPEN + "loss: bce\ntraining: {batch_size: 10, budget: {kimg: 1}}\n"
JUDGING = 4  # seconds that its metrics of 10,000 samples are guessed to take


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    # By it a start is guessed; else that would depend on which tests ran before.
    monkeypatch.setattr("time.process_time", lambda: MOST_BEGINNING)
    info = SimpleNamespace(execution=Execution(jobs=2))
    return SimpleNamespace(directory=tmp_path, info=info, trials=())


@pytest.fixture
def trials(planned: Any) -> list[Trial]:
    (cell,) = planned(TEXT).cells
    return [Trial(cell, None, seed, "cpu", 1, alone=False, plugins=()) for seed in (0, 1)]


def begin(run: Any, trial: Trial, *, kimg: float | None = None, ago: float = 0.0) -> None:
    """Write what a worker has written by then."""
    directory = run.directory / "trials" / trial.id
    directory.mkdir(parents=True)
    (directory / "worker.log").touch()
    if kimg is not None:
        window = Window(kimg, 1, 1.0, 100.0, 1.0, {"real": 0.25, "fake": 0.25}, {"fake": 1.0})
        windows.append(directory / WINDOWS, window)
        os.utime(directory / WINDOWS, (time.time() - ago,) * 2)


def test_seeds_of_a_cell_are_told_apart(run: Any, trials: list[Trial]) -> None:
    begin(run, trials[0], kimg=0.5)
    begin(run, trials[1])
    first, second = progress.running(run, trials)
    assert first.label == f"{trials[0].subject.label} seed 0"
    assert "0.5 of 1 kimg" in first.describe()
    assert second.describe() == f"{trials[1].subject.label} seed 1: starting"
    (alone,) = progress.running(run, trials[:1])
    assert alone.label == trials[0].subject.label


def test_line_of_the_run_says_what_is_left(
    run: Any, trials: list[Trial], capsys: pytest.CaptureFixture[str]
) -> None:
    lines = progress.Lines()
    lines.began(run, trials, done=1)
    try:
        assert capsys.readouterr().err == f"{run.directory}: 2 trials to run, 1 done before\n"
        assert lines._line([]) == "0 of 2 trials, 0:00"  # nothing is known yet
        begin(run, trials[0], kimg=0.5, ago=2.0)
        lines._foreseen = (0.0, None)
        # 5 s less 2 of the first; the second's 10 and a start, beside it
        left = f", about 0:{11 + JUDGING} left"
        assert lines._line(progress.running(run, trials)).endswith(left)
        result = TrialResult(status=Status.FAILED, reason="it fell over")
        lines.finished(TrialOutcome(trials[0], Path(), result))
        assert capsys.readouterr().err.endswith(": failed: it fell over\n")
        assert lines._line([]).startswith("1 of 2 trials")
    finally:
        lines.ended()


def test_no_bar_without_colours(
    run: Any, trials: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    from rich.progress_bar import ProgressBar

    def bars() -> int:
        live = progress.Live()
        live.began(run, trials, done=0)
        live.ended()
        overall = live._render().renderables[0]
        return sum(isinstance(cell, ProgressBar) for c in overall.columns for cell in c._cells)

    assert bars() == 1
    monkeypatch.setenv("NO_COLOR", "1")
    assert bars() == 0


def test_hours_are_told(trials: list[Trial]) -> None:
    result = TrialResult(status=Status.OK, seconds={"total": 7384.0})
    said = progress.summary(TrialOutcome(replace(trials[0], alone=False), Path(), result))
    assert said.endswith(": ok, 2:03:04")
