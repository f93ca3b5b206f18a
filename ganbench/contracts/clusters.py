"""Executors whose workers run on other machines: what is common to the engines that start them."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from collections import Counter, deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

from ganbench.contracts.executors import Executor, Resources, TrialRef
from ganbench.records import run_folder
from ganbench.util import files

GRACE_SECONDS = 10.0  # for a worker that is asked to end
POLL_SECONDS = 0.1  # between two looks of an errand at its worker
LOOK_SECONDS = 2.0  # between two questions whether it is still wanted
LAG_SECONDS = 30.0  # until a shared folder shows what another machine wrote
PASSED_ON = (  # beginnings of variables that workers on other machines find as they are here
    "GANBENCH_", "HF_HOME", "HF_HUB_", "PYTHONPATH", "PYTORCH_", "TORCH_HOME", "XDG_CACHE_HOME",
)  # fmt: skip
_at_work: set[Path] = set()  # trials' folders whose workers this process waits for
_asked: dict[Path, float] = {}  # those that are to be stopped, and with which patience
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Errand:
    """A trial as it is sent to another machine, where calling it runs the worker to its end.

    The folder, which is the same there, tells what came of it. Where that has been told already,
    as after an answer that got lost, nothing is done.
    """

    trial: TrialRef
    cwd: Path | None = None
    timeout_seconds: float | None = None
    environment: Mapping[str, str] = field(default_factory=dict)  #: beside what is there

    @classmethod
    def of(cls, trial: TrialRef, resources: Resources) -> Errand:
        """Return the errand of a trial, with this process's caches and choice of plugins."""
        passed = {k: v for k, v in os.environ.items() if k.startswith(PASSED_ON)}
        places = {"GANBENCH_CACHE": str(files.cache()), "GANBENCH_DATA": str(files.data())}
        return cls(
            TrialRef(trial.directory.resolve(), trial.label),
            resources.cwd,
            resources.timeout_seconds,
            {**passed, **places, **resources.variables},
        )

    def __call__(self, is_wanted: Callable[[], bool] = lambda: True) -> None:
        """Run the worker to its end. An exception that comes meanwhile stops it.

        So does `is_wanted`, which is asked now and then, where it returns False.
        """
        if self.trial.has_ended:
            return
        process, folder = self._started(), self.trial.directory
        _at_work.add(folder)
        try:
            code = self._waited(process, is_wanted)
        finally:
            _stop(process, GRACE_SECONDS)
            assert process.stdin
            process.stdin.close()
            _at_work.discard(folder)
            was_asked = _asked.pop(folder, None) is not None
        if self.trial.has_ended or was_asked:
            return
        if code is None:
            self.trial.leave_end("timeout", f"stopped after {self.timeout_seconds:g} s")
        else:
            self.trial.leave_end("failed", self.trial.cause(code))

    @property
    def is_at_work(self) -> bool:
        """Whether it runs in this process."""
        return self.trial.directory in _at_work

    def ask_to_stop(self, patience: float = GRACE_SECONDS) -> None:
        """Have the worker stopped that runs in this process; from a signal, or another thread.

        A training keeps a checkpoint before, at the end of the window of its log, and goes on from
        there when the errand is run again; it is killed when patience, in seconds, is at its end.
        """
        _asked[self.trial.directory] = patience

    @staticmethod
    async def all_stopped(errands: Sequence[Errand]) -> None:
        """Ask those of the errands to stop that run in this process, and wait until they have."""
        here = [errand for errand in errands if errand.is_at_work]
        for errand in here:
            errand.ask_to_stop()
        while any(errand.is_at_work for errand in here):
            await asyncio.sleep(POLL_SECONDS)

    def _started(self) -> subprocess.Popen[bytes]:
        with self.trial.log.open("ab") as log:
            return subprocess.Popen(
                self.trial.command(),
                stdin=subprocess.PIPE,  # closes when this process dies, however it dies
                stdout=log,
                stderr=log,
                cwd=self.cwd,
                env={**os.environ, **self.environment},
                start_new_session=True,
            )

    def _waited(
        self, process: subprocess.Popen[bytes], is_wanted: Callable[[], bool]
    ) -> int | None:
        """Return the exit code, or None where there is no time left."""
        began, limit = time.monotonic(), self.timeout_seconds
        next_look = began + LOOK_SECONDS
        while (code := process.poll()) is None:
            if time.monotonic() > next_look:
                next_look = time.monotonic() + LOOK_SECONDS
                if not is_wanted():
                    self.ask_to_stop()
            if (patience := _asked.get(self.trial.directory)) is not None:
                _stop(process, patience)
            elif limit is not None and time.monotonic() - began >= limit:
                _stop(process, 0)
                return None
            else:
                time.sleep(POLL_SECONDS)
        return code


@dataclass(frozen=True)
class JobEnd:
    """What an engine knows of a job that is over."""

    reason: str = ""  #: why its errand did not return; empty where it did
    status: str = "failed"  #: of its trial then, if that has left neither result nor end
    again: bool = True  #: whether it may be sent once more, as when its machine was lost


class Cluster(ABC):
    """An engine at work for a run. Jobs are named by words of its own."""

    poll_seconds: float = 0.2  #: between two looks at the jobs

    def __init__(self, resources: Resources) -> None:
        """Take what there is to share out."""
        self.resources = resources

    def room(self, jobs: int) -> int:
        """Return how many errands may be sent while there are so many jobs."""
        return self.resources.jobs - jobs

    @abstractmethod
    def send(self, errands: Sequence[Errand]) -> Sequence[str]:
        """Have errands run, and return the job of each."""

    def attach(self, jobs: Mapping[str, TrialRef]) -> Collection[str]:
        """Take over those jobs of a run that has died which are still there, and return them."""
        return ()

    @abstractmethod
    def ends(self, jobs: Collection[str]) -> Mapping[str, JobEnd]:
        """Return those of the jobs that are over."""

    @abstractmethod
    def stop(self, jobs: Collection[str]) -> None:
        """Stop jobs, whether they run or wait, and return once their workers have ended."""


class ClusterExecutor(Executor):
    """Sends each trial to a cluster as an errand, and once more where its machine is lost.

    A package implements `opened`, and a `Cluster` for its engine.
    """

    retries: ClassVar[int] = 1  #: of a trial whose machine is lost
    attaches: ClassVar[bool] = False  #: whether jobs outlive the run's command

    @abstractmethod
    def opened(self, resources: Resources) -> AbstractContextManager[Cluster]:
        """Reach the engine, and let go of it at the end. Jobs have been stopped by then."""

    def still_at_work(self, trials: Sequence[TrialRef]) -> Collection[TrialRef]:
        """Return those whose jobs a run that has died has left."""
        if not (known := self._known(trials)):
            return ()
        with self.opened(Resources()) as cluster:
            return [known[job] for job in cluster.attach(known)]

    def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        """Yield each trial as it ends."""
        if not trials:
            return
        known, losses = self._known(trials), Counter[TrialRef]()
        with self.opened(resources) as cluster:
            jobs = {job: known[job] for job in cluster.attach(known)} if known else {}
            waiting = deque(trial for trial in trials if trial not in jobs.values())
            try:
                while waiting or jobs:
                    count = min(cluster.room(len(jobs)), len(waiting))
                    sent = [waiting.popleft() for _ in range(count)]
                    if sent:
                        errands = [Errand.of(trial, resources) for trial in sent]
                        begun = dict(zip(cluster.send(errands), sent, strict=True))
                        jobs.update(begun)
                        self._note(begun)
                    ends = cluster.ends(list(jobs))
                    for job, end in ends.items():
                        trial = jobs.pop(job)
                        _forget([trial])
                        if _is_told(trial, end, losses[trial] < self.retries):
                            yield trial
                        else:
                            losses[trial] += 1
                            waiting.append(trial)
                    if not ends:
                        time.sleep(cluster.poll_seconds)
            finally:
                cluster.stop(list(jobs))
                _forget(jobs.values())

    def _known(self, trials: Sequence[TrialRef]) -> dict[str, TrialRef]:
        """Return the trials of which a run has said in what jobs they are."""
        if not self.attaches:
            return {}
        found = {trial: files.read_json(trial.directory / run_folder.JOB) for trial in trials}
        return {
            str(said["job"]): trial
            for trial, said in found.items()
            if isinstance(said, dict) and said.get("executor") == self.name and "job" in said
        }

    def _note(self, jobs: Mapping[str, TrialRef]) -> None:
        """Say in each trial's folder what job it is, where that outlives this process."""
        for job, trial in jobs.items() if self.attaches else ():
            said = {"executor": self.name, "job": job}
            files.write_json(trial.directory / run_folder.JOB, said)


def _forget(trials: Iterable[TrialRef]) -> None:
    for trial in trials:
        (trial.directory / run_folder.JOB).unlink(missing_ok=True)


def _is_told(trial: TrialRef, end: JobEnd, may_go_again: bool) -> bool:
    """Whether a trial's folder tells its end, if need be from here; else it is to go again."""
    until = time.monotonic() + (0 if end.reason else LAG_SECONDS)
    while not trial.has_ended and time.monotonic() < until:
        time.sleep(POLL_SECONDS)
    if trial.has_ended:
        return True
    if may_go_again and end.again and end.reason:
        _log.warning("%s: %s; it is sent once more", trial.label, end.reason)
        return False
    nothing = (
        "its job has ended, and nothing of it is seen in its folder; do all machines share it?"
    )
    trial.leave_end(end.status, end.reason or nothing)
    return True


def _stop(process: subprocess.Popen[bytes], patience: float) -> None:
    """Ask a worker to end, and make it where it does not."""
    try:
        if patience:
            _signal(process, "SIGTERM" if patience <= GRACE_SECONDS else "SIGUSR1")
            with suppress(subprocess.TimeoutExpired):
                process.wait(patience)
    finally:  # also when another exception cuts the grace short
        _signal(process, "SIGKILL")
        process.wait()


def _signal(process: subprocess.Popen[bytes], name: str) -> None:
    if process.poll() is not None:
        return
    if sys.platform == "win32":
        process.terminate()
    else:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, getattr(signal, name))
