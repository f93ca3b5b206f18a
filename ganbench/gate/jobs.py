"""A benchmark run by another version of the code, in a process that ends with this one."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ganbench.errors import MeasurementError, RunError
from ganbench.gate.measurements import Measurements
from ganbench.gate.versions import Version
from ganbench.records.run_folder import Run

GRACE_SECONDS = 20.0  # more than the workers of a run are given
LAST_LINES = 8
ONE_AT_A_TIME = ("--jobs", "1", "--fail-fast")  # trials side by side would time each other
LAUNCH = """\
import os, runpy, signal, sys, threading
sys.path[:] = sys.path[not sys.path[0]:]  # blind to modules of the user's folder
def stop():
    while os.read(0, 1):
        pass
    os.kill(os.getpid(), signal.SIGTERM)  # whoever asked for this run is gone
threading.Thread(target=stop, daemon=True).start()
runpy.run_module("ganbench", run_name="__main__", alter_sys=True)
"""


@dataclass(frozen=True)
class Job:
    """What each version runs."""

    file: Path
    arguments: tuple[str, ...]  # of `ganbench run`
    plugins: tuple[str, ...]
    at_once: tuple[str, ...] = ONE_AT_A_TIME

    def command(self, version: Version, out: Path) -> list[str]:
        """Return the command line of a version's run in a folder."""
        plugins = [part for name in self.plugins for part in ("--plugin", version.plugin(name))]
        return [
            version.python, "-c", LAUNCH, "run", str(self.file), *self.arguments, *plugins,
            *self.at_once, "--out", str(out),
        ]  # fmt: skip


def run(job: Job, version: Version, out: Path, what: str) -> None:
    """Run a job in a folder that is not there yet. Raises MeasurementError unless it ends well."""
    out.parent.mkdir(parents=True, exist_ok=True)
    log = out.with_suffix(".log")
    code = _process(job.command(version, out), version.environment(), log)
    if code:
        end = f"was ended by signal {-code}" if code < 0 else f"ended with exit code {code}"
        lines = log.read_text("utf-8", "replace").strip().splitlines()[-LAST_LINES:]
        raise MeasurementError(
            f"{version.asked}: its run in {what} {end}; the last it said:"
            + "".join(f"\n  {line}" for line in lines or ["nothing"]),
            code,
        )


def read_run(out: Path) -> Measurements:
    """Return what a run measured. Raises MeasurementError where it cannot be read."""
    try:
        return Measurements.of(Run.read(out))
    except RunError as error:
        raise MeasurementError(f"its records cannot be read: {error}") from error


def _process(command: Sequence[str], environment: Mapping[str, str], log: Path) -> int:
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,  # closes when this process dies, however it dies
            stdout=file,
            stderr=file,
            env=environment,
            start_new_session=True,  # the terminal's Ctrl-C is for this process alone
        )
    with _ended(process):
        return process.wait()


@contextmanager
def _ended(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """At the end, whatever happens. A run that is asked to stop stops its workers first."""
    try:
        yield
    finally:
        try:
            process.terminate()
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            pass
        finally:  # also when a second Ctrl-C cuts the grace short
            process.kill()
            process.wait()
            if process.stdin:
                process.stdin.close()
