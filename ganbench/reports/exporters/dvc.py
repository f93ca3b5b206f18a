"""DVC's metrics: medians, nested by benchmark, cell and metric, for `dvc metrics diff`."""

from __future__ import annotations

from ganbench.reports.exporters.source import Export, Source, strict_json


def export(source: Source) -> Export:
    cells: dict[str, dict[str, float]] = {}
    for number in source.numbers:
        cells.setdefault(number.cell, {})[number.metric] = number.median
    return Export((strict_json({source.name: cells}),))
