"""The table for spreadsheets and for programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ganbench import Report, Reporter, Table, spreadsheet_cell, write_atomically


@dataclass(kw_only=True)
class CSV(Reporter):
    """table.csv: one line per row, a mean and a standard error per number."""

    name = "csv"

    def write(self, report: Report, directory: Path) -> None:
        def save(path: Path) -> None:
            with path.open("w", newline="", encoding="utf-8") as file:
                csv.writer(file).writerows(_csv_lines(report.table))

        write_atomically(directory / "table.csv", save)


@dataclass(kw_only=True)
class JSON(Reporter):
    """table.json: the table with errors, protocols and marks, for programs."""

    name = "json"

    def write(self, report: Report, directory: Path) -> None:
        text = json.dumps(report.table.plain(), indent=1, allow_nan=False, ensure_ascii=False)
        content = (text + "\n").encode()
        write_atomically(directory / "table.json", lambda path: path.write_bytes(content))


def _csv_lines(table: Table) -> Iterator[list[object]]:
    names = [name for c in table.columns for name in (c.name, f"{c.name} standard error")]
    yield ["label", *table.axes, "n", "failed", "status", *names]
    for row in table.rows:
        summaries = [row.values[c.name] for c in table.columns]
        numbers = [x for s in summaries for x in (s.mean, s.error)]
        axes = [row.axes.get(axis, "") for axis in table.axes]
        cells = [row.label, *axes, row.n, row.failed, row.status, *numbers]
        yield ["" if cell is None else spreadsheet_cell(cell) for cell in cells]
