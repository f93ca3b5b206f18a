"""`ganbench datasets verify`."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from ganbench.cli.commands.datasets import bars, chosen
from ganbench.cli.exit_codes import OK, TRIAL_FAILED
from ganbench.cli.output import print_json
from ganbench.errors import DataError

if TYPE_CHECKING:
    from pathlib import Path

    from ganbench.cli.commands.datasets.chosen import Chosen


SHOWN = 20  # of what is damaged


@click.command("verify")
@chosen.arguments
def command(
    target: str,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    trusts_file: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Read all of the data set NAME, or of a FOLDER, again, and say what is damaged.

    Files are held to the checksums that are known of them, and every image is read. Nothing is
    downloaded. Exit code 3 where anything is damaged.
    """
    from ganbench.util import files

    os.environ["GANBENCH_OFFLINE"] = "1"  # what is missing must not be brought by looking for it
    subject = chosen.chosen(target, settings, plugins, trusts_file=trusts_file)
    root = files.data()
    status = subject.dataset.status(root)
    if not status.present and os.path.isfile(target):
        return _told(subject.label, status.location, [status.note], as_json)
    if not status.present:
        raise DataError(
            f"{subject.label}: not here: {status.note or status.location}; `ganbench datasets "
            f"prepare {target}` brings what can be had"
        )
    with bars.shown(quiet):
        damaged = _damaged(subject, root)
    return _told(subject.label, status.location, damaged, as_json)


def _told(label: str, location: str, damaged: list[str], as_json: bool) -> int:
    if as_json:
        print_json({"name": label, "location": location, "damaged": damaged})
    else:
        _print(label, location, damaged)
    return TRIAL_FAILED if damaged else OK


def _damaged(subject: Chosen, root: Path) -> list[str]:
    """By what the data set knows of its files; where these are right, by loading everything."""
    from ganbench.cli.commands.datasets import findings

    if found := list(subject.dataset.damage(root)):
        return found
    status = subject.dataset.status(root)
    if status.verified is False:
        return [status.note]
    try:
        return findings.examined(subject, root).skipped
    except DataError as error:
        return [str(error)]


def _print(label: str, location: str, damaged: list[str]) -> None:
    where = "" if os.path.basename(location) == label else f"; {location}"
    if not damaged:
        print(f"{label}: all of it was read, and nothing is damaged{where}")
        return
    print(f"{label}: damaged{where}")
    for line in damaged[:SHOWN]:
        print(f"  - {line}")
    if len(damaged) > SHOWN:
        print(f"  and {len(damaged) - SHOWN:,} more; --json lists all")
