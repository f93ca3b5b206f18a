"""What every executor must do.

The worker that its processes find is a light one, whose trials end at once as `failed`.
"""

from __future__ import annotations

import io
import os
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, suppress
from pathlib import Path
from unittest.mock import patch

from ganbench.contracts.executors import Executor, Resources, TrialRef
from ganbench.records import run_folder
from ganbench.testing.fixtures.sandbox import Sandbox, sandbox
from ganbench.testing.rulebook import Rulebook
from ganbench.util import files

PATIENCE = 60.0  # seconds until a trial that hangs is let go
LINGERING = 1.0  # seconds in which a worker that was left behind shows itself


WORKER = """
import json, pathlib, sys

def preload():
    pass

def main(arguments):
    folder = pathlib.Path(arguments[0])
    if (folder / "trial.json").exists():
        (folder / "trial.json").read_text("utf-8")
    result = {"status": "failed", "reason": "a trial of the kit"}
    (folder / "result.json").write_text(json.dumps(result), "utf-8")

if __name__ == "__main__":
    main(sys.argv[1:])
"""
PACKAGE = """
__path__.append({real!r})  # but for the worker, all is there
"""
REAL = str(Path(__file__).parents[2])  # the package, whose worker is shadowed
rules = Rulebook()


@rules.rule
def no_trials_are_no_work(executor: Executor) -> None:
    assert list(executor.run([], Resources())) == [], "it yields trials where it was given none"


@rules.rule
def every_trial_is_yielded_once(executor: Executor) -> None:
    with _workshop() as box:
        trials = [_trial(box, name) for name in ("one", "two", "three")]
        yielded = []
        for trial in executor.run(trials, Resources(jobs=2)):
            _assert_ended(trial)
            yielded.append(trial)
        for trial in trials:
            times = yielded.count(trial)
            assert times == 1, f"it yields a trial {times} times; yield each once, as it ends"
        assert len(yielded) == len(trials), "it yields what is none of its trials"


@rules.rule
def nobody_is_at_work_at_first(executor: Executor) -> None:
    with _workshop() as box:
        found = [*executor.still_at_work([_trial(box, "new")])]
        assert not found, (
            "it says that a trial is still at work which was never begun; say so of those alone "
            "whose workers outlived a run that died"
        )


@rules.rule
def dead_worker_gets_an_end(executor: Executor) -> None:
    """The trial is one whose result cannot be written, as on a full disk."""
    with _workshop() as box:
        trial = _trial(box, "doomed")
        (trial.directory / run_folder.RESULT / "in the way").mkdir(parents=True)
        try:
            yielded = list(executor.run([trial], Resources()))
        except Exception as error:
            raise AssertionError(
                f"a worker that dies makes it raise {type(error).__name__}, and other trials are "
                "lost; write end.json with the status and the reason, and go on"
            ) from error
        assert yielded == [trial], "it does not yield a trial whose worker died"
        _assert_ended(trial)


@rules.rule_where(lambda cls: hasattr(os, "mkfifo"))
def closing_stops_the_workers(executor: Executor) -> None:
    """Of two trials, the second waits for its trial.json, which is a pipe, for ever."""
    if sys.platform == "win32":
        return
    with _workshop() as box:
        quick, endless = _trial(box, "quick"), _trial(box, "endless")
        pipe = endless.directory / run_folder.TRIAL
        os.mkfifo(pipe)
        with _released(pipe):
            running = executor.run([quick, endless], Resources(jobs=2))
            first = next(iter(running))
            assert first == quick, "it waits for one trial to end before it yields another"
            close = getattr(running, "close", None)
            assert close is not None, "run() gives what cannot be closed; write a generator"
            started = time.monotonic()
            close()
            took = time.monotonic() - started
            assert took < PATIENCE / 2, "closing its iterator waits for the trials to end"
            assert not _is_read(pipe), (
                "closing its iterator leaves a worker behind; stop them all in a `finally`"
            )


@contextmanager
def _workshop() -> Iterator[Sandbox]:
    """A sandbox in whose processes `python -m ganbench.worker` is the light worker."""
    with sandbox() as box:
        package = box.folder("light worker") / "ganbench"
        package.mkdir()
        (package / "__init__.py").write_text(PACKAGE.format(real=REAL), "utf-8")
        (package / "worker.py").write_text(WORKER, "utf-8")
        path = os.pathsep.join(filter(None, [str(package.parent), os.environ.get("PYTHONPATH")]))
        with patch.dict(os.environ, PYTHONPATH=path), redirect_stderr(io.StringIO()):
            yield box


def _trial(box: Sandbox, name: str) -> TrialRef:
    return TrialRef(box.folder(name), name)


def _assert_ended(trial: TrialRef) -> None:
    found = [files.read_json(trial.directory / name) for name in _ends(trial.directory)]
    assert found, (
        "it yields a trial that has no result.json and no end.json; yield it when its worker has "
        "ended, and write end.json where that left no result"
    )
    for end in found:
        told = isinstance(end, dict) and end.get("status") and end.get("reason")
        assert told, f"a trial's end is {end!r}; give it a status and a reason"


def _ends(directory: Path) -> list[str]:
    return [name for name in (run_folder.RESULT, run_folder.END) if (directory / name).is_file()]


def _is_read(pipe: Path) -> bool:
    """Whether a process waits for the pipe, or comes to within a while."""
    until = time.monotonic() + LINGERING
    while time.monotonic() < until:
        if _let_go(pipe):
            return True
        time.sleep(0.05)
    return False


def _let_go(pipe: Path) -> bool:
    """End the wait of whoever reads the pipe; whether there was anyone."""
    if sys.platform == "win32":
        return False
    try:
        os.close(os.open(pipe, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True


@contextmanager
def _released(pipe: Path) -> Iterator[None]:
    """So that nothing hangs for ever, however wrong the executor is."""

    def release() -> None:
        with suppress(OSError):
            while not done.wait(0.5):
                _let_go(pipe)

    done = threading.Event()
    timer = threading.Timer(PATIENCE, release)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        done.set()
