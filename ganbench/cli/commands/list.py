"""`ganbench list`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import click

from ganbench.cli import options
from ganbench.cli.output import print_json


@click.command("list")
@click.argument("root", type=click.Path(path_type=Path), default=Path("results"))
@options.as_json
def command(root: Path, as_json: bool) -> int:
    """List the runs under ROOT (results), the newest last."""
    from ganbench.records.run_folder import below

    runs = sorted((_summary(path) for path in below(root)), key=lambda run: run["created"])
    if as_json:
        print_json(runs)
        return 0
    if not runs:
        print(f"no runs under {root}; `ganbench run cgan_mnist` makes one")
    for run in runs:
        states = ", ".join(f"{count} {status}" for status, count in run["trials"].items())
        data = ", ".join(run["datasets"])
        print(f"{run['created']}  {run['name']}  {run['directory']}  {states}  {data}".rstrip())
    return 0


def _summary(directory: Path) -> dict[str, Any]:
    """From files alone: no plugin is loaded."""
    from ganbench.records import run_folder

    info = run_folder.info_in(directory)
    statuses = Counter(run_folder.result_in(trial).status.value for trial in _trials(directory))
    return {
        "directory": str(directory),
        "name": (info and info.name) or "?",
        "id": (info and info.id) or "?",
        "created": (info and info.created) or "?",
        "trials": dict(statuses),
        "datasets": run_folder.datasets_in(directory),
    }


def _trials(directory: Path) -> list[Path]:
    trials = directory / "trials"
    return sorted(trials.iterdir()) if trials.is_dir() else []
