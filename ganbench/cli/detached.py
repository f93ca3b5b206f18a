"""Runs that go on by themselves when the command that began them has ended."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from ganbench.errors import RunError
from ganbench.runs import holding

LOG = "detached.log"  # in the run's folder
PATIENCE_SECONDS = 120.0  # until it has begun
POLL_SECONDS = 0.1


def leave(run: Path, *, fail_fast: bool, max_time: float | None) -> int:
    """Start a process that finishes a run, say how to follow it, and leave it to itself.

    Raises RunError where it ends before it has begun, with the last that it said.
    """
    more = ["--fail-fast"] if fail_fast else []
    more += ["--max-time", f"{max_time}s"] if max_time else []
    with (run / LOG).open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "ganbench", "resume", str(run), *more],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,  # the end of the terminal is none of its own
        )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (by := holding.holder(run)) is None or by.pid != process.pid:
        code = process.poll()
        if code is not None and code not in (0, 3):  # that of a run that was short
            raise RunError(f"{run}: it ended with exit code {code}: {_last_line(run / LOG)}")
        if code is not None or time.monotonic() > deadline:
            break
        time.sleep(POLL_SECONDS)
    print(f"{run}: runs on by itself, as process {process.pid}; what it says is in {run / LOG}")
    for what, command in (
        ("to follow it", "watch"),
        ("its table so far", "show"),
        ("to end it", "cancel"),
    ):
        print(f"{what + ':':18}ganbench {command} {run}")
    return 0


def _last_line(log: Path) -> str:
    return (log.read_text("utf-8", "replace").strip().splitlines() or ["it said nothing"])[-1]
