"""Where trials run."""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from ganbench.records import run_folder
from ganbench.util import allocator, files

RUN_MODULE = (
    "import runpy, sys; sys.path[:] = sys.path[not sys.path[0]:]; "
    "runpy.run_module({module!r}, run_name='__main__', alter_sys=True)"
)
ASKED_TO_END = 128 + signal.SIGTERM  # exit code of a worker that was, and did so by itself
_log = logging.getLogger(__name__)


def module_command(module: str) -> list[str]:
    """Return how this Python runs a module: as with `-m`, but blind to the working directory's."""
    return [sys.executable, "-c", RUN_MODULE.format(module=module)]


@dataclass(frozen=True)
class TrialRef:
    """A trial is a directory: `trial.json` says what to do, `result.json` what came of it."""

    directory: Path
    label: str

    @property
    def id(self) -> str:
        """The name of its directory."""
        return self.directory.name

    @property
    def log(self) -> Path:
        """Where its worker's output belongs."""
        return self.directory / run_folder.LOG

    @property
    def has_ended(self) -> bool:
        """Whether its directory says how it ended."""
        ends = (run_folder.RESULT, run_folder.END)
        return any((self.directory / name).is_file() for name in ends)

    def command(self) -> list[str]:
        """Return the command of its worker, which ends when standard input closes.

        It is `python -m ganbench.worker DIRECTORY`, blind to modules of the working directory.
        """
        begin = module_command("ganbench.worker")
        return [*begin, str(self.directory.resolve()), "--stop-with-parent"]

    def cause(self, code: int) -> str:
        """Return why its worker left no result, by the exit code as `subprocess` has it."""
        if code < 0:
            known = -code in set(signal.Signals)
            name = signal.Signals(-code).name if known else f"signal {-code}"
            hint = ", perhaps by the kernel for want of memory" if name == "SIGKILL" else ""
            return f"the worker was ended by {name}{hint}"
        if code == ASKED_TO_END:
            return "the worker was asked by a signal to end; a training goes on where it was kept"
        try:
            lines = self.log.read_text("utf-8", "replace").strip().splitlines()
        except FileNotFoundError:
            return f"the worker ended with exit code {code}, and its folder was removed meanwhile"
        last = f"; its log ends with: {lines[-1][:300]}" if lines else ""
        return f"the worker ended with exit code {code} and no result{last}"

    def leave_end(self, status: str, reason: str) -> None:
        """Write down how it ended, where it could not do so: end.json.

        Where nothing can be written, the program's log tells.
        """
        text = json.dumps({"status": status, "reason": reason}) + "\n"
        end = self.directory / run_folder.END
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            files.write_atomically(end, lambda path: path.write_text(text, "utf-8"))
        except OSError as error:
            what = f"{self.directory}: {status} ({reason})"
            _log.warning("%s, and its end cannot be written: %s", what, error.strerror)


@dataclass(frozen=True)
class Resources:
    """What the runner gives an executor to share out among trials."""

    jobs: int = 1  #: trials at once
    threads: int = 1  #: of each trial
    devices: tuple[str, ...] = ()  #: values of CUDA_VISIBLE_DEVICES to deal out; (): leave it alone
    timeout_seconds: float | None = None  #: of each trial
    cwd: Path | None = None  #: where relative paths of the benchmark file begin

    @property
    def variables(self) -> dict[str, str]:
        """What a worker finds in its environment beside what is there."""
        threads = str(self.threads)
        memory = os.environ.get(allocator.VARIABLE, allocator.KEEP_MEMORY)
        return {
            "OMP_NUM_THREADS": threads,
            "MKL_NUM_THREADS": threads,
            allocator.VARIABLE: memory,
        }


class Executor(ABC):
    """Starts `python -m ganbench.worker TRIAL_DIR` somewhere; knows nothing of GANs."""

    name: ClassVar[str]  #: in benchmark files

    @abstractmethod
    def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        """Yield each trial as it ends, however it ends; its directory holds the truth.

        A trial that leaves no `result.json` gets an `end.json` with the reason. When the iterator
        is closed, or an exception passes through it, every worker is stopped before it returns.
        """

    def still_at_work(self, trials: Sequence[TrialRef]) -> Collection[TrialRef]:
        """Return those whose workers are still at work, though the run that began them has died.

        `run`, which is given them with the others, waits for their ends and begins them no second
        time. Where workers end with their run, as is usual, there are none.
        """
        return ()
