"""`ganbench noise`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options, streams
from ganbench.cli.gating import policy_of, side
from ganbench.cli.output import print_json, tell
from ganbench.cli.running import executed
from ganbench.errors import BaselineError, ConfigError, MeasurementError

if TYPE_CHECKING:
    from ganbench.gate.comparison import Tolerance
    from ganbench.gate.sensitivity import Analysis, FalseAlarms, Sensitivity
    from ganbench.records.run_folder import Run
    from ganbench.runs.at_once import Jobs
    from ganbench.runs.benchmark import BenchmarkArguments

ASSUMES = (
    "candidates are drawn from the measured values, smoothed, and all shifted by the same amount "
    "for the worse; the banked values are the measured ones"
)


@click.command("noise")
@options.benchmark_or_run
@click.option(
    "--candidates", type=click.IntRange(min=1), default=3, show_default=True, metavar="N",
    help="Seeds that the gate will be shown.",
)  # fmt: skip
@click.option(
    "--power", type=click.FloatRange(0, 1, True, True), default=0.8, show_default=True,
    help="The probability with which a change must be seen.",
)  # fmt: skip
@click.option("--gate", "metrics", multiple=True, metavar="METRIC", help="As with `compare`.")
@click.option("--alpha", type=click.FloatRange(0, 1, True, True), help="Else the file's, 0.05.")
@options.jobs
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder.")
@click.option("--all", "everything", is_flag=True, help="Show the numbers that are not gated too.")
@options.as_json
@options.quiet
def command(
    arguments: BenchmarkArguments,
    candidates: int,
    power: float,
    metrics: tuple[str, ...],
    alpha: float | None,
    jobs: Jobs | None,
    out: Path | None,
    everything: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Say how small a change the gate can see in FILE: a benchmark, a run's folder or a baseline.

    A benchmark is run first, with its seeds or --seeds; the run is kept, and can be banked. Of each
    quality number come the spread between seeds, the smallest shift that a comparison of
    --candidates seeds with them detects, and a tolerance to write into the file.
    """
    source = arguments.file
    if source.is_dir() or source.suffix == ".json":
        _refuse(arguments, jobs, out)
    else:
        source = _run(arguments, jobs, out, quiet=quiet).directory

    from ganbench.gate import sensitivity

    found, gate, _ = side(source)
    policy = policy_of(gate, metrics, (), alpha, [found])
    analysis = sensitivity.analyse(found, policy, candidates=candidates, power=power)
    if not analysis.numbers:
        raise BaselineError(
            f"{source}: no quality number with a better way has a value here; timings differ from "
            "job to job, and `ganbench ab` judges them"
        )
    if as_json:
        print_json(_plain(str(source), analysis))
    else:
        _print(str(source), analysis, everything=everything)
    return 0


def _refuse(arguments: BenchmarkArguments, jobs: Jobs | None, out: Path | None) -> None:
    """Refuse what decides a run, where one is there already."""
    given = {
        "--profile": arguments.profile,
        "--set": arguments.overrides,
        "--seeds": arguments.seeds,
        "--only": arguments.only,
        "--plugin": arguments.plugins,
        "--device": arguments.device != "auto",
        "--jobs": jobs,
        "--out": out,
    }
    useless = [name for name, value in given.items() if value]
    if useless:
        raise ConfigError(
            f"{', '.join(useless)}: what is measured already cannot be changed; name a benchmark "
            "file, or leave it out"
        )


def _run(arguments: BenchmarkArguments, jobs: Jobs | None, out: Path | None, *, quiet: bool) -> Run:
    """As `ganbench run` does, without its tables. Raises MeasurementError unless all went well."""
    from ganbench.runs import benchmark

    prepared = benchmark.prepare(arguments, tell)
    run = benchmark.begin(prepared, arguments, jobs=jobs, out=out)
    outcomes = executed(run, prepared.registry, quiet=quiet)
    bad = [o for o in outcomes if o.status.lacks_result]
    if bad:
        raise MeasurementError(
            f"{run.directory}: {bad[0].trial.subject.label} {bad[0].status}: {bad[0].reason}; "
            f"`ganbench resume {run.directory}`, then `ganbench noise {run.directory}`"
        )
    return run


def _plain(source: str, analysis: Analysis) -> dict[str, Any]:
    return {
        "source": source,
        "candidates": analysis.design.candidates,
        "power": analysis.design.power,
        "alpha": analysis.design.alpha,
        "family": analysis.family,
        "assumes": ASSUMES,
        "numbers": [_plain_number(number) for number in analysis.numbers],
        "tolerances": {k: {"rel": t.rel, "abs": t.abs} for k, t in analysis.tolerances.items()},
        "yaml": yaml(analysis.tolerances),
        "a_a": _plain_alarms(analysis.false_alarms),
        "a_a_with_tolerances": _plain_alarms(analysis.false_alarms_with_tolerances),
        "warnings": list(analysis.warnings),
    }


def _plain_number(number: Sensitivity) -> dict[str, Any]:
    return {
        "cell": number.cell,
        "label": number.label,
        "metric": number.metric,
        "unit": number.unit,
        "direction": number.direction,
        "gated": number.gated,
        "n": len(number.values),
        "median": number.median,
        "sd": number.sd,
        "mad": number.mad,
        "seen": number.mde,
        "seen_part": number.part(number.mde),
        "seen_with_tolerance": number.mde_with_tolerance,
        "reason": number.reason,
    }


def _plain_alarms(found: FalseAlarms | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "splits": found.splits,
        "candidates": found.candidates,
        "banked": found.banked,
        "false_alarms": found.alarms,
        "false_alarm_share": found.alarms / found.splits,
        "outcomes": found.words,
    }


def yaml(tolerances: dict[str, Tolerance]) -> str:
    """Return tolerances as the benchmark file has them."""
    if not tolerances:
        return ""
    lines = [
        f"    {name}: " + (f"{t.rel:g}" if not t.abs else f"{{abs: {t.abs:g}}}")
        for name, t in tolerances.items()
    ]
    return "\n".join(["gate:", "  tolerances:", *lines])


def _print(source: str, analysis: Analysis, *, everything: bool) -> None:
    from rich.table import Table

    console = streams.console(pipe_width=160)
    shown = [n for n in analysis.numbers if n.gated or everything] or list(analysis.numbers)
    candidates = analysis.design.candidates
    table = Table(
        title=f"{source}: what {candidates} candidates can show",
        title_justify="left",
    )
    for head in ("cell", "number"):
        table.add_column(head)
    for head in ("n", "median", "sd", "MAD", "seen from", "part", "tolerance", "then from"):
        table.add_column(head, justify="right")
    for number in shown:
        table.add_row(*_row(number, analysis))
    console.print(table)
    for line in _sentences(analysis, hidden=len(analysis.numbers) - len(shown)):
        print(line)
    if analysis.tolerances:
        print(f"\nto suggest:\n\n{yaml(analysis.tolerances)}")
    for warning in analysis.warnings:
        print(f"warning: {warning}")


def _row(number: Sensitivity, analysis: Analysis) -> list[str]:
    suggested = analysis.tolerances.get(number.metric)
    part = number.part(number.mde)
    return [
        number.label,
        number.metric,
        str(len(number.values)),
        f"{number.median:.4g}",
        _digits(number.sd),
        _digits(number.mad),
        _digits(number.mde) if number.mde is not None else "never",
        f"{100 * part:.1f} %" if part is not None else "",
        _digits(suggested.of(number.median)) if suggested else "",
        _digits(number.mde_with_tolerance),
    ]


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _sentences(analysis: Analysis, hidden: int) -> list[str]:
    numbers = f"{analysis.family} gated number{'s' if analysis.family > 1 else ''}"
    design = analysis.design
    lines = [
        f"seen from: the smallest shift for the worse that is found with probability "
        f"{design.power:g} (exact test at {design.alpha:g} after Holm over {numbers}, tolerance "
        "0); then from: with the suggested tolerance",
        f"assumed: {ASSUMES}",
    ]
    for found, which in (
        (analysis.false_alarms, "as it is"),
        (analysis.false_alarms_with_tolerances, "with the suggested tolerances"),
    ):
        if found is not None:
            lines.append(
                f"A/A {which}: {found.alarms} false alarms in {found.splits} splits of the seeds "
                f"({found.candidates} against {found.banked}): {_shares(found)}"
            )
    if hidden:
        lines.append(f"note: {hidden} numbers not gated; --all shows them")
    return lines


def _shares(found: FalseAlarms) -> str:
    total = sum(found.words.values())
    return ", ".join(f"{100 * n / total:.0f} % {o}" for o, n in sorted(found.words.items()))
