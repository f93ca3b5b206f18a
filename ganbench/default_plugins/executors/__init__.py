"""The built-in executors: processes on this machine, or this very process."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Literal

from ganbench import Executor, Resources, TrialRef, hookimpl
from ganbench.default_plugins.executors.processes import (
    Cold,
    ForkServerError,
    Process,
    Processes,
    Warm,
    why_cold,
)

logger = logging.getLogger(__name__)

ALONE = threading.RLock()  # of a trial in this process, whose random streams all threads share
POLL_SECONDS = 0.05
GRACE_SECONDS = 10.0


@dataclass
class _Worker:
    """A trial's process, and where it runs."""

    trial: TrialRef
    process: Process
    slot: int
    started: float = field(default_factory=time.monotonic)


@dataclass(kw_only=True)
class Local(Executor):
    """One process per trial on this machine, each with its share of cores or its own GPU.

    `start`: `warm` forks each from one process that has imported torch; where that is not safe, as
    on macOS and Windows, and with `cold`, each starts a Python of its own, which takes seconds.
    """

    name = "local"

    start: Literal["warm", "cold"] = "warm"

    def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        if not trials:
            return
        waiting = list(trials)
        running: list[_Worker] = []
        free = list(range(resources.jobs))
        workers = _Workers(resources, warm=self.start == "warm" and not why_cold())
        try:
            while waiting or running:
                while waiting and free:
                    running.append(workers.start(waiting.pop(0), free.pop(0)))
                ended = [w for w in running if _has_ended(w, resources.timeout_seconds)]
                for worker in ended:
                    running.remove(worker)
                    free.append(worker.slot)
                    yield worker.trial
                if not ended:
                    workers.rest()
        finally:
            _stop(running)
            workers.close()


@dataclass(kw_only=True)
class Inline(Executor):
    """One trial after the other in this process: for debuggers and notebooks; no timeout.

    What ends a process, as `os._exit` and a crash in C do, ends all of it; `ganbench resume` goes
    on.
    """

    name = "inline"

    def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        from ganbench import worker

        for trial in trials:
            try:
                with ALONE:
                    worker.run(trial.directory)
            except Exception as error:  # its result could not be written
                trial.leave_end("failed", f"{type(error).__name__}: {error}")
            yield trial


class _Workers:
    """Starts workers: forks while there is what to fork from, else each anew."""

    def __init__(self, resources: Resources, *, warm: bool) -> None:
        self._environment = {**os.environ, **resources.variables}
        self._cwd, self._devices = resources.cwd, resources.devices
        self._made: list[Processes] = []
        self._make(Warm if warm else Cold)

    def start(self, trial: TrialRef, slot: int) -> _Worker:
        trial.directory.mkdir(parents=True, exist_ok=True)  # another trial may have removed it
        device = self._devices[slot % len(self._devices)] if self._devices else None
        changes = {} if device is None else {"CUDA_VISIBLE_DEVICES": device}
        try:
            process = self._made[-1].start(trial, changes)
        except ForkServerError as error:
            logger.warning("workers start cold from here on: %s", error)
            self._make(Cold)
            process = self._made[-1].start(trial, changes)
        return _Worker(trial, process, slot)

    def rest(self) -> None:
        self._made[-1].rest(POLL_SECONDS)

    def close(self) -> None:
        for processes in self._made:
            processes.close()

    def _make(self, kind: type[Warm] | type[Cold]) -> None:
        self._made.append(kind(self._environment, self._cwd))


def _has_ended(worker: _Worker, timeout: float | None) -> bool:
    code = worker.process.poll()
    if code is None:
        if timeout is None or time.monotonic() - worker.started < timeout:
            return False
        _stop([worker], grace=0)
        worker.trial.leave_end("timeout", f"stopped after {timeout:g} s")
        return True
    if not worker.trial.has_ended:
        worker.trial.leave_end("failed", worker.trial.cause(code))
    return True


def _stop(workers: Sequence[_Worker], grace: float = GRACE_SECONDS) -> None:
    """Ask the workers to end, and make those that don't."""
    try:
        if grace:
            _signal(workers, signal.SIGTERM)
        deadline = time.monotonic() + grace
        while time.monotonic() < deadline and any(w.process.poll() is None for w in workers):
            time.sleep(POLL_SECONDS)
    finally:  # also when a second Ctrl-C cuts the grace short
        _signal(workers, getattr(signal, "SIGKILL", signal.SIGTERM))
        for worker in workers:
            worker.process.wait()


def _signal(workers: Sequence[_Worker], number: int) -> None:
    for worker in workers:
        if worker.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                if hasattr(os, "killpg"):
                    os.killpg(worker.process.pid, number)
                else:
                    worker.process.terminate()


@hookimpl
def register_executors(register: Callable[[type[Executor]], None]) -> None:
    register(Local)
    register(Inline)
