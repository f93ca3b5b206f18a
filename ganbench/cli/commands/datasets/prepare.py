"""`ganbench datasets prepare`."""

from __future__ import annotations

import click

from ganbench.cli import options
from ganbench.cli.commands.datasets import bars, chosen
from ganbench.cli.output import print_json


@click.command("prepare")
@chosen.arguments
@options.offline
def command(
    target: str, settings: tuple[str, ...], plugins: tuple[str, ...], as_json: bool, quiet: bool
) -> int:
    """Bring the data set NAME, or decode the pictures of a FOLDER, and say what is in it.

    What is not here is downloaded, checked and unpacked; pictures are decoded once. Runs find it
    ready. A file in place of a folder is read as `tensor` does.
    """
    from ganbench.cli.commands.datasets import findings
    from ganbench.util import files

    subject = chosen.chosen(target, settings, plugins)
    with bars.shown(quiet):
        found = findings.examined(subject, files.data())
    if as_json:
        print_json({**found.plain(), "problems": found.problems})
        return 0
    for part in (findings.lines, findings.table, findings.problem_lines):
        for line in part(found):
            print(line)
    return 0
