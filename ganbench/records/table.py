"""The summary of a run: one row per cell over its seeds, with errors named and ties respected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from ganbench.errors import ContractError
from ganbench.records.columns import Column

if TYPE_CHECKING:
    pass

from ganbench.records.columns import INCEPTION, INCEPTION_NAMES, UNNAMED, Name

AXES = ("dataset", "loss", "conditioning", "architecture")
ARROWS = {"min": "↓", "max": "↑", "none": ""}
COST_UNITS = ("s", "1/s", "MB")  # what other trials on the machine change
Mark = Literal["", "best", "tied"]


@dataclass(frozen=True)
class Summary:
    """One number of one row: the mean over seeds and its standard error."""

    mean: float | None
    error: float | None  # None with fewer than two values
    n: int
    protocols: frozenset[str] = frozenset()
    reason: str = ""  # why a value is missing
    mark: Mark = ""


@dataclass(frozen=True)
class Row:
    label: str
    axes: dict[str, str]
    is_reference: bool
    n: int  # seeds with a result
    failed: int
    values: dict[str, Summary]
    status: str
    reasons: tuple[str, ...]
    alone: bool  # no other trial shared the machine


@dataclass(frozen=True)
class Table:
    """Rows and columns ready to be shown; reporters only lay them out."""

    name: str
    axes: tuple[str, ...]  # those that need a column
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[str, ...]

    def __post_init__(self) -> None:
        for column in self.columns:
            if Name.of(column.name).is_bare:
                raise ContractError(
                    f"column '{column.name}' could be in any features; name them, as in "
                    f"{column.name}@{INCEPTION}"
                )

    def values(self, axis: str) -> list[str]:
        """The different values of an axis, references left out."""
        return list(dict.fromkeys(r.axes.get(axis, "") for r in self.rows if not r.is_reference))

    def header(self, column: Column) -> str:
        return f"{_title(column)} {ARROWS[column.direction]}".rstrip()

    def text(self, row: Row, column: Column) -> str:
        """The value as shown, without its mark: `0.123 ± 0.004`, `0.123`, or `—`."""
        summary = row.values.get(column.name)
        if summary is None or summary.mean is None:
            return "—"
        spread = summary.error if column.direction != "none" else None
        whole = spread is None and column.digits <= 1 and summary.mean.is_integer()
        digits = 0 if whole else column.digits
        text = f"{round(summary.mean, digits) + 0.0:,.{digits}f}"  # + 0.0: no "-0.00"
        if spread is not None:
            text += f" ± {spread:,.{digits}f}"
        shared = column.unit in COST_UNITS and not row.alone and not row.is_reference
        return text + ("*" if shared else "")

    def seeds(self, row: Row) -> str:
        if row.is_reference:
            return ""
        return f"{row.n} ({row.failed} failed)" if row.failed else str(row.n)

    def plain(self) -> dict[str, Any]:
        """The table as JSON."""
        return {
            "name": self.name,
            "axes": list(self.axes),
            "columns": [
                {"name": c.name, "title": _title(c), "unit": c.unit, "direction": c.direction}
                for c in self.columns
            ],
            "rows": [_plain_row(row) for row in self.rows],
            "notes": list(self.notes),
        }


def _title(column: Column) -> str:
    """With the feature space, whatever the metric says: a bare "FID" could be anything."""
    title, name = column.title or column.name, Name.of(column.name)
    space = name.space or (UNNAMED if INCEPTION_NAMES.search(title) else "")
    if space and not _mentions(title, space):
        title = f"{title} @{space}"
    if name.setting and not _mentions(title, name.setting):
        title = f"{title} [{name.setting}]"
    return title


def _mentions(title: str, word: str) -> bool:
    return bool(re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", title))


def _plain_row(row: Row) -> dict[str, Any]:
    return {
        "label": row.label,
        "axes": row.axes,
        "reference": row.is_reference,
        "n": row.n,
        "failed": row.failed,
        "status": row.status,
        "reasons": list(row.reasons),
        "ran_alone": row.alone,
        "values": {
            name: {
                "mean": s.mean,
                "standard_error": s.error,
                "n": s.n,
                "protocols": sorted(s.protocols),
                "mark": s.mark,
                "reason": s.reason,
            }
            for name, s in row.values.items()
        },
    }
