"""`ganbench baseline`."""

from __future__ import annotations

from pathlib import Path

import click

from ganbench.cli import options
from ganbench.cli.output import print_json


@click.group("baseline")
def command() -> None:
    """Bank a run as the baseline that `ganbench compare` compares others with."""


@command.command("update")
@options.run_dir
@click.option("--reason", required=True, help="Why, for whoever reads the file's history.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="The file; else results/baselines/NAME.json."
)
@click.option(
    "--min-seeds", type=click.IntRange(min=1), help="Of gated quality numbers; else 10.", default=10
)
@options.as_json
def update(run_dir: Path, reason: str, out: Path | None, min_seeds: int, as_json: bool) -> int:
    """Write the run in RUN_DIR as a baseline, to be committed.

    Refused for runs with uncommitted changes, trials that did not end well, or too few seeds.
    """
    from ganbench.errors import BaselineError
    from ganbench.gate import baseline
    from ganbench.records.run_folder import Run
    from ganbench.util.messages import counted

    run = Run.read(run_dir)
    found = baseline.of(run, reason, min_seeds=min_seeds)
    path = out or baseline.FOLDER / f"{run.plan.name}.json"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        found.write(path)
    except OSError as error:
        raise BaselineError(f"{path}: cannot be written: {error.strerror}") from error
    cells, seeds = len(found.measurements.cells), len(run.plan.seeds)
    if as_json:
        print_json({"path": str(path), "cells": cells, "seeds": seeds, "reason": reason})
    else:
        print(f"{path}: {counted(cells, 'cell')}, {counted(seeds, 'seed')}; commit it")
    return 0


@command.command("show")
@click.argument("file", type=click.Path(path_type=Path))
@options.as_json
def show(file: Path, as_json: bool) -> int:
    """Print what the baseline in FILE holds, and where it came from."""
    import dataclasses
    from statistics import median

    from ganbench.gate import baseline

    found = baseline.read(file)
    if as_json:
        print_json(dataclasses.asdict(found))
        return 0
    git = found.source.get("git")
    states = git if isinstance(git, dict) else {}
    commits = {k: str(v.get("commit"))[:10] for k, v in states.items() if isinstance(v, dict)}
    print(f"{found.measurements.name}, {found.created}: {found.reason}")
    print(f"  ganbench {found.source.get('ganbench', 'unknown')}, commits {commits or 'unknown'}")
    for cell in found.measurements.cells.values():
        print(f"{cell.label} ({cell.id})")
        for name, series in cell.series.items():
            values = sorted(series.values.values())
            if values and series.column.kind != "timing":
                print(
                    f"  {name}: median {median(values):.5g}, {values[0]:.5g} to {values[-1]:.5g}, "
                    f"n {len(values)}"
                )
    return 0
