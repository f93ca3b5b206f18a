"""`ganbench datasets prepare`."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import options
from ganbench.cli.commands.datasets import bars, chosen
from ganbench.cli.output import print_json
from ganbench.errors import DataError

if TYPE_CHECKING:
    from ganbench.contracts.datasets import Dataset


@click.command("prepare")
@chosen.arguments
@options.offline
def command(
    target: str,
    settings: tuple[str, ...],
    plugins: tuple[str, ...],
    trusts_file: bool,
    as_json: bool,
    quiet: bool,
) -> int:
    """Bring the data set NAME, or decode the pictures of a FOLDER, and say what is in it.

    What is not here is downloaded, checked and unpacked; pictures are decoded once. Runs find it
    ready. A .zip is a folder; another file in its place is read as `tensor` does. The line of a
    benchmark file that means the same is shown last. Where a train.csv, or a single CSV file, lies
    in the folder, the lines are shown that take labels from it.
    """
    from ganbench.cli.commands.datasets import findings
    from ganbench.util import files

    subject = chosen.chosen(target, settings, plugins, trusts_file=trusts_file)
    with bars.shown(quiet):
        found = findings.examined(subject, files.data())
    offer, why = _offer(subject.dataset)
    if as_json:
        print_json(
            {
                **found.plain(),
                "problems": found.problems,
                "dataset": chosen.as_mapping(subject.dataset),
                "offer": offer,
            }
        )
        return 0
    for part in (findings.lines, findings.table, findings.problem_lines):
        for line in part(found):
            print(line)
    print(f"to paste: {_line(chosen.as_mapping(subject.dataset))}")
    if offer:
        print(f"labels:   {offer['csv']} has some; these lines of a benchmark file take them:")
        print(textwrap.indent(_as_yaml(offer), "  "), end="")
    elif why:
        print(f"labels:   none to take: {why}")
    return 0


def _offer(dataset: Dataset) -> tuple[dict[str, Any] | None, str]:
    """Return what takes the labels of a CSV file in the folder, or why nothing does."""
    from ganbench.cli.commands.datasets.offered import offered
    from ganbench.default_plugins.datasets.image_folder import ImageFolder

    if not isinstance(dataset, ImageFolder):
        return None, ""
    try:
        return offered(dataset.path), ""
    except DataError as error:
        return None, str(error)


def _line(dataset: dict[str, Any]) -> str:
    """Return `dataset: {…}` in one line."""
    import json

    import yaml

    plain = json.loads(json.dumps(dataset))  # without tuples
    flow = yaml.safe_dump(plain, default_flow_style=True, sort_keys=False, width=10**6)
    return f"dataset: {flow.strip()}"


def _as_yaml(dataset: dict[str, Any]) -> str:
    import yaml

    return yaml.safe_dump({"dataset": dataset}, sort_keys=False, allow_unicode=True)
