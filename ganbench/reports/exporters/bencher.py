"""Bencher Metric Format: the median of each measure of each benchmark, between its quartiles."""

from __future__ import annotations

import hashlib

from ganbench.reports.exporters.named_measurements import (
    Export,
    NamedMeasurements,
    Number,
    strict_json,
)

BENCHMARK, MEASURE = 1024, 64  # bytes of UTF-8 in a name, at most
DIGEST = 8


def export(source: NamedMeasurements) -> Export:
    """Return one file of medians with their quartiles."""
    found: dict[str, dict[str, dict[str, float]]] = {}
    for number in source.numbers:
        benchmark = shortened(f"{source.name}/{number.cell}", BENCHMARK)
        found.setdefault(benchmark, {})[shortened(number.metric, MEASURE)] = _metric(number)
    return Export((strict_json(found),))


def _metric(number: Number) -> dict[str, float]:
    metric = {"value": number.median}
    if number.quartiles is not None:
        metric["lower_value"], metric["upper_value"] = number.quartiles
    return metric


def shortened(name: str, limit: int) -> str:
    """Return a name that fits; a longer one ends in a digest of the whole.

    So no two become one.
    """
    data = name.encode()
    if len(data) <= limit:
        return name
    digest = hashlib.sha256(data).hexdigest()[:DIGEST]
    return f"{data[: limit - DIGEST - 1].decode(errors='ignore')}~{digest}"
