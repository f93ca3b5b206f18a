"""`ganbench run`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options
from ganbench.cli.output import tell
from ganbench.cli.running import check_columns, finish

if TYPE_CHECKING:
    from ganbench.runs.benchmark import BenchmarkArguments


@click.command("run")
@options.benchmark
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Trials at once.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder.")
@options.offline
@click.option("--fail-fast", is_flag=True, help="Stop at the first trial that is not ok.")
@options.columns
@options.as_json
@options.quiet
def command(
    arguments: BenchmarkArguments,
    jobs: int | None,
    out: Path | None,
    fail_fast: bool,
    columns: list[str] | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run a benchmark FILE and print the finished tables.

    Results go to results/NAME/TIME, or to --out. A run that is stopped is finished by
    `ganbench resume`.
    """
    from ganbench.runs import benchmark

    prepared = benchmark.prepare(arguments, tell)
    check_columns(prepared.plan, prepared.registry, columns)
    run = benchmark.begin(prepared, arguments, jobs=jobs, out=out)
    return finish(
        run,
        prepared.registry,
        fail_fast=fail_fast,
        columns=columns,
        as_json=as_json,
        quiet=quiet,
    )
