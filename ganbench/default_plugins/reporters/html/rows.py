"""The rows of the table with the trials behind them, and how they are called in a page."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

from ganbench import Column, Report, Row, Summary, Table, TrialOutcome, TrialResult
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.layout import is_cost, varied

UNNAMED = "@unnamed-features"  # what the table adds to a name that could be in any


@dataclass(frozen=True)
class ReportRow:
    """A row of the table with its trials, and how it is called in the page."""

    in_table: Row
    outcomes: tuple[TrialOutcome, ...]  # of its seeds
    number: int  # from 1 on, in the order of the table
    names: tuple[str, ...]  # its values on the axes that vary; of a reference, its label

    @property
    def anchor(self) -> str:
        """The id of its card."""
        return f"cell-{self.number}"

    @property
    def brief(self) -> str:
        """Its names on one line; where none varies, its label."""
        return " · ".join(name for name in self.names if name) or self.in_table.label

    @property
    def dataset(self) -> str:
        """The data set's name, or nothing."""
        return self.in_table.axes.get("dataset", "")

    def points(self, column: Column) -> list[float]:
        """Return the value of each seed that has one."""
        found = (measured(outcome.result, column) for outcome in self.outcomes)
        return [value for value in found if value is not None]

    def mean(self, column: Column) -> float | None:
        """Return the mean over seeds, or None where there is none to draw."""
        summary = self.in_table.values.get(column.name)
        return finite(summary.mean) if summary else None


@dataclass(frozen=True)
class ReportView:
    """A report as the page shows it: its rows, and its columns by what they are of use for."""

    report: Report

    @property
    def table(self) -> Table:
        """The report's table."""
        return self.report.table

    @cached_property
    def axes(self) -> list[str]:
        """The axes that need a column."""
        return varied(self.table)[0] or ["row"]

    @cached_property
    def constant(self) -> list[str]:
        """The axes that are the same in every cell."""
        return varied(self.table)[1] if self.cells else []

    @cached_property
    def all(self) -> list[ReportRow]:
        """Every row, in the order of the table."""
        trials: dict[str, list[TrialOutcome]] = {}
        for outcome in self.report.outcomes:
            trials.setdefault(outcome.trial.subject.label, []).append(outcome)
        return [
            ReportRow(row, tuple(trials.get(row.label, ())), number, self._names(row))
            for number, row in enumerate(self.table.rows, 1)
        ]

    @cached_property
    def cells(self) -> list[ReportRow]:
        """The rows of generators."""
        return [row for row in self.all if not row.in_table.is_reference]

    @cached_property
    def references(self) -> list[ReportRow]:
        """The rows of real images."""
        return [row for row in self.all if row.in_table.is_reference]

    @cached_property
    def quality(self) -> list[Column]:
        """The columns that say how good samples are."""
        return [c for c in self.table.columns if not is_cost(c)]

    @cached_property
    def cost(self) -> list[Column]:
        """The columns that say what that cost."""
        return [c for c in self.table.columns if is_cost(c)]

    @cached_property
    def judged(self) -> list[Column]:
        """The columns of quality in which one way is better."""
        return [c for c in self.quality if c.direction != "none"]

    @cached_property
    def headlines(self) -> list[Column]:
        """The first judged column of every protocol: one number of each metric."""
        found: dict[frozenset[str], Column] = {}
        for column in self.judged:
            protocols = frozenset(p for s in self._summaries(column) for p in s.protocols)
            found.setdefault(protocols or frozenset({column.name}), column)
        return list(found.values())

    @cached_property
    def error_widths(self) -> dict[str, int]:
        """How many characters the longest standard error of each column takes."""
        return {c.name: max(map(len, self._errors(c)), default=0) for c in self.table.columns}

    @cached_property
    def has_status(self) -> bool:
        """Whether any trial went other than well."""
        return any(row.in_table.status not in ("ok", "") for row in self.all)

    @cached_property
    def dataset_place(self) -> int | None:
        """Where the data set stands among a row's names."""
        return self.axes.index("dataset") if "dataset" in self.axes else None

    def first(self, count: int) -> list[ReportRow]:
        """Return the cells; of more than `count`, the best by the first judged column."""
        if len(self.cells) <= count or not self.judged:
            return self.cells[:count]
        kept = {row.number for row in ranked(self.cells, self.judged[0])[:count]}
        return [row for row in self.cells if row.number in kept]

    def _summaries(self, column: Column) -> list[Summary]:
        found = (row.in_table.values.get(column.name) for row in self.cells)
        return [summary for summary in found if summary]

    def _errors(self, column: Column) -> list[str]:
        rows = [row.in_table for row in self.all]
        spreads = [r for r in rows if (s := r.values.get(column.name)) and s.error is not None]
        return [self.table.text(row, column).partition(" ± ")[2] for row in spreads]

    def _names(self, row: Row) -> tuple[str, ...]:
        if row.is_reference:
            return (row.title,)
        return tuple(row.axes.get(axis, "") for axis in self.axes)


def ranked(rows: Sequence[ReportRow], column: Column) -> list[ReportRow]:
    """Return the rows, the best first and those without a value last."""
    sign = -1 if column.direction == "max" else 1

    def place(row: ReportRow) -> tuple[bool, float]:
        mean = row.mean(column)
        return (mean is None, sign * (mean or 0.0))

    return sorted(rows, key=place)


def measured(result: TrialResult, column: Column) -> float | None:
    """Return what one trial has in a column of the table, or None."""
    names = (column.name, column.name.replace(UNNAMED, ""))
    for metric in result.metrics:
        if metric.column.name in names:
            return finite(metric.value)
    return None


def finite(value: Any) -> float | None:
    """Return the number, or None where there is none to draw."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


@lru_cache(maxsize=None, typed=True)  # typed: Markup equals the same text
def name_of(text: str) -> Markup:
    """Return a plugin's name, with its options in small print after it."""
    name, bracket, options = text.partition("(")
    if not bracket or not name:
        return element("span", text)
    return element("span", name, element("small", f"({options.replace(',', ', ')}"))


def title_of(row: ReportRow, without: int | None = None) -> Markup:
    """Return the names of a row, one after the other, but for the one at that place."""
    names = [n for place, n in enumerate(row.names) if n and place != without]
    if row.in_table.is_reference or not names:
        return element("span", row.in_table.title)
    dot = element("span", " · ", class_="dot")
    parts = [part for name in names for part in (dot, name_of(name))]
    return element("span", parts[1:])
