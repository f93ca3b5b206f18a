"""`ganbench watch`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options

if TYPE_CHECKING:
    from ganbench.records.run_folder import Run, Trial, TrialOutcome
    from ganbench.runs.runner import Observer

POLL_SECONDS = 2.0
SILENT_SECONDS = 180.0  # without a sign of life, somebody should look


@click.command("watch")
@options.run_dir
@click.option("--once", is_flag=True, help="Say how far it is now, and end.")
def command(run_dir: Path, once: bool) -> int:
    """Follow the run in RUN_DIR until its last trial ends, from another terminal, or any machine
    that shares its folder: each trial's place, speed, losses and newest numbers, and how long it
    will take.

    Nothing of the run is changed, and it goes on when this ends. Numbers on the way come of
    `evaluation: {every: 20 kimg}` in the benchmark file.

    \b
    ganbench watch results/cgan_mnist/2026-11-22-013000
    ganbench watch my-run --once
    """  # noqa: D205
    from ganbench.cli.progress import observer, state
    from ganbench.records.run_folder import Run

    run = Run.read(run_dir)
    outcomes = run.outcomes()
    waiting = [o.trial for o in outcomes if not _has_ended(o)]
    done = len(outcomes) - len(waiting)
    if once:
        print("\n".join(state(run, waiting, done)))
    elif waiting:
        _follow(run, waiting, done, observer(quiet=False))
    if not once:
        told = f"all {len(outcomes)} trials have ended; `ganbench show {run_dir}` prints the table"
        print(f"{run_dir}: {told}")
    return 0


def _has_ended(outcome: TrialOutcome) -> bool:
    from ganbench.records.status import Status

    return outcome.status is not Status.UNFINISHED


def _follow(run: Run, waiting: Sequence[Trial], done: int, observer: Observer) -> None:
    """Tell of each trial as it ends, until none is left."""
    left = list(waiting)
    observer.began(run, left, done)
    told_silent = False
    try:
        while left:
            time.sleep(POLL_SECONDS)
            for outcome in [run.outcome(trial) for trial in left]:
                if _has_ended(outcome):
                    left = [trial for trial in left if trial.id != outcome.trial.id]
                    observer.finished(outcome)
            silent = _silent_seconds(run)
            if silent > SILENT_SECONDS and left and not told_silent:
                click.echo(
                    f"{run.directory}: nothing was written for {silent / 60:.0f} minutes; where "
                    f"nobody is at work in it, `ganbench resume {run.directory}` goes on",
                    err=True,
                )
            told_silent = silent > SILENT_SECONDS
    finally:
        observer.ended()


def _silent_seconds(run: Run) -> float:
    """Return the seconds since any file of a trial was last written."""
    times = [p.stat().st_mtime for p in run.directory.glob("trials/*/*") if p.exists()]
    return time.time() - max(times, default=run.directory.stat().st_mtime)
