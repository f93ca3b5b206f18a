"""The built-in reporters: a terminal, Markdown, CSV and JSON."""

from __future__ import annotations

import csv
import json
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench import Column, Report, Reporter, Row, Table, hookimpl, write_atomically

if TYPE_CHECKING:
    from rich.table import Table as Grid
    from rich.text import Text

COST = {"1/s", "MB", "s"}
PIPE_WIDTH = 140
LABEL_WIDTH = 30  # of an axis and of what a reference row is, which folds
GAP = 3  # between two columns of a grid
CONTINUED = ", continued"
Headed = tuple[str, Column]  # with what stands above it
FORMULA = ("=", "+", "-", "@", "\t", "\r")
BOLD = "\0"  # before a cell that stands out in a terminal


@dataclass(kw_only=True)
class Console(Reporter):
    """The table on standard output, quality first, then cost."""

    name = "console"

    def write(self, report: Report, directory: Path) -> None:
        from rich.console import Console as Terminal

        width = None if sys.stdout.isatty() else PIPE_WIDTH
        terminal = Terminal(width=width, force_interactive=False, highlight=False, emoji=False)
        table = report.table
        cost = [c for c in table.columns if c.unit in COST or c.name.endswith("-parameters")]
        quality = [c for c in table.columns if c not in cost]
        constant = [axis for axis in table.axes if len(table.values(axis)) == 1]
        axes = [axis for axis in table.axes if axis not in constant] or list(table.axes)
        shared = ", ".join(f"{axis} {table.values(axis)[0]}" for axis in constant)
        title = f"{table.name}: quality" + (f" (all with {shared})" if shared else "")
        rows = [row for row in table.rows if not row.is_reference]
        for name, shown, columns in ((title, table.rows, quality), ("cost", rows, cost)):
            for part in _parts(table, shown, axes, columns, terminal.width):
                terminal.print(_grid(name, table, shown, axes, part))
                name = f"{name.removesuffix(CONTINUED)}{CONTINUED}"
        for note in table.notes:
            terminal.print(note, style="dim", markup=False)


def _grid(
    title: str,
    table: Table,
    rows: Sequence[Row],
    axes: Sequence[str],
    columns: Sequence[Headed],
) -> Grid:
    from rich.table import Table as Grid

    grid = Grid(title=_styled(title), title_justify="left")
    for axis in axes:
        grid.add_column(_styled(axis), overflow="fold", max_width=LABEL_WIDTH)
    for head in ("n", *(head for head, _ in columns)):
        grid.add_column(_styled(head), justify="right", overflow="fold")
    grid.add_column("status")
    for row, after in zip_longest(rows, rows[1:]):
        cells = _cells(table, row, axes, [c for _, c in columns], lambda text: f"{BOLD}{text}")
        texts = [_styled(text) for text in [*cells, row.status]]
        last = row.is_reference and after is not None and not after.is_reference
        grid.add_row(*texts, end_section=last)
    return grid


def _parts(
    table: Table, rows: Sequence[Row], axes: Sequence[str], columns: Sequence[Column], width: int
) -> list[list[Headed]]:
    """The columns in as many tables as it takes for each to fit; then heads are of two lines."""
    headed = [(table.header(column), column) for column in columns]
    parts = _fitting(table, rows, axes, headed, width)
    if len(parts) > 1:
        headed = [(re.sub(r" ?(?=[@\[])", "\n", head, count=1), c) for head, c in headed]
        parts = _fitting(table, rows, axes, headed, width)
    return parts


def _fitting(
    table: Table, rows: Sequence[Row], axes: Sequence[str], columns: Sequence[Headed], width: int
) -> list[list[Headed]]:
    lines = [[*_cells(table, row, axes, [c for _, c in columns], str), row.status] for row in rows]
    lines.append([*axes, "n", *(head for head, _ in columns), "status"])
    widths = [
        GAP + max(len(text) for cell in cells for text in cell.split("\n"))
        for cells in zip(*lines, strict=True)
    ]
    labels, (n, *numbers, status) = widths[: len(axes)], widths[len(axes) :]
    fixed = used = 1 + n + status + sum(min(label, GAP + LABEL_WIDTH) for label in labels)
    parts: list[list[Headed]] = [[]]
    for column, needed in zip(columns, numbers, strict=True):
        if parts[-1] and used + needed > width:
            parts.append([])
            used = fixed
        parts[-1].append(column)
        used += needed
    return parts


@dataclass(kw_only=True)
class Markdown(Reporter):
    """table.md: the whole table, and what must be known to read it."""

    name = "markdown"

    def write(self, report: Report, directory: Path) -> None:
        text = markdown(report.table)
        write_atomically(directory / "table.md", lambda path: path.write_text(text, "utf-8"))


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
        write_atomically(
            directory / "table.json", lambda path: path.write_text(text + "\n", "utf-8")
        )


def markdown(table: Table) -> str:
    """The table in GitHub's Markdown, with its notes as a list."""
    heads = [*table.axes, "n", *(table.header(c) for c in table.columns), "status"]
    heads = [escaped(head) for head in heads]
    rules = [*["---"] * len(table.axes), *["---:"] * (len(heads) - len(table.axes) - 1), "---"]
    lines = [heads, rules]
    for row in table.rows:
        cells = _cells(table, row, table.axes, table.columns, bold=lambda text: f"**{text}**")
        lines.append([escaped(cell) for cell in [*cells, row.status]])
    body = "\n".join(f"| {' | '.join(line)} |" for line in lines)
    notes = "\n".join(f"- {escaped(note)}" for note in table.notes)
    return f"# {table.name}\n\n{body}\n\n{notes}\n"


def _cells(
    table: Table,
    row: Row,
    axes: Sequence[str],
    columns: Sequence[Column],
    bold: Callable[[str], str],
) -> Iterator[str]:
    if row.is_reference:
        yield row.label
        yield from [""] * (len(axes) - 1)
    else:
        yield from (row.axes.get(axis, "") for axis in axes)
    yield table.seeds(row)
    for column in columns:
        text, summary = table.text(row, column), row.values.get(column.name)
        mark = summary.mark if summary else ""
        yield bold(text) if mark == "best" else f"≈ {text}" if mark == "tied" else text


def _styled(text: str) -> Text:
    from rich.text import Text

    return Text(text.removeprefix(BOLD), "bold" if text.startswith(BOLD) else "")


def _csv_lines(table: Table) -> Iterator[list[object]]:
    names = [name for c in table.columns for name in (c.name, f"{c.name} standard error")]
    yield ["label", *table.axes, "n", "failed", "status", *names]
    for row in table.rows:
        summaries = [row.values[c.name] for c in table.columns]
        numbers = [x for s in summaries for x in (s.mean, s.error)]
        axes = [row.axes.get(axis, "") for axis in table.axes]
        cells = [row.label, *axes, row.n, row.failed, row.status, *numbers]
        yield ["" if cell is None else harmless(cell) for cell in cells]


def escaped(text: str) -> str:
    """Text that breaks no cell of a Markdown table and is taken for no markup."""
    line = " ".join(text.splitlines())
    return line.replace("\\", "\\\\").replace("|", "\\|").replace("<", "&lt;")


def harmless(cell: object) -> object:
    """Text that a spreadsheet would take for a formula gets a quote before it."""
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA) else cell


@hookimpl
def register_reporters(register) -> None:
    for reporter in (Console, Markdown, CSV, JSON):
        register(reporter)
