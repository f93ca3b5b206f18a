"""How workers' processes start: each anew, or as forks of one that has imported everything."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from ganbench import GanbenchError, TrialRef, module_command


class Process(Protocol):
    """A worker's process, the first of a process group of its own."""

    @property
    def pid(self) -> int:
        """Return the process's number, and its group's."""

    def poll(self) -> int | None:
        """Return its exit code, a signal's negative, or None while it runs."""

    def wait(self) -> int:
        """Wait for its end and return its exit code."""

    def terminate(self) -> None:
        """Ask it to end."""


class Processes(Protocol):
    """Where workers' processes come from. They end with this one, however that ends."""

    def start(self, trial: TrialRef, environment: Mapping[str, str]) -> Process:
        """Start a trial's worker, which finds the variables of `environment` beside the usual."""

    def rest(self, seconds: float) -> None:
        """Wait so long, or less where a worker has ended meanwhile."""

    def close(self) -> None:
        """Let go of what is kept for workers to come; those that run are to be stopped before."""


class ForkServerError(GanbenchError):
    """Tells why no worker can be forked."""


def why_cold() -> str:
    """Return why workers start cold on this machine; the empty text where they can be forked."""
    if sys.platform != "linux":
        return f"fork is not safe on {sys.platform}"
    try:
        os.close(os.pidfd_open(os.getpid()))
    except (AttributeError, OSError):
        return "this system has no pidfd_open (Linux 5.3 and Python 3.9 have)"
    return ""


class Cold:
    """Starts a fresh interpreter for each worker."""

    def __init__(self, environment: Mapping[str, str], cwd: Path | None) -> None:
        """Take what each worker starts with."""
        self._environment, self._cwd = environment, cwd
        self._theirs, self._lifeline = os.pipe()

    def start(self, trial: TrialRef, environment: Mapping[str, str]) -> Process:
        """Start a trial's worker."""
        with trial.log.open("wb") as log:
            return subprocess.Popen(
                trial.command(),
                stdin=self._theirs,  # closes when this process dies, however it dies
                stdout=log,
                stderr=log,
                cwd=self._cwd,
                env={**self._environment, **environment},
                start_new_session=True,  # the terminal's Ctrl-C is for the runner alone
            )

    def rest(self, seconds: float) -> None:
        """Wait so long."""
        time.sleep(seconds)

    def close(self) -> None:
        """Close the pipe that workers hold on to."""
        os.close(self._theirs)
        os.close(self._lifeline)


class Warm:
    """Forks each worker from one process that has imported torch; see `ganbench.fork_server`."""

    def __init__(self, environment: Mapping[str, str], cwd: Path | None) -> None:
        """Start that process. It is at work on its imports as this returns."""
        theirs, self._lifeline = os.pipe()
        self._complaints = tempfile.TemporaryFile()  # noqa: SIM115 (open until `close`)
        self._server = subprocess.Popen(
            [*module_command("ganbench.fork_server"), str(theirs)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._complaints,
            pass_fds=(theirs,),
            cwd=cwd,
            env=dict(environment),
            start_new_session=True,
            bufsize=0,
        )
        os.close(theirs)
        self._heard = b""
        self._born: int | None = None  # the last that was forked
        self._codes: dict[int, int] = {}  # of those that have ended
        self._has_ended = False

    def start(self, trial: TrialRef, environment: Mapping[str, str]) -> Process:
        """Fork a trial's worker. Raises ForkServerError where there is nothing to fork from."""
        request = {
            "directory": str(trial.directory.resolve()),
            "log": str(trial.log.resolve()),
            "environment": dict(environment),
        }
        assert self._server.stdin
        with suppress(BrokenPipeError):  # the answer tells
            self._server.stdin.write(json.dumps(request).encode() + b"\n")
        self._born = None
        while self._hear(wait=True):
            if self._born is not None:
                return _Forked(self._born, self)
        self._complaints.seek(0)
        last = self._complaints.read().decode("utf-8", "replace").strip().splitlines()[-1:]
        raise ForkServerError(": ".join(["the process to fork from has ended", *last]))

    def code(self, pid: int, *, wait: bool) -> int | None:
        """Return a worker's exit code, or None while it runs."""
        if sys.platform == "win32":
            raise NotImplementedError("Windows has no fork")
        while pid not in self._codes:
            if self._hear(wait=wait):
                continue
            if not self._has_ended:
                return None
            with suppress(ProcessLookupError):  # nobody is left who could tell of its end
                os.killpg(pid, signal.SIGKILL)
            self._codes[pid] = -signal.SIGKILL
        return self._codes[pid]

    def rest(self, seconds: float) -> None:
        """Wait so long, or until that process says something."""
        if self._has_ended:
            time.sleep(seconds)
        else:
            self._is_heard(seconds)

    def close(self) -> None:
        """End that process."""
        os.close(self._lifeline)
        with self._server:  # closes its input, at whose end it ends
            pass
        self._complaints.close()

    def _hear(self, *, wait: bool) -> bool:
        """Take in what the server said; whether there was anything."""
        if not self._is_heard(None if wait else 0):
            return False
        assert self._server.stdout
        said = os.read(self._server.stdout.fileno(), 2**16)
        self._has_ended = not said
        *lines, self._heard = (self._heard + said).split(b"\n")
        for line in lines:
            pid, *code = map(int, line.split())
            if code:
                self._codes[pid] = code[0]
            else:
                self._codes.pop(pid, None)  # another's, that had its number
                self._born = pid
        return bool(said)

    def _is_heard(self, seconds: float | None) -> bool:
        """Whether the server says something, or has ended, within so long."""
        assert self._server.stdout
        return bool(select.select([self._server.stdout], [], [], seconds)[0])


@dataclass(frozen=True)
class _Forked:
    """A worker that was forked."""

    pid: int
    server: Warm

    def poll(self) -> int | None:
        return self.server.code(self.pid, wait=False)

    def wait(self) -> int:
        code = self.server.code(self.pid, wait=True)
        assert code is not None
        return code

    def terminate(self) -> None:
        with suppress(ProcessLookupError):
            os.kill(self.pid, signal.SIGTERM)
