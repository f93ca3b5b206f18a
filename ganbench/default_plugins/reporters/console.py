"""The table in a terminal."""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench import Column, Note, Report, Reporter, Row, Status, Table, terminal_text
from ganbench.default_plugins.reporters.layout import cells, is_cost, varied

if TYPE_CHECKING:
    from rich.table import Table as Grid
    from rich.text import Text

PIPE_WIDTH = 140
MOST_ROWS = 200  # for readers have limits
NARROW = 100  # columns of a terminal, below which labels leave their place to numbers
LABEL_WIDTHS = 16, 30  # of an axis and of what a reference row is, which folds: there, and else
GAP = 3  # between two columns of a grid
CONTINUED = ", continued"
ALL = "all"
Headed = tuple[str, Column]  # with what stands above it
BOLD = "\0"  # before a cell that stands out in a terminal


@dataclass(kw_only=True)
class Console(Reporter):
    """The table on standard output, quality first, then cost.

    `columns` are those to show, `fid` for every `fid@…`, or `all`; left out, as many of the file's
    first ones as fit into one table of quality and one of cost.
    """

    name = "console"

    columns: list[str] | None = None

    def write(self, report: Report, directory: Path) -> None:
        from rich.console import Console as Terminal

        width = None if sys.stdout.isatty() else PIPE_WIDTH
        terminal = Terminal(width=width, force_interactive=False, highlight=False, emoji=False)
        table = report.table
        is_chosen = self.columns is not None and ALL not in self.columns
        columns = table.chosen(self.columns or ()) if is_chosen else table.columns
        cost = [c for c in columns if is_cost(c)]
        quality = [c for c in columns if not is_cost(c)]
        axes, constant = varied(table)
        shared = ", ".join(f"{axis} {table.values(axis)[0]}" for axis in constant)
        title = f"{table.name}: quality" + (f" (all with {shared})" if shared else "")
        first = table.rows[:MOST_ROWS]
        rows = [row for row in first if not row.is_reference]
        left_out: list[str] = []
        tied = False
        for name, shown, of_kind in ((title, first, quality), ("cost", rows, cost)):
            if not shown or (is_chosen and not of_kind):
                continue
            parts = _parts(table, shown, axes, of_kind, terminal.width)
            if self.columns is None:
                left_out += [column.name for part in parts[1:] for _, column in part]
                del parts[1:]
            for part in parts:
                tied |= any(_tied(row, column.name) for row in shown for _, column in part)
                terminal.print(_grid(name, table, shown, axes, part, terminal.width))
                name = f"{name.removesuffix(CONTINUED)}{CONTINUED}"
        if left_out:
            count = "one column" if len(left_out) == 1 else f"{len(left_out)} columns"
            terminal.print(f"… and {count} more: {', '.join(left_out)}; --columns fid,modes "
                           "chooses, --columns all shows every one, and the files have them",
                           markup=False)  # fmt: skip
        if left := len(table.rows) - len(first):
            terminal.print(f"… and {left:,} more: the csv, markdown, json and html formats "
                           "have all rows", markup=False)  # fmt: skip
        for note in table.notes:
            if isinstance(note, Note) and note.kind == "ties" and not tied:
                continue  # it is of columns that are not shown
            terminal.print(terminal_text(note), style="dim", markup=False)


def _tied(row: Row, column: str) -> bool:
    return column in row.values and row.values[column].mark == "tied"


def _grid(
    title: str,
    table: Table,
    rows: Sequence[Row],
    axes: Sequence[str],
    columns: Sequence[Headed],
    width: int,
) -> Grid:
    from rich.table import Table as Grid

    grid = Grid(title=_styled(title), title_justify="left")
    for axis in axes:
        grid.add_column(_styled(axis), overflow="fold", max_width=_label_width(width))
    for head in ("n", *(head for head, _ in columns)):
        grid.add_column(_styled(head), justify="right", overflow="fold")
    if _tells_status(rows):
        grid.add_column("status")
    for row, after in zip_longest(rows, rows[1:]):
        texts = cells(table, row, axes, [c for _, c in columns], lambda text: f"{BOLD}{text}")
        styled = [_styled(text) for text in [*texts, row.status][: len(grid.columns)]]
        last = row.is_reference and after is not None and not after.is_reference
        grid.add_row(*styled, end_section=last)
    return grid


def _label_width(width: int) -> int:
    """Return the most that a label may take of a terminal of this width."""
    return LABEL_WIDTHS[width >= NARROW]


def _tells_status(rows: Sequence[Row]) -> bool:
    """Whether any row is another than ok: else the column would take the place of a number."""
    return any(row.status != Status.OK for row in rows)


def _parts(
    table: Table, rows: Sequence[Row], axes: Sequence[str], columns: Sequence[Column], width: int
) -> list[list[Headed]]:
    """Return the columns in as few tables as fit; with several, heads are of two lines."""
    headed = [(table.header(column), column) for column in columns]
    parts = _fitting(table, rows, axes, headed, width)
    if len(parts) > 1:
        headed = [(re.sub(r" ?(?=[@\[])", "\n", head, count=1), c) for head, c in headed]
        parts = _fitting(table, rows, axes, headed, width)
    return parts


def _fitting(
    table: Table, rows: Sequence[Row], axes: Sequence[str], columns: Sequence[Headed], width: int
) -> list[list[Headed]]:
    lines = [[*cells(table, row, axes, [c for _, c in columns], str), row.status] for row in rows]
    lines.append([*axes, "n", *(head for head, _ in columns), "status"])
    widths = [
        GAP + max(len(text) for cell in column for text in cell.split("\n"))
        for column in zip(*lines, strict=True)
    ]
    labels, (n, *numbers, status) = widths[: len(axes)], widths[len(axes) :]
    fixed = 1 + n + sum(min(label, GAP + _label_width(width)) for label in labels)
    fixed += status if _tells_status(rows) else 0
    used = fixed
    parts: list[list[Headed]] = [[]]
    for column, needed in zip(columns, numbers, strict=True):
        if parts[-1] and used + needed > width:
            parts.append([])
            used = fixed
        parts[-1].append(column)
        used += needed
    return parts


def _styled(text: str) -> Text:
    from rich.text import Text

    shown = terminal_text(text.removeprefix(BOLD))
    return Text(shown, "bold" if text.startswith(BOLD) else "")
