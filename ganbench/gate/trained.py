"""What was measured of a commit by other code than this, made comparable with other commits."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from ganbench.errors import MeasurementError
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.records.columns import Column


@dataclass(frozen=True)
class Number:
    """The number that is followed."""

    label: str  # of its cell
    column: Column
    family: int  # of how many numbers it was chosen


@dataclass(frozen=True)
class Trained:
    """What was measured of a commit: cells by label, each with its first seeds alone."""

    measurements: Measurements
    diverged: Mapping[str, Collection[int]] = field(default_factory=dict)  # seeds by label


def ranked(
    trained: Trained, known: Mapping[str, Mapping[str, Series]], number: Number | None
) -> Measurements:
    """Return the cells under their labels, where a training that diverged is worse than any."""
    cells = {}
    for cell in trained.measurements.cells.values():
        if number is not None and cell.label != number.label:
            continue
        series = {}
        for name in {**known.get(cell.label, {}), **cell.series}:
            own = cell.series.get(name) or replace(known[cell.label][name], values={}, lacking=0)
            if not own.values and name in known.get(cell.label, {}):
                own = replace(own, protocol=known[cell.label][name].protocol)
            lost = trained.diverged.get(cell.label, ()) if own.column.kind != "timing" else ()
            worst = {"max": -math.inf}.get(own.column.direction, math.inf)
            if own.column.kind != "count":
                own = replace(own, values={**own.values, **dict.fromkeys(lost, worst)})
            series[name] = own
        cells[cell.label] = replace(
            cell, id=cell.label, settings={}, statuses={"ok": 1}, series=series, reasons=()
        )
    if number is not None and not cells:
        raise MeasurementError(f"it has no cell {number.label}")
    return replace(trained.measurements, cells=cells)


def are_same(a: Measurements, b: Measurements) -> bool:
    """Return whether both have the same cells and trained the very same of each."""
    return a.cells.keys() == b.cells.keys() and all(
        _same_results(cell, b.cells[label]) for label, cell in a.cells.items()
    )


def _same_results(a: Measured, b: Measured) -> bool:
    """Return whether two cells trained the very same.

    They have where each number is equal, seed by seed, and one tells the seeds apart: a count does
    not.
    """
    shared = [
        (series.column, series.values, b.series[name].values)
        for name, series in a.series.items()
        if name in b.series
        and series.column.kind != "timing"
        and not series.column.depends_on_machine
    ]
    tells = any(c.kind != "count" and len(set(x.values())) == len(x) > 1 for c, x, _ in shared)
    return tells and all(x == y for _, x, y in shared)
