"""`ganbench compare`."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from ganbench.cli import completion, options
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
from ganbench.errors import RunError


@click.command("compare")
@click.argument(
    "baseline", type=click.Path(path_type=Path), shell_complete=completion.runs_or_files
)
@click.argument(
    "candidate", type=click.Path(path_type=Path), shell_complete=completion.runs_or_files
)
@gate_options
@click.option("--all", "everything", is_flag=True, help="Show the numbers that are not gated too.")
@github_summary
@options.as_json
def command(
    baseline: Path,
    candidate: Path,
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
    """
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
