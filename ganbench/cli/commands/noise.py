"""`ganbench noise`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options
from ganbench.cli.gating import policy_of, side
from ganbench.cli.output import print_json, tell
from ganbench.cli.running import executed
from ganbench.errors import BaselineError, ConfigError, MeasurementError

if TYPE_CHECKING:
    from ganbench.gate.compare import Tolerance
    from ganbench.gate.sensitivity import Noise, Report, Splits
    from ganbench.records.run_folder import Run
    from ganbench.runs.benchmark import BenchmarkArguments

ASSUMES = (
    "candidates are drawn from the measured values, smoothed, and all shifted by the same amount "
    "for the worse; the banked values are the measured ones"
)


@click.command("noise")
@options.benchmark
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
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Trials at once.")
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
    jobs: int | None,
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
    report = sensitivity.examine(found, policy, candidates=candidates, power=power)
    if not report.numbers:
        raise BaselineError(
            f"{source}: no quality number with a better way has a value here; timings differ from "
            "job to job, and `ganbench ab` judges them"
        )
    if as_json:
        print_json(_plain(str(source), report))
    else:
        _print(str(source), report, everything=everything)
    return 0


def _refuse(arguments: BenchmarkArguments, jobs: int | None, out: Path | None) -> None:
    """What decides a run has nothing to decide where one is there."""
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


def _run(arguments: BenchmarkArguments, jobs: int | None, out: Path | None, *, quiet: bool) -> Run:
    """As `ganbench run` does, without its tables. Raises MeasurementError unless all went well."""
    from ganbench.runs import benchmark

    prepared = benchmark.prepare(arguments, tell)
    run = benchmark.begin(prepared, arguments, jobs=jobs, out=out)
    outcomes = executed(run, prepared.registry, quiet=quiet)
    bad = [o for o in outcomes if o.status not in ("ok", "incompatible")]
    if bad:
        raise MeasurementError(
            f"{run.directory}: {bad[0].trial.subject.label} {bad[0].status}: {bad[0].reason}; "
            f"`ganbench resume {run.directory}`, then `ganbench noise {run.directory}`"
        )
    return run


def _plain(source: str, report: Report) -> dict[str, Any]:
    return {
        "source": source,
        "candidates": report.candidates,
        "power": report.power,
        "alpha": report.alpha,
        "family": report.family,
        "assumes": ASSUMES,
        "numbers": [_plain_number(number, report) for number in report.numbers],
        "tolerances": {k: {"rel": t.rel, "abs": t.abs} for k, t in report.tolerances.items()},
        "yaml": yaml(report.tolerances),
        "a_a": _plain_splits(report.splits),
        "a_a_with_tolerances": _plain_splits(report.splits_with_tolerances),
        "warnings": list(report.warnings),
    }


def _plain_number(number: Noise, report: Report) -> dict[str, Any]:
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
        "seen": number.seen,
        "seen_part": number.part(number.seen),
        "seen_with_tolerance": number.seen_with_tolerance,
        "reason": number.reason,
    }


def _plain_splits(found: Splits | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {
        "splits": found.count,
        "candidates": found.candidates,
        "banked": found.banked,
        "false_alarms": found.alarms,
        "false_alarm_share": found.alarms / found.count,
        "outcomes": found.outcomes,
    }


def yaml(tolerances: dict[str, Tolerance]) -> str:
    """For the benchmark file."""
    if not tolerances:
        return ""
    lines = [
        f"    {name}: " + (f"{t.rel:g}" if not t.abs else f"{{abs: {t.abs:g}}}")
        for name, t in tolerances.items()
    ]
    return "\n".join(["gate:", "  tolerances:", *lines])


def _print(source: str, report: Report, *, everything: bool) -> None:
    from rich.console import Console
    from rich.table import Table

    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = 160
    shown = [n for n in report.numbers if n.gated or everything] or list(report.numbers)
    table = Table(
        title=f"{source}: what {report.candidates} candidates can show", title_justify="left"
    )
    for head in ("cell", "number"):
        table.add_column(head)
    for head in ("n", "median", "sd", "MAD", "seen from", "part", "tolerance", "then from"):
        table.add_column(head, justify="right")
    for number in shown:
        table.add_row(*_row(number, report))
    console.print(table)
    for line in _sentences(report, hidden=len(report.numbers) - len(shown)):
        print(line)
    if report.tolerances:
        print(f"\nto suggest:\n\n{yaml(report.tolerances)}")
    for warning in report.warnings:
        print(f"warning: {warning}")


def _row(number: Noise, report: Report) -> list[str]:
    suggested = report.tolerances.get(number.metric)
    part = number.part(number.seen)
    return [
        number.label,
        number.metric,
        str(len(number.values)),
        f"{number.median:.4g}",
        _digits(number.sd),
        _digits(number.mad),
        _digits(number.seen) if number.seen is not None else "never",
        f"{100 * part:.1f} %" if part is not None else "",
        _digits(suggested.of(number.median)) if suggested else "",
        _digits(number.seen_with_tolerance),
    ]


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3g}"


def _sentences(report: Report, hidden: int) -> list[str]:
    numbers = f"{report.family} gated number{'s' if report.family > 1 else ''}"
    lines = [
        f"seen from: the smallest shift for the worse that is found with probability "
        f"{report.power:g} (exact test at {report.alpha:g} after Holm over {numbers}, tolerance "
        "0); then from: with the suggested tolerance",
        f"assumed: {ASSUMES}",
    ]
    for splits, which in (
        (report.splits, "as it is"),
        (report.splits_with_tolerances, "with the suggested tolerances"),
    ):
        if splits is not None:
            lines.append(
                f"A/A {which}: {splits.alarms} false alarms in {splits.count} splits of the seeds "
                f"({splits.candidates} against {splits.banked}): {_shares(splits)}"
            )
    if hidden:
        lines.append(f"note: {hidden} numbers not gated; --all shows them")
    return lines


def _shares(splits: Splits) -> str:
    total = sum(splits.outcomes.values())
    return ", ".join(f"{100 * n / total:.0f} % {o}" for o, n in sorted(splits.outcomes.items()))
