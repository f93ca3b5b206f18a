"""`ganbench resume`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options
from ganbench.errors import RunError

if TYPE_CHECKING:
    from ganbench.records import Run
    from ganbench.registry import Registry


@click.command("resume")
@click.argument("run_dir", type=click.Path(path_type=Path))
@click.option("--fail-fast", is_flag=True, help="Stop at the first trial that is not ok.")
@options.as_json
@options.quiet
def command(run_dir: Path, fail_fast: bool, as_json: bool, quiet: bool) -> int:
    """Finish the run in RUN_DIR that was interrupted or had failures.

    Trials that are ok or diverged are done; those that failed, ran out of time or were never
    finished start again from their beginning.
    """
    from ganbench import registry
    from ganbench.cli.run import finish
    from ganbench.records import Run

    run = Run.read(run_dir)
    found = registry.load(run.about["execution"]["plugins"])
    _check_sources(run, found)
    return finish(run, found, fail_fast=fail_fast, as_json=as_json, quiet=quiet)


def _check_sources(run: Run, registry: Registry) -> None:
    """Half a run with one version of a plugin and half with another compares nothing."""
    specs = [spec for cell in run.plan.cells for spec in cell.specs()]
    for spec in specs:
        now = str(registry.lookup(spec.kind, spec.name).source)
        if now != spec.source:
            raise RunError(
                f"{run.directory}: {spec.kind} '{spec.name}' was planned with {spec.source}, and "
                f"{now} is installed; install the former again, or start a new run"
            )
