"""Which row of a column is the best, and which tie with it."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from ganbench.records.columns import Column
from ganbench.records.platforms import PLATFORM
from ganbench.records.table import Mark, Row, Summary


def marked(rows: Sequence[Row], columns: Sequence[Column], alike: Mapping[str, str]) -> list[Row]:
    """Return the rows with their marks. Protocols that `alike` has one text for are one."""
    values = [dict(row.values) for row in rows]
    for column, first in best(rows, columns, alike):
        for at, mark in _marks(first, rows, column).items():
            values[at][column.name] = replace(values[at][column.name], mark=mark)
    return [replace(row, values=changed) for row, changed in zip(rows, values, strict=True)]


def _marks(best: Sequence[int], rows: Sequence[Row], column: Column) -> dict[int, Mark]:
    """Mark the best row, or the rows that tie with it within error; none where all do."""
    if len(best) == 1:
        return {best[0]: "best"}
    dataset = rows[best[0]].axes.get("dataset")
    ranked = [row for row in rows if row.axes.get("dataset") == dataset and _is_ranked(row, column)]
    return {} if len(best) == len(ranked) else dict.fromkeys(best, "tied")


def best(
    rows: Sequence[Row], columns: Sequence[Column], alike: Mapping[str, str]
) -> Iterator[tuple[Column, list[int]]]:
    """Yield for each column and data set the best row, and after it those that tie with it."""
    datasets = dict.fromkeys(row.axes.get("dataset") for row in rows)
    for column, dataset in itertools.product(columns, datasets):
        same_data = {i: row for i, row in enumerate(rows) if row.axes.get("dataset") == dataset}
        if found := _best_of(same_data, column, alike):
            yield column, found


def _best_of(rows: Mapping[int, Row], column: Column, alike: Mapping[str, str]) -> list[int]:
    """Return the best row and those that tie with it within error; nothing where none is ranked.

    Nor is any by speeds of which some were measured beside other programs, or on other machines.
    """
    if column.depends_on_machine:
        on = {row.axes.get(PLATFORM) for row in rows.values() if not row.is_reference}
        if len(on) > 1 or any(not row.alone for row in rows.values()):
            return []
    known = {i: row.values[column.name] for i, row in rows.items() if _is_ranked(row, column)}
    protocols = {alike.get(p, p) for summary in known.values() for p in summary.protocols}
    if column.direction == "none" or len(known) < 2 or len(protocols) > 1:
        return []
    sign = 1 if column.direction == "min" else -1
    first = min(known, key=lambda i: sign * (known[i].mean or 0.0))
    return [first, *(i for i in known if i != first and tie(known[i], known[first]))]


def _is_ranked(row: Row, column: Column) -> bool:
    """Whether a row is a rival in a column; with fewer values than seeds, who knows the others."""
    summary = row.values[column.name]
    return not row.is_reference and summary.mean is not None and summary.n >= row.n


def tie(a: Summary, b: Summary) -> bool:
    """Whether two means differ by no more than the standard errors of both, added in squares."""
    assert a.mean is not None
    assert b.mean is not None
    return abs(a.mean - b.mean) <= math.hypot(a.error or 0.0, b.error or 0.0)
