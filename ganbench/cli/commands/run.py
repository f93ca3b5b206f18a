"""`ganbench run`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import completion, detached, options, shipped_files
from ganbench.cli.output import tell
from ganbench.cli.running import check_columns, executed, finish

if TYPE_CHECKING:
    from ganbench.runs.at_once import Jobs
    from ganbench.runs.benchmark import BenchmarkArguments


@click.command("run")
@options.benchmark
@options.continues
@options.jobs
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder.")
@click.option(
    "--list",
    "listed",
    is_flag=True,
    is_eager=True,
    help="List the benchmarks that come with ganbench, and run none.",
)
@click.option(
    "--with",
    "samples",
    multiple=True,
    metavar="[NAME=]SAMPLES",
    help="Judge these samples from elsewhere as a row of the same table; may be repeated.",
)
@options.key_values(
    "How samples of --with are read, as in resolution=32, range=[0,1] or labels=none."
)
@options.allow_other_versions("Of a model of --with")
@click.option(
    "--reuse",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="FOLDER",
    shell_complete=completion.runs,
    help="Take trials that runs in it hold already, of this platform and data; may be repeated.",
)
@click.option(
    "--until-decided",
    is_flag=True,
    help="Buy seeds, a batch at a time, for cells that are tied and within reach.",
)
@click.option(
    "--max-seeds",
    type=click.IntRange(min=2),
    default=20,
    show_default=True,
    metavar="N",
    help="Of each cell, with --until-decided.",
)
@click.option("--metric", metavar="COLUMN", help="What --until-decided goes by; else the first.")
@options.offline
@options.fail_fast
@options.max_time
@click.option("--detach", is_flag=True, help="Leave it to run by itself, and say how to follow it.")
@options.columns
@options.as_json
@options.quiet
def command(
    arguments: BenchmarkArguments,
    jobs: Jobs | None,
    out: Path | None,
    listed: bool,
    samples: tuple[str, ...],
    settings: tuple[str, ...],
    reuse: tuple[Path, ...],
    until_decided: bool,
    max_seeds: int,
    metric: str | None,
    allow_other_versions: bool,
    fail_fast: bool,
    max_time: float | None,
    detach: bool,
    columns: list[str] | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run a benchmark FILE and print the finished tables.

    FILE is a path, or the name of a benchmark that comes with ganbench, such as cgan_mnist.
    Results go to results/NAME/TIME, or to --out. A run that is stopped is finished by
    `ganbench resume`. With --continue each cell goes on from where RUN, whose file had
    execution.keep_state: true, ended with the same one at a smaller budget. Samples that
    others made stand in the table where their number, shape and classes are those of the benchmark;
    they are read as `ganbench evaluate` reads them, and all of them as -o says, but for trained
    models. With --reuse a cell and seed that a finished run holds, of the same ids, versions,
    platform and data, is linked or copied and not trained, which the table says.
    With --until-decided as many seeds as the file begins with are bought again and again for the
    cells that no test tells apart yet and that could be, with the chance of any false decision kept
    below 0.05 over all looks and pairs; stopped, and typed again, it goes on where it was.
    """
    if listed:
        shipped_files.show(as_json=as_json)
        return 0
    from ganbench.runs import benchmark

    if detach and until_decided:
        raise click.UsageError("--detach trains what is planned; --until-decided plans on the way")
    if detach and (as_json or columns):
        raise click.UsageError("--detach prints no table; --json and --columns are for `show`")
    if settings and not samples:
        raise click.UsageError(f"-o {settings[0]}: says how samples of --with are read; name some")
    if allow_other_versions and not samples:
        raise click.UsageError("--allow-other-versions: of a model of --with; name one")
    if reuse:
        from ganbench.runs import reusing

        reusing.check(reuse)
    prepared = benchmark.prepare(arguments, tell)
    if samples:
        from ganbench.cli.commands.datasets.chosen import reading_options
        from ganbench.runs.evaluating import with_samples

        read_by = reading_options(settings)
        prepared = with_samples(
            prepared, samples, read_by, allow_other_versions=allow_other_versions
        )
    check_columns(prepared.plan, prepared.registry, [*(columns or ()), *filter(None, [metric])])
    if until_decided:
        from ganbench.runs.deciding import Deciding

        deciding = Deciding(metric, max_seeds)
        deciding.check(prepared.plan)
    run = benchmark.begin(prepared, arguments, jobs=jobs, out=out)
    if until_decided and (sentence := deciding.goes_on(run)):
        tell(logging.INFO, sentence)
    if reuse:
        run, sentences = reusing.reuse(run, reuse, prepared.registry)
        for sentence in sentences:
            tell(logging.INFO, sentence)
    if detach:
        return detached.leave(run.directory, fail_fast=fail_fast, max_time=max_time)
    if until_decided:
        run = deciding.decided(
            run,
            lambda one: executed(
                one, prepared.registry, quiet=quiet, fail_fast=fail_fast, max_time=max_time
            ),
        )
    return finish(
        run,
        prepared.registry,
        fail_fast=fail_fast,
        max_time=max_time,
        columns=columns,
        as_json=as_json,
        quiet=quiet,
    )
