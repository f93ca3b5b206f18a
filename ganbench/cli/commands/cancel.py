"""`ganbench cancel`."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import click

from ganbench.cli import options
from ganbench.errors import RunError

PATIENCE_SECONDS = 60.0  # until its workers have ended and its tables are written
POLL_SECONDS = 0.1


@click.command("cancel")
@options.run_dir
def command(run_dir: Path) -> int:
    """End the run in RUN_DIR that is at work, here or detached, as Ctrl-C in its terminal does.

    What is finished stays; `ganbench resume` goes on, of trainings from their last checkpoint.
    """
    from ganbench.records.run_folder import Run
    from ganbench.runs import holding

    run = Run.read(run_dir)
    try:
        found = holding.holder(run.directory)
    except OSError as error:
        raise RunError(f"{run_dir}: cannot be looked into: {error.strerror}") from error
    if found is None:
        raise RunError(f"{run_dir}: nobody is at work in it; `ganbench resume {run_dir}` goes on")
    if not found.is_here:
        raise RunError(f"{run_dir}: it is the work of {found.told}; cancel it there")
    os.kill(found.pid, signal.SIGTERM)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while holding.holder(run.directory) == found:
        if time.monotonic() > deadline:
            raise RunError(
                f"{run_dir}: {found.told} was asked to end, and has not within "
                f"{PATIENCE_SECONDS:g} s"
            )
        time.sleep(POLL_SECONDS)
    print(f"{run_dir}: ended; to finish: ganbench resume {run_dir}")
    return 0
