"""What a plugin does to its trial's folder and process is that trial's end, and not the run's."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from helpers import tiny

from ganbench import cli, worker
from ganbench.util import lingering

PLUGIN = '''\
"""Losses that do to their trial what none should."""

import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from ganbench import Loss, hookimpl


class Plain(Loss):
    def discriminator_loss(self, step):
        if step.iteration == 6:
            self.mishap()
        return {"adversarial": (step.real.logits - 1).square().mean()}

    def generator_loss(self, step):
        return {"adversarial": (step.fake.logits - 1).square().mean()}


@dataclass(kw_only=True)
class Vanishing(Plain):
    """Removes its trial's folder."""

    name = "vanishing"

    def mishap(self):
        for folder in Path("run", "trials").glob("vanishing*"):
            shutil.rmtree(folder)


@dataclass(kw_only=True)
class Lingering(Plain):
    """Leaves a thread behind."""

    name = "lingering"

    def mishap(self):
        threading.Thread(target=time.sleep, args=(500,), name="uploader").start()


@dataclass(kw_only=True)
class Quitting(Plain):
    """Ends whoever asks it."""

    name = "quitting"

    def mishap(self):
        raise SystemExit(0)


@hookimpl
def register_losses(register):
    register(Quitting)
    register(Vanishing)
    register(Lingering)
'''


@pytest.mark.parametrize("text", [tiny.INLINE, tiny.UNCONTROLLED], ids=["inline", "processes"])
def test_run_outlives_what_a_loss_does_to_its_trial(text: str, tmp_path: Path) -> None:
    (tmp_path / "mishaps.py").write_text(PLUGIN, "utf-8")
    file = tiny.write(
        tmp_path, text.replace("[bce, lsgan]", "[vanishing, quitting, lingering, bce]")
    )
    began = time.monotonic()
    done = tiny.ganbench("run", file, "--plugin", "mishaps.py", "--out", "run", cwd=tmp_path)
    assert time.monotonic() - began < 250
    assert done.returncode == 3, done.stderr
    results = {}
    for path in (tmp_path / "run" / "trials").glob("*/result.json"):
        results[path.parent.name.partition("-")[0]] = json.loads(path.read_text("utf-8"))
    assert results["vanishing"]["status"] == "failed"
    assert "FileNotFoundError" in results["vanishing"]["reason"]
    assert results["quitting"]["status"] == "failed"
    assert results["quitting"]["reason"].startswith("SystemExit: 0 (while training cell quitting")
    assert results["lingering"]["status"] == results["bce"]["status"] == "ok"
    assert "vanishing" in (tmp_path / "run" / "table.md").read_text("utf-8")


def test_workers_and_commands_bound_their_wait_for_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[int] = []
    monkeypatch.setattr(lingering, "end_soon", told.append)
    monkeypatch.setattr(worker, "run", lambda directory, **how: 3)
    monkeypatch.setattr(worker.gc, "freeze", lambda: None)
    assert worker.main(["anywhere"]) == 3
    monkeypatch.setattr(cli.signal, "signal", lambda *of: None)
    monkeypatch.setattr(cli.streams, "install", lambda **how: None)
    monkeypatch.setattr(cli, "_code", lambda wants_json: 5)
    with pytest.raises(SystemExit, match="5"):
        cli.main()
    assert told == [3, 5]
