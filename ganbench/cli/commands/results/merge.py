"""`ganbench results merge`."""

from __future__ import annotations

from pathlib import Path

import click

from ganbench.cli import options
from ganbench.cli.exit_codes import OK
from ganbench.cli.garbage import look_seldom_for_garbage
from ganbench.cli.output import print_json

WRITTEN = ("markdown", "csv", "json", "html")


@click.command("merge")
@options.run_dirs
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="A new folder."
)
@options.duplicates
@options.columns
@options.as_json
def command(
    places: tuple[Path, ...],
    out: Path,
    duplicates: str,
    columns: list[str] | None,
    as_json: bool,
) -> int:
    """Write one run that has the trials of several, by equal ids of cells and seeds.

    RUN is a run's folder, or one with runs below it. Trials that several have must agree. Runs
    whose protocols or data differ are refused, with what differs; a damaged run is left out, and
    the table says so. What trials ran on is a column where it differs, and speeds of different
    machines are not averaged. Files are linked where that is possible, so that the runs may be
    removed afterwards. The folder is a run like any other, but for what trains: it cannot be
    resumed.
    """
    look_seldom_for_garbage()
    from ganbench.archive import merge
    from ganbench.cli.many_runs import merged
    from ganbench.records.report import Report
    from ganbench.registry import registry

    one, runs = merged(places, duplicates)
    report = Report.of(merge.write(one, runs, out))
    reporters = registry.built_in_reporters()
    for name in WRITTEN:
        reporters.build("reporter", name, {}).write(report, out)
    if as_json:
        print_json({"run": str(out), "id": report.info.id, **report.table.plain()})
        return OK
    reporters.build("reporter", "console", {"columns": columns}).write(report, out)
    print(f"\n{out}")
    return OK
