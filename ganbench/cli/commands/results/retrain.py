"""`ganbench results retrain`."""

from __future__ import annotations

import secrets
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.archive.retrained import TOLERANCE
from ganbench.cli import completion, options
from ganbench.cli.exit_codes import FAILED, OK, TRIAL_FAILED
from ganbench.cli.output import print_json
from ganbench.errors import ConfigError, GanbenchError

if TYPE_CHECKING:
    from ganbench.records.run_folder import Run, TrialOutcome
    from ganbench.runs.retraining import How, Retrained


@click.command("retrain")
@click.argument(
    "places",
    metavar="RUN...",
    nargs=-1,
    type=click.Path(path_type=Path),
    shell_complete=completion.runs,
)
@click.option(
    "--changed",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The runs that the files named in it belong to, as `git diff -z --name-only` tells them.",
)
@click.option("--trial", metavar="ID", help="This trial of RUN; else one at random.")
@click.option("--draw", metavar="TEXT", help="What chance goes by; the same draws the same trial.")
@click.option(
    "--run-plugins",
    is_flag=True,
    help="Import the plugins that came with RUN: code of whoever submitted it.",
)
@options.plugin
@click.option(
    "--tolerance",
    type=click.FloatRange(min=0),
    default=TOLERANCE,
    show_default=True,
    help="By which share a number may differ on another platform than RUN's.",
)
@options.device("Where it is trained.")
@options.as_json
def command(
    places: tuple[Path, ...],
    changed: Path | None,
    trial: str | None,
    draw: str | None,
    run_plugins: bool,
    plugins: tuple[str, ...],
    tolerance: float,
    device: str,
    as_json: bool,
) -> int:
    """Train one random trial of each RUN of a repository of results again, and compare.

    On the platform that it was submitted from all its numbers but timings have to be the same to
    the bit. On another one the first number with a direction, by which boards rank, may differ by
    --tolerance of itself, or by four standard deviations over the cell's other seeds where there
    are three or more and that is wider. Ends with 1 where a number is not confirmed, and with 3
    where a trial could not be trained here. Code that came with a run is imported with
    --run-plugins alone, and this is the only command that does.
    """
    runs = _runs(places, changed)
    if trial is not None and len(runs) != 1:
        raise click.UsageError("--trial is of one RUN")
    if not runs:
        print("no submission to train again", file=sys.stderr)
    draw = draw or secrets.token_hex(4)
    from ganbench.runs.retraining import How

    how = How(device, run_plugins, plugins, tolerance)
    found = [_one(run, _chosen(run, trial, draw), how, as_json) for run in runs]
    if as_json:
        print_json({"draw": draw, "trials": [plain for plain, _ in found]})
    elif found and trial is None:
        print(f"drawn by: --draw {draw}")
    return max((code for _, code in found), default=OK, key=[OK, TRIAL_FAILED, FAILED].index)


def _runs(places: tuple[Path, ...], changed: Path | None) -> list[Run]:
    from ganbench.archive import merge, retrained

    if not places and changed is None:
        raise click.UsageError("name a RUN, or --changed FILE")
    named = [*places, *(retrained.changed(changed) if changed else ())]
    return merge.read(named)[0] if named else []


def _chosen(run: Run, trial: str | None, draw: str) -> TrialOutcome:
    from ganbench.archive import retrained

    if trial is None:
        return retrained.drawn(run, draw)
    for one in run.trials:
        if one.id == trial and one.cell:
            return run.outcome(one)
    known = ", ".join(one.id for one in run.trials[:5] if one.cell)
    raise ConfigError(f"--trial {trial}: {run.directory} has no such trial; it has {known}, …")


def _one(run: Run, submitted: TrialOutcome, how: How, as_json: bool) -> tuple[dict[str, Any], int]:
    from ganbench.runs.retraining import retrain

    about = {"run": str(run.directory), "trial": submitted.trial.id}
    try:
        with tempfile.TemporaryDirectory(prefix="ganbench-retrain-") as folder:
            found = retrain(run, submitted, how, Path(folder, "run"))
    except GanbenchError as error:
        if not as_json:
            print(f"{run.directory}: not trained again: {error}", file=sys.stderr)
        return {**about, "error": str(error)}, TRIAL_FAILED
    if not as_json:
        _show(run, found)
    numbers = [{**asdict(one), "confirmed": one.confirmed} for one in found.numbers]
    code = FAILED if found.unconfirmed else OK
    return {**about, "to_the_bit": found.to_the_bit, "numbers": numbers}, code


def _show(run: Run, found: Retrained) -> None:
    way = "to the bit, on the same platform" if found.to_the_bit else "on another platform"
    wrong = found.unconfirmed
    verdict = "NOT CONFIRMED" if wrong else "confirmed"
    print(f"{run.directory}: {found.trial}: {verdict} {way}, {len(found.numbers)} compared")
    for one in found.numbers:
        if one.confirmed and not found.to_the_bit:
            print(
                f"  {one.column}: {one.again!r} here, {one.submitted!r} as submitted, which may "
                f"differ by {one.allowed:.3g}"
            )
    for one in wrong:
        print(f"  {one.column}: {one.why}")
