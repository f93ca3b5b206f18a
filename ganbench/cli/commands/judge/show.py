"""`ganbench judge show`."""

from __future__ import annotations

from pathlib import Path

import click

from ganbench.cli import options
from ganbench.cli.output import print_json


@click.command("show")
@click.argument("directory", metavar="FOLDER", type=click.Path(path_type=Path))
@options.as_json
def command(directory: Path, as_json: bool) -> int:
    """Print the card of the judge in a FOLDER: accuracy by class, confusion, data, recipe."""
    from ganbench.evaluation.judges import judge as folders

    card = folders.read(directory).card
    if as_json:
        print_json({"path": str(directory), **vars(card)})
    else:
        print(folders.text(card), end="")
    return 0
