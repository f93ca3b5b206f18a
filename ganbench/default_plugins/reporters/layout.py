"""What every layout of the table shares: what is quality and what cost, and a row's cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ganbench import Column, Row, Table


def is_cost(column: Column) -> bool:
    """Return whether the column stands with what a number cost: time, memory, parameters."""
    return column.depends_on_machine or column.name.endswith("-parameters")


def varied(table: Table) -> tuple[list[str], list[str]]:
    """Return the axes that need a column and those that are the same in every cell.

    Where all are the same, all need one.
    """
    constant = [axis for axis in table.axes if len(table.values(axis)) == 1]
    return [axis for axis in table.axes if axis not in constant] or list(table.axes), constant


def cells(
    table: Table,
    row: Row,
    axes: Sequence[str],
    columns: Sequence[Column],
    bold: Callable[[str], str],
) -> Iterator[str]:
    """Yield a row's texts: axes, seeds, and numbers with their marks, the best one by `bold`."""
    if row.is_reference:
        yield row.title
        yield from [""] * (len(axes) - 1)
    else:
        yield from (row.axes.get(axis, "") for axis in axes)
    yield table.seeds(row)
    for column in columns:
        text, summary = table.text(row, column), row.values.get(column.name)
        mark = summary.mark if summary else ""
        yield bold(text) if mark == "best" else f"≈ {text}" if mark == "tied" else text
