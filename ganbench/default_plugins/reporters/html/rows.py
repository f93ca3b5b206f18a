"""The rows of the table with the trials behind them, and how they are called in a page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any

from ganbench import Column, Report, Row, Summary, Table
from ganbench.default_plugins.reporters.html.markup import Markup, element
from ganbench.default_plugins.reporters.layout import is_cost, varied

if TYPE_CHECKING:
    from ganbench import TrialOutcome

UNNAMED = "@unnamed-features"  # what the table adds to a name that could be in any


@dataclass(frozen=True)
class Line:
    """One row of the table."""

    row: Row
    outcomes: tuple[TrialOutcome, ...]
    number: int
    names: tuple[str, ...]  # its values on the axes that vary; of a reference, its label

    @property
    def anchor(self) -> str:
        return f"cell-{self.number}"

    @property
    def brief(self) -> str:
        return " · ".join(name for name in self.names if name) or self.row.label

    @property
    def dataset(self) -> str:
        return self.row.axes.get("dataset", "")

    def points(self, column: Column) -> list[float]:
        """The value of each seed that has one."""
        found = (measured(outcome.result, column) for outcome in self.outcomes)
        return [value for value in found if value is not None]

    def mean(self, column: Column) -> float | None:
        summary = self.row.values.get(column.name)
        return finite(summary.mean) if summary else None


@dataclass(frozen=True)
class Lines:
    """All of a report's rows."""

    report: Report

    @property
    def table(self) -> Table:
        return self.report.table

    @cached_property
    def axes(self) -> list[str]:
        return varied(self.table)[0] or ["row"]

    @cached_property
    def constant(self) -> list[str]:
        return varied(self.table)[1] if self.cells else []

    @cached_property
    def all(self) -> list[Line]:
        trials: dict[str, list[TrialOutcome]] = {}
        for outcome in self.report.outcomes:
            trials.setdefault(outcome.trial.subject.label, []).append(outcome)
        return [
            Line(row, tuple(trials.get(row.label, ())), number, self._names(row))
            for number, row in enumerate(self.table.rows, 1)
        ]

    @cached_property
    def cells(self) -> list[Line]:
        return [line for line in self.all if not line.row.is_reference]

    @cached_property
    def references(self) -> list[Line]:
        return [line for line in self.all if line.row.is_reference]

    @cached_property
    def quality(self) -> list[Column]:
        return [c for c in self.table.columns if not is_cost(c)]

    @cached_property
    def cost(self) -> list[Column]:
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
        return any(line.row.status not in ("ok", "") for line in self.all)

    @cached_property
    def dataset_place(self) -> int | None:
        """Where the data set stands among a line's names."""
        return self.axes.index("dataset") if "dataset" in self.axes else None

    def first(self, count: int) -> list[Line]:
        """The cells, the best by the first judged column where there are more than `count`."""
        if len(self.cells) <= count or not self.judged:
            return self.cells[:count]
        kept = {line.number for line in ranked(self.cells, self.judged[0])[:count]}
        return [line for line in self.cells if line.number in kept]

    def _summaries(self, column: Column) -> list[Summary]:
        found = (line.row.values.get(column.name) for line in self.cells)
        return [summary for summary in found if summary]

    def _errors(self, column: Column) -> list[str]:
        rows = [line.row for line in self.all]
        spreads = [r for r in rows if (s := r.values.get(column.name)) and s.error is not None]
        return [self.table.text(row, column).partition(" ± ")[2] for row in spreads]

    def _names(self, row: Row) -> tuple[str, ...]:
        if row.is_reference:
            return (row.label,)
        return tuple(row.axes.get(axis, "") for axis in self.axes)


def ranked(lines: Sequence[Line], column: Column) -> list[Line]:
    """The best first, and those without a value last."""
    sign = -1 if column.direction == "max" else 1

    def place(line: Line) -> tuple[bool, float]:
        mean = line.mean(column)
        return (mean is None, sign * (mean or 0.0))

    return sorted(lines, key=place)


def measured(result: Mapping[str, Any], column: Column) -> float | None:
    names = (column.name, column.name.replace(UNNAMED, ""))
    for metric in result.get("metrics", ()):
        if metric.get("name") in names:
            return finite(metric.get("value"))
    return None


def finite(value: Any) -> float | None:
    """The number, or None where there is none to draw."""
    if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
        return float(value)
    return None


@lru_cache(maxsize=None, typed=True)  # typed: Markup equals the same text
def name_of(text: str) -> Markup:
    """A plugin's name, with its options in small print after it."""
    name, bracket, options = text.partition("(")
    if not bracket or not name:
        return element("span", text)
    return element("span", name, element("small", f"({options.replace(',', ', ')}"))


def title_of(line: Line, without: int | None = None) -> Markup:
    """The names of a line, one after the other, but for the one at that place."""
    names = [n for place, n in enumerate(line.names) if n and place != without]
    if line.row.is_reference or not names:
        return element("span", line.row.label)
    dot = element("span", " · ", class_="dot")
    parts = [part for name in names for part in (dot, name_of(name))]
    return element("span", parts[1:])
