"""`ganbench results`, and the commands below it."""

from __future__ import annotations

import click

from ganbench.cli.lazy_group import LazyGroup

COMMANDS = {
    "merge": "Write one run that has the trials of several.",
    "rank": "Rank variants over data sets and seeds, and say which no test tells apart.",
    "submit": "Add a run to a repository of results, checked and without private paths.",
    "check": "Hold a repository of results to its schema, hashes and layout.",
    "retrain": "Train a random trial of each run of a repository again, and compare.",
    "site": "Write a static leaderboard over all runs in a folder.",
}


@click.group("results", cls=LazyGroup, package=__name__, summaries=COMMANDS)
def command() -> None:
    """Make one table of many runs: merge them, and rank what was trained in them."""
