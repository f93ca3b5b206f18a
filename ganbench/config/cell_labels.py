"""What cells are called in tables: short, and no two alike."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from ganbench.config.benchmark_file import CellRequest
from ganbench.config.choices import Choice
from ganbench.records.cells import Cell, axis_word, label


def axes_of(request: CellRequest) -> dict[str, str]:
    """Name a cell for tables: by its parts, and whatever else the matrix varies."""
    asked = request.settings
    axes = {
        "dataset": asked.dataset.label,
        "loss": asked.loss.label,
        "conditioning": asked.conditioning.label,
        "architecture": asked.architecture.label,
    }
    for axis in ("regularizers", "transforms"):
        chosen: tuple[Choice[Any], ...] = getattr(asked, axis)
        if chosen or axis in request.axes:
            axes[axis] = "+".join(choice.label for choice in chosen) or "none"
    others = {key: value for key, value in request.axes.items() if key not in axes}
    return {**axes, **{key: f"{axis_word(key)}={v}" for key, v in others.items()}}


def named(cells: Sequence[Cell], requests: Sequence[CellRequest]) -> list[Cell]:
    """Return the cells with the shortest labels that tell them apart."""
    datasets = [request.settings.dataset for request in requests]
    return _told_apart(_shortly_named(cells, {one.label: one.called for one in datasets}))


def _shortly_named(cells: Sequence[Cell], called: Mapping[str, str]) -> list[Cell]:
    """Without the options that no two values of an axis need to be told apart."""
    short: dict[str, dict[str, str]] = {}
    for axis in cells[0].axes:
        values = {cell.axes.get(axis, "") for cell in cells}
        known = called if axis == "dataset" else {}
        names = {value: known.get(value) or _without_options(value) for value in values}
        short[axis] = names if len(set(names.values())) == len(values) else {}
    renamed = [
        {axis: short.get(axis, {}).get(value, value) for axis, value in cell.axes.items()}
        for cell in cells
    ]
    several = len({cell.axes["dataset"] for cell in cells}) > 1
    return [
        cell.renamed(label(axes, several), axes) for cell, axes in zip(cells, renamed, strict=True)
    ]


def _without_options(value: str) -> str:
    """Leave out what is in brackets, also in others, as of a folder `a (1)`, if that is all."""
    before, found = "", value
    while found != before:
        before, found = found, re.sub(r"\([^()]*\)", "", found)
    return value if re.search("[()]", found) else found


def _told_apart(cells: Sequence[Cell]) -> list[Cell]:
    """Cells that an include rule made differ in no axis get the start of their ids as one."""
    labels = Counter(cell.label for cell in cells)
    return [
        cell
        if labels[cell.label] == 1
        else cell.renamed(f"{cell.label}{_mark(cell)}", {**cell.axes, "cell": _mark(cell)})
        for cell in cells
    ]


def _mark(cell: Cell) -> str:
    return f"#{cell.id[:4]}"
