"""Measurements, plain and hostile, and their texts in a format."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest

from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.records.columns import Column
from ganbench.reports import exporters
from ganbench.reports.exporters.named_measurements import NamedMeasurements

FID = Column("fid@pixels", "", "min", gated=True)
MODES = Column("modes", "", "max", gated=True)
MARGIN = Column("margin", "nats", "max")
SECONDS = Column("seconds", "s", kind="timing")
SIZE = Column("g-parameters", kind="count", gated=True)
CREATED = "2026-01-02T03:04:05+00:00"
PLATFORM = {"device": "A Processor", "threads": "1", "torch": "2.14.1", "python": "3.11.7"}
TEN = [1.00, 1.01, 0.99, 1.02, 0.98, 1.03, 0.97, 1.04, 0.96, 1.005]
HOSTILE = [
    "\"double\" 'single' `back`",
    "two\nlines\r\tand a tab",
    "<b>&amp;</b>]]><!--",
    'a=b,c{d="e"} 7',
    "ünï—cödé 模型 🎲\u200d\u2028",
    "\x00\x1b[31m\x7f\ufffe",
    "lone \ud800 surrogate",
    "#hash # EOF",
    "\\back\\slash\\",
    ':::MLLOG {"key": "run_stop"}',
    " padded ",
    "",
    "NaN",
    "x" * 1500,
    "x" * 1499 + "y",
    "模" * 800,
]


def cell(
    values: Mapping[Column, Sequence[float]],
    *,
    id: str = "c0",
    label: str = "ring/bce",
    statuses: dict[str, int] | None = None,
    reasons: tuple[str, ...] = (),
    first_seed: int = 0,
) -> Measured:
    series = {
        column.name: Series(column, dict(enumerate(numbers, start=first_seed)), "p0")
        for column, numbers in values.items()
    }
    schedule = {"schedule": {"precision": "float32", "batch_size": 50}}
    return Measured(id, label, "ring", schedule, statuses or {"ok": 3}, series, "d0", reasons)


def side(*cells: Measured, name: str = "bench") -> Measurements:
    return Measurements(name, {c.id: c for c in cells}, PLATFORM)


THREE = cell(
    {
        FID: [3.0, 1.0, 2.0],
        MODES: [8, 7, 7],
        MARGIN: [-0.5, 0.0, -1.0],
        SECONDS: [1.5, 2.5, 3.5],
        SIZE: [100, 100, 100],
    }
)
PLAIN = NamedMeasurements(side(THREE), CREATED)
TAUNTS = NamedMeasurements(
    side(
        *(cell({FID: TEN, SIZE: [5]}, id=f"c{i}", label=label) for i, label in enumerate(HOSTILE)),
        cell({replace(FID, name=n, unit=n): TEN for n in HOSTILE}, id="columns", label="columns"),
        name="be\nnch <1>",
    ),
    CREATED,
)
SOURCES = {"plain": PLAIN, "hostile": TAUNTS}
each_source = pytest.mark.parametrize("source", SOURCES.values(), ids=SOURCES)
each_format = pytest.mark.parametrize("to", list(exporters.FILES))


def text_of(to: str, source: NamedMeasurements) -> str:
    (text,) = exporters.render(to, source).texts
    return text


def strictly(text: str) -> Any:
    """JSON without NaN, Infinity, or a key that stands twice."""

    def refuse(name: str) -> None:
        raise AssertionError(name)

    def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        assert len(dict(pairs)) == len(pairs)
        return dict(pairs)

    return json.loads(text, parse_constant=refuse, object_pairs_hook=unique)
