"""`ganbench results submit`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import options
from ganbench.cli.exit_codes import OK
from ganbench.cli.output import print_json

if TYPE_CHECKING:
    from ganbench.archive.submission import Submission

SHOWN = 20


@click.command("submit")
@options.run_dir
@click.option(
    "--to",
    "repository",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="FOLDER",
    help="The folder of a repository of results.",
)
@click.option("--yes", is_flag=True, help="Write without asking, as --json needs.")
@click.option("--dry-run", is_flag=True, help="Show what would leave, and write nothing.")
@options.as_json
def command(run_dir: Path, repository: Path, yes: bool, dry_run: bool, as_json: bool) -> int:
    """Add the run in RUN_DIR to a repository of results, which `ganbench results site` shows.

    Its results are checked, and paths and the names of this user and machine are taken out of
    them; what leaves is shown first. Weights and logs stay here, and so does the code of plugins,
    but for files of --plugin that cells are made of, which import nothing beside them. Where the
    repository has no workflow yet, one is laid down that checks each submission and trains a random
    trial of it again. Nothing is uploaded.
    """
    from ganbench.archive import submission, workflow
    from ganbench.records.run_folder import Run

    found = submission.prepared(Run.read(run_dir))
    laid = workflow.missing(repository)
    if not as_json:
        _show(found, repository)
        if laid:
            print(f"  {laid[0]}, a workflow that checks each submission", file=sys.stderr)
    asks = not (yes or dry_run or as_json)
    sure = click.confirm("Write these files?", err=True) if asks else yes and not dry_run
    if sure:
        submission.write(found, repository)
        workflow.lay_down(repository)
    if as_json:
        about = {"files": found.names, "removed": list(found.removed), "notes": list(found.notes)}
        place = {"place": str(repository / found.place), "workflow": laid and str(laid[0])}
        print_json({**place, "written": sure, **about})
    elif sure:
        print(repository / found.place)
        print(f"to publish it: git -C {repository} add {found.place}, commit, and open a request")
    return OK


def _show(found: Submission, repository: Path) -> None:
    print(f"{repository / found.place}: {len(found.names):,} files", file=sys.stderr)
    for names, what in ((found.names, ""), (found.removed, "taken out: ")):
        for name in names[:SHOWN]:
            print(f"  {what}{name}", file=sys.stderr)
        if len(names) > SHOWN:
            print(f"  {what}… and {len(names) - SHOWN:,} more", file=sys.stderr)
    for note in found.notes:
        print(f"note: {note}", file=sys.stderr)
