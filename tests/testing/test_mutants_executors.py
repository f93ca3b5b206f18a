"""A right executor passes the kit, and wrong ones are caught by it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import pytest
from helpers import mutants

from ganbench import Executor, Resources, TrialRef
from ganbench.testing import parametrize_with_checks
from ganbench.testing.rules import executors


@pytest.fixture(autouse=True)
def impatience(monkeypatch):
    """Its workers start faster than most."""
    monkeypatch.setattr(executors, "LINGERING", 0.3)


Running = list[tuple[TrialRef, "subprocess.Popen[bytes]"]]

pytestmark = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="pipes have no names here")


@dataclass(kw_only=True)
class AllAtOnce(Executor):
    """All workers at once, as many as there are trials."""

    name = "all-at-once"

    def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        running = [(trial, self.started(trial)) for trial in trials]
        try:
            while running:
                for trial, worker in list(running):
                    if worker.poll() is not None:
                        running.remove((trial, worker))
                        self.note(trial)
                        yield trial
                time.sleep(0.01)
        finally:
            self.stop(running)

    def started(self, trial: TrialRef) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-S", "-m", "ganbench.worker", str(trial.directory)]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def note(self, trial: TrialRef) -> None:
        if not (trial.directory / "result.json").is_file():
            end = {"status": "failed", "reason": "the worker left no result"}
            (trial.directory / "end.json").write_text(json.dumps(end))

    def stop(self, running: Running) -> None:
        for _, worker in running:
            worker.kill()
            worker.wait()


@parametrize_with_checks(AllAtOnce)
def test_right_executor_conforms(check):
    check()


@dataclass(kw_only=True)
class FirstAlone(AllAtOnce):
    """All trials but the first are forgotten."""

    name = "first-alone"
    caught_by = {"every_trial_is_yielded_once"}

    def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        yield from super().run(trials[:1], resources)


@dataclass(kw_only=True)
class Twice(AllAtOnce):
    """A trial ends twice."""

    name = "twice"
    caught_by = {"every_trial_is_yielded_once"}
    also = {"dead_worker_gets_an_end"}

    def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        for trial in super().run(trials, resources):
            yield trial
            yield trial


@dataclass(kw_only=True)
class YieldsAtTheStart(AllAtOnce):
    """A trial is handed back while its worker runs."""

    name = "yields-at-the-start"
    caught_by = {"every_trial_is_yielded_once", "dead_worker_gets_an_end"}

    def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        running: Running = []
        try:
            for trial in trials:
                running.append((trial, self.started(trial)))
                yield trial
        finally:
            self.stop(running)


@dataclass(kw_only=True)
class SilentDeath(AllAtOnce):
    """Nobody hears of a worker that died."""

    name = "silent-death"
    caught_by = {"dead_worker_gets_an_end"}

    def note(self, trial: TrialRef) -> None:
        pass


@dataclass(kw_only=True)
class EndWithoutReason(AllAtOnce):
    """An end without a reason."""

    name = "end-without-reason"
    caught_by = {"dead_worker_gets_an_end"}

    def note(self, trial: TrialRef) -> None:
        if not (trial.directory / "result.json").is_file():
            (trial.directory / "end.json").write_text(json.dumps({"status": "failed"}))


@dataclass(kw_only=True)
class RaisesOnDeath(AllAtOnce):
    """One worker's death is the end of all."""

    name = "raises-on-death"
    caught_by = {"dead_worker_gets_an_end"}

    def note(self, trial: TrialRef) -> None:
        json.loads((trial.directory / "result.json").read_text())


@dataclass(kw_only=True)
class LeavesWorkers(AllAtOnce):
    """Workers outlive whoever asked for them."""

    name = "leaves-workers"
    caught_by = {"closing_stops_the_workers"}

    def stop(self, running: Running) -> None:
        for _, worker in running:
            worker.returncode = 0  # nobody waits for it


@dataclass(kw_only=True)
class InventsWork(AllAtOnce):
    """A trial where there is none."""

    name = "invents-work"
    caught_by = {"no_trials_are_no_work"}

    def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        yield from super().run(trials, resources) if trials else ["nothing"]


@dataclass(kw_only=True)
class SeesGhosts(AllAtOnce):
    """Every trial is at work already."""

    name = "sees-ghosts"
    caught_by = {"nobody_is_at_work_at_first"}

    def still_at_work(self, trials: Sequence[TrialRef]) -> Sequence[TrialRef]:
        return trials


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_executor_is_caught(mutant):
    mutants.assert_caught(mutant)
