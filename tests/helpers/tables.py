"""Tables of made-up runs, and what stands in them."""

from __future__ import annotations

from pathlib import Path

from ganbench import Column, Report, Table
from ganbench.records.run_folder import Run
from ganbench.records.table import Row

FID = "fid@mnist-cnn-v1"


BCE, LSGAN, REAL = "bce/none/mlp", "lsgan/none/mlp", "real test set (ring)"


THREE = """\
version: 1
name: bench
dataset: ring
architecture: mlp
conditioning: none
matrix: {loss: [bce, lsgan, wgan-gp]}
"""


WGAN = "wgan-gp/none/mlp"


def of(run) -> Table:
    return Report.of(run).table


def runs_of(folder: Path) -> Run:
    """What the fixture `runs` has written there."""
    return Run.read(folder / "run")


def row(table: Table, label: str) -> Row:
    (found,) = [r for r in table.rows if r.label == label]
    return found


def text(table: Table, label: str, column: str) -> str:
    (found,) = [c for c in table.columns if c.name == column]
    return table.text(row(table, label), found)


def fids(runs, **values: list[float | str]) -> Table:
    """A table of three losses with these FIDs, one per seed; a text is why there is none."""
    rows = {"bce": BCE, "lsgan": LSGAN, "wgan": WGAN}
    results = {rows[k]: [runs.result({FID: v}) for v in found] for k, found in values.items()}
    return of(runs.write(results, THREE))


def marks(table: Table, column: str = FID) -> dict[str, str]:
    return {r.label: r.values[column].mark for r in table.rows if not r.is_reference}


def shown(runs, *columns: Column) -> Table:
    """A table with these columns, each 1 in both rows."""
    runs.COLUMNS = runs.COLUMNS | {column.name: column for column in columns}
    result = runs.result({column.name: 1.0 for column in columns})
    return of(runs.write({BCE: [result], LSGAN: [result]}))
