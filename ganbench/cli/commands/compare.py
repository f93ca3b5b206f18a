"""`ganbench compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click
from click.core import ParameterSource

from ganbench.cli import completion, exit_codes, options
from ganbench.cli.garbage import uncollected
from ganbench.cli.gating import (
    GATES_DIFFER,
    conclude,
    gate_options,
    github_summary,
    parse_fail_on,
    policy_of,
    side,
)
from ganbench.cli.output import print_json
from ganbench.errors import BaselineError, RunError


@click.command("compare")
@click.argument(
    "places",
    metavar="BASELINE CANDIDATE",
    nargs=-1,
    type=click.Path(path_type=Path),
    shell_complete=completion.runs_or_files,
)
@click.option(
    "--history",
    "as_history",
    is_flag=True,
    help="Show numbers over the commits of a baseline's file, or over the runs and baselines "
    "named, with marks where they changed.",
)
@gate_options
@click.option("--all", "everything", is_flag=True, help="Show the numbers that are not gated too.")
@github_summary
@options.as_json
@click.pass_context
def command(
    ctx: click.Context,
    places: tuple[Path, ...],
    as_history: bool,
    fail_on: str,
    inconclusive: str,
    metrics: tuple[str, ...],
    tolerances: tuple[str, ...],
    alpha: float | None,
    everything: bool,
    github_summary: bool,
    as_json: bool,
) -> int:
    """Compare the run in CANDIDATE with BASELINE, a banked file or another run.

    Worse counts where it is by more than the tolerance and an exact one-sided test says so, with
    the chance of any false alarm among all gated numbers kept below alpha.

    With --history, one baseline's file is shown as it was at each commit that changed it, and
    several runs or baselines by the time they were made. A number is marked where the same test
    tells what is before from what is after, with the chance of any mark in a history in which
    nothing changed kept below alpha.
    """
    if as_history:
        _check_history(ctx, places)
        return _history(places, metrics, tolerances, alpha, everything=everything, as_json=as_json)
    if len(places) != 2:
        what = "Missing argument" if len(places) < 2 else "One argument too many"
        raise click.UsageError(
            f"{what}: expected BASELINE and CANDIDATE, found {len(places)}; --history takes one "
            "baseline's file, or several runs",
            ctx,
        )
    baseline, candidate = places
    from ganbench.gate.compare import compare
    from ganbench.reports import github

    wanted = parse_fail_on(fail_on)
    page = github.place() if github_summary else None
    with uncollected():
        then, gate, _ = side(baseline)
    if not candidate.exists():
        raise RunError(f"{candidate}: there is no such run; `ganbench list` shows the runs")
    now, own, _ = side(candidate)
    policy = policy_of(own or gate, metrics, tolerances, alpha, [then, now])
    with uncollected():
        found = compare(then, now, policy, (str(baseline), str(candidate)))
    if gate and own and gate != own:
        found = replace(found, notes=(*found.notes, GATES_DIFFER))
    return conclude(found, wanted, inconclusive, everything=everything, as_json=as_json, page=page)


def _check_history(ctx: click.Context, places: tuple[Path, ...]) -> None:
    """Raise UsageError for what a history has no use for."""
    for name in ("fail_on", "inconclusive", "github_summary"):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            option = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{option}: a history shows, and decides nothing", ctx)
    if not places or (len(places) == 1 and places[0].is_dir()):
        raise click.UsageError(
            "--history: name one baseline's file, whose commits are shown, or several runs or "
            "baselines",
            ctx,
        )


def _history(
    places: tuple[Path, ...],
    metrics: tuple[str, ...],
    tolerances: tuple[str, ...],
    alpha: float | None,
    *,
    everything: bool,
    as_json: bool,
) -> int:
    from ganbench.cli import histories
    from ganbench.gate import history

    notes: list[str] = []
    with uncollected():
        if len(places) == 1:
            points, notes = history.of_file(places[0])
        else:
            points = history.of_places(places)
    if not points:
        raise BaselineError("; ".join([f"{places[0]}: nothing of it can be read", *notes]))
    sides = [point.measurements for point in points]
    policy = policy_of(points[-1].gate, metrics, tolerances, alpha, sides)
    with uncollected():
        found = history.history(points, policy, notes)
    code = exit_codes.OK if len(points) > 1 else exit_codes.NOT_COMPARABLE
    if as_json:
        print_json({**histories.plain(found, everything=everything), "exit_code": code})
    else:
        histories.show(found, everything=everything)
    return code
