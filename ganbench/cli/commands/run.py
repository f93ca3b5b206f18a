"""`ganbench run`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options
from ganbench.cli.exit_codes import OK, TRIAL_FAILED

if TYPE_CHECKING:
    from ganbench.contracts.reporters import Reporter
    from ganbench.records.run_folder import Outcome, Run
    from ganbench.registry.registry import Registry


@click.command("run")
@options.benchmark
@click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="Trials at once.")
@click.option("--out", type=click.Path(path_type=Path), metavar="DIR", help="The run's folder.")
@options.offline
@click.option("--fail-fast", is_flag=True, help="Stop at the first trial that is not ok.")
@options.as_json
@options.quiet
def command(
    file: Path,
    profile: str | None,
    overrides: tuple[str, ...],
    seeds: str | None,
    only: tuple[str, ...],
    plugins: tuple[str, ...],
    trusts_file: bool,
    device: str,
    jobs: int | None,
    out: Path | None,
    fail_fast: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Run a benchmark FILE and print the finished tables.

    Results go to results/NAME/TIME, or to --out. A run that is stopped is finished by
    `ganbench resume`.
    """
    loaded = options.load(file, profile, overrides, seeds, only, plugins, trusts_file, device)
    run = begun(loaded, file, profile, overrides, jobs, out)
    return finish(run, loaded.registry, fail_fast=fail_fast, as_json=as_json, quiet=quiet)


def begun(
    loaded: options.Loaded,
    file: Path,
    profile: str | None,
    overrides: tuple[str, ...],
    jobs: int | None,
    out: Path | None,
) -> Run:
    """The run's folder, with everything but results in it."""
    from ganbench.runs import runner

    execution = loaded.config.run.execution
    order = runner.Order(
        loaded.config, file, profile, overrides, loaded.plugins, jobs or execution.jobs
    )
    directory = out or runner.default_directory(loaded.plan.name)
    return runner.create(directory, loaded.plan, order, loaded.registry)


def executed(
    run: Run, registry: Registry, *, quiet: bool, fail_fast: bool = False
) -> list[Outcome]:
    """Run what is left; whoever interrupts is told how to go on."""
    from ganbench.cli import Terminated
    from ganbench.cli.progress import observer
    from ganbench.runs import runner

    try:
        return runner.execute(run, registry, observer(quiet), fail_fast=fail_fast)
    except (KeyboardInterrupt, Terminated):
        print(f"stopped; to finish: ganbench resume {run.directory}", file=sys.stderr)
        raise


def finish(run: Run, registry: Registry, *, fail_fast: bool, as_json: bool, quiet: bool) -> int:
    """Run what is left, write and print the tables, and say how it went."""
    outcomes = executed(run, registry, quiet=quiet, fail_fast=fail_fast)
    show(run, registry, as_json=as_json)
    if not as_json:
        names = ("report.html", "table.md", "table.csv", "table.json", "results.csv")
        written = [name for name in names if (run.directory / name).exists()]
        print(f"\nresults:  {run.directory}/{', '.join(written)}")
        pictured = [o for o in outcomes if (o.directory / "samples.png").exists()]
        if pictured:
            print(f"pictures: {run.directory}/trials/*/samples.png")
    return exit_code(outcomes)


def show(run: Run, registry: Registry, *, as_json: bool) -> None:
    """Through the run's reporters; with --json, the console's answer is the JSON document."""
    from ganbench.runs import runner

    chosen = [r for r in run.about["reporters"] if not (as_json and r["name"] == "console")]
    reporters: Sequence[Reporter] = [
        registry.build("reporter", r["name"], r["options"]) for r in chosen
    ]
    report = runner.report(run, registry, reporters)
    if as_json:
        table = report.table.plain()
        options.print_json({"run": str(run.directory), "id": run.about["id"], **table})


def exit_code(outcomes: Sequence[Outcome]) -> int:
    """3 where a trial has no good end, or none was measured at all."""
    statuses = {o.status for o in outcomes}
    bad = statuses & {"failed", "diverged", "timeout", "unfinished"}
    return TRIAL_FAILED if bad or "ok" not in statuses else OK
