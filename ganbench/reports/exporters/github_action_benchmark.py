"""github-action-benchmark's custom tools: one array of numbers for each direction.

The action divides a value by the one before, so that one at or below zero cannot be compared.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ganbench.reports.exporters.named_measurements import (
    SPREAD,
    Export,
    NamedMeasurements,
    Number,
    left_out,
    strict_array,
)
from ganbench.util.messages import counted

EMPTY = "no number of which {} is better is left, and the action refuses an empty file"


def export(source: NamedMeasurements) -> Export:
    """Return the files for `customSmallerIsBetter` and `customBiggerIsBetter`."""
    sides: dict[str, list[Number]] = {"min": [], "max": [], "none": []}
    for number in source.numbers:
        sides[number.column.direction].append(number)
    undirected = sides.pop("none")
    low = [n for numbers in sides.values() for n in numbers if n.median <= 0]
    entries = [[_entry(source, n) for n in numbers if n.median > 0] for numbers in sides.values()]
    return Export(
        tuple(map(strict_array, entries)),
        (
            *left_out(_names(undirected), "of which neither way is the better one"),
            *left_out(_names(low), "at or below 0, which the action cannot compare by ratio"),
            *(
                EMPTY.format(word)
                for word, e in zip(("smaller", "bigger"), entries, strict=True)
                if not e
            ),
        ),
    )


def _names(numbers: Iterable[Number]) -> list[str]:
    return [f"{n.cell}/{n.metric}" for n in numbers]


def _entry(source: NamedMeasurements, number: Number) -> dict[str, Any]:
    entry: dict[str, Any] = {
        "name": f"{source.name}/{number.cell}/{number.metric}",
        "value": number.median,
        "unit": number.column.unit,
    }
    extra = f"median of {counted(len(number.values), 'seed')}"
    if number.spread is not None:
        entry["range"] = f"± {_digits(number.spread)}"
        values = number.values.values()
        extra += f", ± {SPREAD}\nfrom {min(values):.4g} to {max(values):.4g}"
    if number.measured.bad:
        extra += f"\n{counted(number.measured.bad, 'trial')} did not end well"
    return {**entry, "extra": extra}


def _digits(value: float) -> str:
    """At least two characters: the action takes no fewer for a range."""
    text = f"{value:.4g}"
    return text if len(text) > 1 else f"{text}.0"
