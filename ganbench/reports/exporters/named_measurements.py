"""What exporters are given and what they give, with the names that all formats share.

A number's name is BENCHMARK/CELL/METRIC, as in ring_modes/ring/bce/none/mlp/fid@pixels, where CELL
is the label that tables and comparisons show. It has neither seed nor date nor version in it, so
that a history joins up. Cells that share a label are told apart by ~ID.
"""

from __future__ import annotations

import json
import math
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ganbench.records.columns import Column
from ganbench.util.messages import counted

if TYPE_CHECKING:
    from ganbench.gate.comparison import Comparison
    from ganbench.gate.measurements import Measured, Measurements

SPREAD = "half the interquartile range"
SHOWN = 3  # names in a note


@dataclass(frozen=True)
class Export:
    """Texts, one per file of the format, and what had to be left out."""

    texts: tuple[str, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Number:
    """One column of one cell, where there is a value."""

    cell: str  # its name
    measured: Measured
    column: Column
    values: dict[int, float]  # by seed, in order; finite, at least one
    protocol: str

    @property
    def metric(self) -> str:
        """Return the number's name in one line."""
        return line(self.column.name) or "unnamed"

    @cached_property
    def median(self) -> float:
        """Return the median over seeds, a whole number where it counts something."""
        found = statistics.median(self.values.values())
        return int(found) if self.column.kind == "count" and found.is_integer() else found

    @cached_property
    def quartiles(self) -> tuple[float, float] | None:
        """Return the quartiles over seeds; None where one seed says nothing of the others."""
        if len(self.values) < 2:
            return None
        low, _, high = statistics.quantiles(self.values.values(), n=4, method="inclusive")
        if not math.isfinite(high - low):
            return None
        return min(low, self.median), max(high, self.median)

    @property
    def spread(self) -> float | None:
        """Return half the interquartile range over seeds; None of a single one."""
        return None if self.quartiles is None else (self.quartiles[1] - self.quartiles[0]) / 2


@dataclass(frozen=True)
class NamedMeasurements:
    """What is exported: measurements, under the names that all formats share."""

    measurements: Measurements
    created: str = ""  # when, as ISO 8601 has it
    comparison: Comparison | None = None  # of them with a baseline

    @cached_property
    def name(self) -> str:
        """Return the benchmark's name in one line."""
        return line(self.measurements.name) or "ganbench"

    @cached_property
    def cells(self) -> dict[str, str]:
        """Return the cells' names by id."""
        labels = {id: line(cell.label) for id, cell in self.measurements.cells.items()}
        found = Counter(labels.values())
        return {
            id: label if label and found[label] == 1 else f"{label}~{line(id)}"
            for id, label in labels.items()
        }

    @cached_property
    def numbers(self) -> tuple[Number, ...]:
        """Return every number that has a finite median."""
        found = []
        for id, cell in self.measurements.cells.items():
            for series in cell.series.values():
                values = {
                    seed: float(value)
                    for seed, value in sorted(series.values.items())
                    if math.isfinite(value)
                }
                if values and math.isfinite(statistics.median(values.values())):
                    found.append(
                        Number(self.cells[id], cell, series.column, values, series.protocol)
                    )
        return tuple(found)

    @property
    def missing(self) -> list[str]:
        """Return the names of the numbers that have no value."""
        there = {(number.cell, number.column.name) for number in self.numbers}
        return [
            f"{self.cells[id]}/{line(name)}"
            for id, cell in self.measurements.cells.items()
            for name in cell.series
            if (self.cells[id], name) not in there
        ]


def line(text: str) -> str:
    """Return the text in one line: what cannot be printed, as an escape of Python's."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def setting(cell: Measured, *keys: str) -> Any:
    """Return a setting of the resolved cell.

    None where there is none, as in a baseline by other hands.
    """
    found: Any = cell.settings
    for key in keys:
        found = found.get(key) if isinstance(found, dict) else None
    return found


def left_out(names: Sequence[str], why: str) -> tuple[str, ...]:
    """Return a note on what was left out, or none."""
    if not names:
        return ()
    more = f" and {len(names) - SHOWN:,} more" if len(names) > SHOWN else ""
    return (f"left out {counted(len(names), 'number')} {why}: {', '.join(names[:SHOWN])}{more}",)


def strict_json(value: Any) -> str:
    """Return a value as indented JSON without NaN or Infinity."""
    return json.dumps(value, indent=1, allow_nan=False, ensure_ascii=False) + "\n"


def strict_array(entries: Iterable[Any]) -> str:
    """Return a JSON array with a line for each entry."""
    lines = [json.dumps(entry, allow_nan=False, ensure_ascii=False) for entry in entries]
    return "[\n" + ",\n".join(lines) + "\n]\n" if lines else "[]\n"
