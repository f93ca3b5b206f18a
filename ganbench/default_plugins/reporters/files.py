"""The table for spreadsheets and for programs."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from ganbench import Report, Reporter, Summary, Table, spreadsheet_cell, write_atomically


@dataclass(kw_only=True)
class CSV(Reporter):
    """table.csv: one line per row, a mean and a standard error per number.

    Where models were drawn of more than once, also the standard deviations over training seeds and
    over sampling seeds.
    """

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
    drawn = {c.name for c in table.columns if any(r.values[c.name].spread for r in table.rows)}
    names = [name for c in table.columns for name in _heads(c.name, c.name in drawn)]
    yield ["label", *table.axes, "n", "failed", "status", *names]
    for row in table.rows:
        numbers = [x for c in table.columns for x in _numbers(row.values[c.name], c.name in drawn)]
        axes = [row.axes.get(axis, "") for axis in table.axes]
        cells = [row.label, *axes, row.n, row.failed, row.status, *numbers]
        yield ["" if cell is None else spreadsheet_cell(cell) for cell in cells]


def _heads(name: str, is_drawn: bool) -> list[str]:
    more = [f"{name} training sd", f"{name} sampling sd"] if is_drawn else []
    return [name, f"{name} standard error", *more]


def _numbers(summary: Summary, is_drawn: bool) -> list[float | None]:
    spread, found = summary.spread, [summary.mean, summary.error]
    if is_drawn:
        found += [None, None] if spread is None else [spread.training_sd, spread.sampling_sd]
    return found
