"""Which seeds and cells of a benchmark to train, as a command line or a notebook names them."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ganbench.errors import ConfigError, NothingSelected
from ganbench.records.cells import axis_word
from ganbench.util.messages import brief

if TYPE_CHECKING:
    from ganbench.records.cells import Cell, Plan


def parse_seeds(text: str | None) -> tuple[int, ...]:
    """Return the seeds that `0,1,2` or `0-4` names; none for None.

    Raises ConfigError for anything else, and NothingSelected where no seed is in it.
    """
    if text is None:
        return ()
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdecimal() or (dash and not last.isdecimal()):
            raise ConfigError(f"--seeds {brief(text)}: expected whole numbers like 0,1,2 or 0-4")
        first, last = first.lstrip("0") or "0", (last or first).lstrip("0") or "0"
        if max(len(first), len(last)) > len(str(2**63)):
            raise ConfigError(f"--seeds {brief(text)}: expected numbers below 2**63")
        if max(int(first), int(last or first)) >= 2**63 or int(last or first) - int(first) > 10_000:
            raise ConfigError(f"--seeds {text}: expected numbers below 2**63, and at most 10,000")
        seeds.extend(range(int(first), int(last or first) + 1))
    if not seeds:
        raise NothingSelected(f"--seeds {text}: no seed in it")
    if len(set(seeds)) < len(seeds):
        raise ConfigError(f"--seeds {text}: the same seed stands twice")
    return tuple(seeds)


def only(plan: Plan, rules: Sequence[str]) -> Plan:
    """Return the plan with the cells that every rule AXIS=VALUE admits, and their references.

    Values joined by commas are alternatives. Raises ConfigError for a rule that names no axis, and
    NothingSelected where one leaves no cell.
    """
    cells = plan.cells
    for rule in rules:
        axis, equals, values = rule.partition("=")
        axes = dict.fromkeys(name for cell in plan.cells for name in cell.axes)
        if not equals or axis not in axes:
            raise ConfigError(f"--only {rule}: expected AXIS=VALUE; the axes are {', '.join(axes)}")
        wanted = {_as_in_file(value.strip(), axis) for value in values.split(",")}
        cells = tuple(c for c in cells if not wanted.isdisjoint(_names(c, axis)))
        if not cells:
            known = dict.fromkeys(_as_in_file(c.axes.get(axis, ""), axis) for c in plan.cells)
            raise NothingSelected(
                f"--only {rule}: leaves no cell; the values of {axis} are {', '.join(known)}"
            )
    references = tuple(r for r in plan.references if any(r.dataset == c.dataset for c in cells))
    return dataclasses.replace(plan, cells=cells, references=references)


def rules_of(plan: Plan, label: str) -> tuple[str, ...]:
    """Return rules AXIS=VALUE that leave the cell of this label alone; none where no rules do."""
    cells = [c for c in plan.cells if label in (row.label for row in c.by_sampler())]
    axes = dict.fromkeys(name for cell in plan.cells for name in cell.axes)
    rules = tuple(
        f"{axis}={cell.axes[axis]}"
        for cell in cells
        for axis in axes
        if axis in cell.axes and len({c.axes.get(axis) for c in plan.cells}) > 1
    )
    try:
        left = only(plan, rules).cells
    except NothingSelected:  # a value with a comma
        return ()
    return rules if list(left) == cells else ()


def _names(cell: Cell, axis: str) -> tuple[str, ...]:
    """Return what a rule may call a cell's value: own images go by their data set's name, too."""
    shown = _as_in_file(cell.axes.get(axis, ""), axis)
    return (shown, cell.dataset.name) if axis == "dataset" else (shown,)


def _as_in_file(value: str, axis: str) -> str:
    """Tables call a value of training.g_lr `g_lr=0.002`, and the file 0.002."""
    return value.removeprefix(f"{axis_word(axis)}=")
