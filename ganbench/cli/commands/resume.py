"""`ganbench resume`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

import ganbench
from ganbench.cli import options
from ganbench.errors import GanbenchError, RunError


@click.command("resume")
@options.run_dir
@options.fail_fast
@options.max_time
@options.columns
@options.as_json
@options.quiet
def command(
    run_dir: Path,
    fail_fast: bool,
    max_time: float | None,
    columns: list[str] | None,
    as_json: bool,
    quiet: bool,
) -> int:
    """Finish the run in RUN_DIR that was interrupted or had failures.

    Trials that are ok or diverged are done, but for metrics that raised, which are asked again;
    those that failed, ran out of time or were never finished start again from their last checkpoint
    or their beginning. The plugins that the run was begun with are imported,
    from where they were: resume no run of a stranger's.
    """
    from ganbench.cli.running import check_columns, finish
    from ganbench.models.parts import check_sources
    from ganbench.records.run_folder import Run
    from ganbench.registry import registry

    run = Run.read(run_dir)
    found = registry.load(run.info.execution.plugins)
    try:
        check_sources((spec for cell in run.plan.cells for spec in cell.specs()), found)
    except GanbenchError as error:
        raise RunError(f"{run.directory}: {error}") from error
    check_columns(run.plan, found, columns)
    begun = run.info.provenance.ganbench or ganbench.__version__
    if begun != ganbench.__version__:
        print(
            f"note: begun with ganbench {begun}, and goes on with {ganbench.__version__}; each "
            "result.json says which one ran it",
            file=sys.stderr,
        )
    return finish(
        run,
        found,
        fail_fast=fail_fast,
        max_time=max_time,
        columns=columns,
        as_json=as_json,
        quiet=quiet,
    )
