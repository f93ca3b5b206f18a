"""`ganbench judge`, and the commands below it."""

from __future__ import annotations

import click

from ganbench.cli.lazy_group import LazyGroup

COMMANDS = {
    "train": "Train one on a data set, a folder of pictures, a CSV file or arrays.",
    "show": "Print the card of one: how good it is, class by class.",
}


@click.group("judge", cls=LazyGroup, package=__name__, summaries=COMMANDS)
def command() -> None:
    """Judges say of images what classes they are of, for mode coverage and conditional accuracy.

    `evaluation: {judge: FOLDER}` of a benchmark file uses one; `judge: auto` trains it by itself.
    """
