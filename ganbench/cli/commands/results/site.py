"""`ganbench results site`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ganbench.cli import completion, options
from ganbench.cli.exit_codes import OK
from ganbench.cli.garbage import look_seldom_for_garbage
from ganbench.cli.output import print_json


@click.command("site")
@click.argument(
    "places",
    metavar="RUNS...",
    nargs=-1,
    required=True,
    type=click.Path(path_type=Path),
    shell_complete=completion.runs,
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), metavar="FOLDER", help="A new folder."
)
@options.as_json
def command(places: tuple[Path, ...], out: Path, as_json: bool) -> int:
    """Write a static leaderboard over all runs in folders.

    There is a board for each data set and protocol, with ranks, ties, numbers and what must be
    known to read them, and a page for each variant with its trials, samples and published numbers
    beside. No page loads anything from elsewhere and no code of a run is imported; a damaged run
    costs its own rows, and the first page says so.
    """
    look_seldom_for_garbage()
    from ganbench.archive import merge
    from ganbench.archive.boards import boards
    from ganbench.reports.site import pages

    runs, damaged = merge.read(places)
    found, left_out = boards(runs)
    left_out = [*damaged, *left_out]
    for why in left_out:
        print(f"warning: left out: {why}", file=sys.stderr)
    count = pages.write(out, found, runs, left_out)
    if as_json:
        print_json({"site": str(out), "pages": count, "boards": len(found), "left_out": left_out})
        return OK
    print(f"{out / 'index.html'}: {count:,} pages, {len(found)} boards of {len(runs)} runs")
    return OK
