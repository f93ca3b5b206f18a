"""`ganbench results check`."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ganbench.cli import options
from ganbench.cli.exit_codes import FAILED, OK
from ganbench.cli.output import print_json
from ganbench.util.messages import counted


@click.command("check")
@click.argument("repository", type=click.Path(path_type=Path))
@options.as_json
def command(repository: Path, as_json: bool) -> int:
    """Hold a REPOSITORY of results to what `ganbench results submit` writes.

    Each submission is read, and none of its code is run: its place, its files, that plan and
    results have their own SHA-256, protocols their ids and plugins the sources that cells name,
    that nothing names folders of a machine, and that every trial has a result. Ends with 1 where
    something is wrong, or where there is no submission.
    """
    from ganbench.archive import repository as repositories

    found, problems = repositories.check(repository)
    if not found:
        problems = [*problems, f"{repository}: no submission is in it"]
    if as_json:
        print_json({"submissions": [str(path) for path in found], "problems": problems})
    else:
        for problem in problems:
            print(problem, file=sys.stderr)
        wrong = counted(len(problems), "problem") if problems else "all as submitted"
        print(f"{repository}: {counted(len(found), 'submission')}, {wrong}")
    return FAILED if problems else OK
