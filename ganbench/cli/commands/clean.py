"""`ganbench clean`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from ganbench.cli import completion, options
from ganbench.cli.output import print_json
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from ganbench.runs.cleaning import Leftover


@click.command("clean")
@click.argument("runs", nargs=-1, type=click.Path(path_type=Path), shell_complete=completion.runs)
@click.option(
    "--older-than",
    type=click.FloatRange(min=0),
    metavar="DAYS",
    help="Of the runs, only those that began so many days ago.",
)
@click.option("--data", is_flag=True, help="Of the cache, downloads too.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@options.as_json
def command(
    runs: tuple[Path, ...], older_than: float | None, data: bool, yes: bool, as_json: bool
) -> int:
    """Remove RUNS, which are runs or folders of runs, or without any what the cache holds.

    What goes is shown, with its size, and asked about. Downloads stay unless --data is given. A run
    that was a baseline's, or whose models are in use, is gone like any other.
    """
    from ganbench.runs import cleaning

    if runs and data:
        raise click.UsageError("--data is of the cache; leave out the runs, or --data")
    if older_than is not None and not runs:
        raise click.UsageError("--older-than is of runs; name them, or the folder that has them")
    found = cleaning.of_runs(runs, older_than) if runs else cleaning.of_cache(downloads=data)
    total = sum(one.size for one in found)
    if not as_json:
        _show(found)
    if found and not yes and not _agreed(found, total):
        return 0
    for one in found:
        cleaning.remove(one)
    if as_json:
        print_json(
            {
                "removed": [
                    {"path": str(one.path), "what": one.what, "bytes": one.size} for one in found
                ],
                "bytes": total,
            }
        )
    elif found:
        print(f"removed: {_size(total)}")
    return 0


def _agreed(found: list[Leftover], total: int) -> bool:
    if not sys.stdin.isatty():
        raise click.UsageError("nobody can be asked here; add --yes to remove this")
    what = counted(len(found), "folder")
    return click.confirm(f"remove {what}, {_size(total)}?", err=True)


def _show(found: list[Leftover]) -> None:
    if not found:
        print("nothing to remove")
    for one in found:
        states = f"; {_size(one.of_states)} are states of trainings" if one.of_states else ""
        print(f"{_size(one.size):>9}  {one.path}  ({one.what}{states})")


def _size(count: int) -> str:
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:.1f} {unit}"
    return f"{count} bytes"
