"""What every layout of the table shares: what is quality and what cost, and a row's cells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ganbench import Column, Row, Table

COST = {"1/s", "MB", "s"}


def is_cost(column: Column) -> bool:
    return column.unit in COST or column.name.endswith("-parameters")


def varied(table: Table) -> tuple[list[str], list[str]]:
    """The axes of more than one value, or all where there is none, and the constant ones."""
    constant = [axis for axis in table.axes if len(table.values(axis)) == 1]
    return [axis for axis in table.axes if axis not in constant] or list(table.axes), constant


def cells(
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
