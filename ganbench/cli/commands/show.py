"""`ganbench show`."""

from __future__ import annotations

from pathlib import Path

import click

from ganbench.cli import options
from ganbench.cli.garbage import look_seldom_for_garbage
from ganbench.cli.output import print_json


@click.command("show")
@options.run_dir
@options.columns
@options.as_json
def command(run_dir: Path, columns: list[str] | None, as_json: bool) -> int:
    """Print the table of the run in RUN_DIR again; trials without a result show as unfinished."""
    look_seldom_for_garbage()
    from ganbench.records.report import Report
    from ganbench.records.run_folder import Run
    from ganbench.registry import registry

    run = Run.read(run_dir)
    report = Report.of(run)
    if as_json:
        print_json({"run": str(run_dir), "id": run.info.id, **report.table.plain()})
        return 0
    console = registry.built_in_reporters().build("reporter", "console", {"columns": columns})
    console.write(report, run.directory)
    return 0
