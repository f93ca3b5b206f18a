"""DVC's metrics: medians, nested by benchmark, cell and metric, for `dvc metrics diff`."""

from __future__ import annotations

from ganbench.reports.exporters.named_measurements import Export, NamedMeasurements, strict_json


def export(source: NamedMeasurements) -> Export:
    """Return one file of nested medians."""
    cells: dict[str, dict[str, float]] = {}
    for number in source.numbers:
        cells.setdefault(number.cell, {})[number.metric] = number.median
    return Export((strict_json({source.name: cells}),))
