"""Two versions of the code measured in turns, in one job, so that nothing but they differs."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ganbench.gate.differences import ABSENT, differences
from ganbench.gate.jobs import Job, read_run, run
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.gate.versions import Version

SIDES = ("base", "head")

Sides = dict[str, list[Measurements]]  # base and head, round by round


@dataclass(frozen=True)
class Reconciled:
    """Both sides with the cells of equal work under equal ids."""

    base: Measurements
    head: Measurements
    notes: tuple[str, ...]


def rounds(count: int, warm_up: int) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Yield numbers and orders; whoever came first comes second next.

    Number 0, the warm-up, does not count.
    """
    for number in range(1 - warm_up, count + 1):
        yield number, SIDES if number % 2 else SIDES[::-1]


def measure(
    job: Job,
    versions: Sequence[Version],
    folder: Path,
    count: int,
    *,
    warm_up: int = 0,
    tell: Callable[[str], None] = lambda line: None,
) -> Sides:
    """Run every round, each in a folder of its own, and read what was measured.

    Raises MeasurementError at the first run that does not end well.
    """
    by_side = {version.side: version for version in versions}
    sides: Sides = {side: [] for side in SIDES}
    for number, order in rounds(count, warm_up):
        for side in order:
            out = folder / f"round-{number}" / side
            started = time.monotonic()
            run(job, by_side[side], out, f"round {number}")
            name = f"round {number} of {count}" if number else "warm-up"
            tell(f"{name}: {side}, {time.monotonic() - started:.0f} s")
            if number:
                sides[side].append(read_run(out))
    return sides


def read(folder: Path) -> Sides:
    """Return the rounds that `measure` left in a folder."""
    numbers = sorted(int(path.name.removeprefix("round-")) for path in folder.glob("round-*"))
    counted = [folder / f"round-{n}" for n in numbers if n > 0]
    return {side: [read_run(found / side) for found in counted] for side in SIDES}


def reconciled(sides: Sides) -> Reconciled:
    """Return the rounds of each side as one, and equal cells under equal ids.

    Versions of ganbench and of plugins are what is compared, and make no other cell. Neither does
    an option that one version lacks, for both were asked for the same; a note tells of it.
    """
    base, head = (_merged(sides[side]) for side in SIDES)
    ids, notes = _matched(base.cells.values(), head.cells.values())
    cells = {
        ids.get(id, id): replace(cell, id=ids.get(id, id), label=_label(head, ids.get(id), cell))
        for id, cell in base.cells.items()
    }
    return Reconciled(replace(base, cells=cells), head, tuple(notes))


def without_versions(settings: Any) -> Any:
    """Return settings in which plugins lack the sources that they came from."""
    if isinstance(settings, Mapping):
        is_plugin = settings.keys() == {"kind", "name", "options", "source"}
        return {
            key: without_versions(value)
            for key, value in settings.items()
            if not (is_plugin and key == "source")
        }
    if isinstance(settings, list | tuple):
        return [without_versions(value) for value in settings]
    return settings


def _merged(found: Sequence[Measurements]) -> Measurements:
    """Join the timings of every round.

    The seeds being the same in each, other numbers are of the first: to count them again would make
    much evidence of little.
    """
    last = found[-1]
    cells = {id: _cell([m.cells[id] for m in found if id in m.cells]) for id in last.cells}
    return replace(last, cells=cells)


def _cell(found: Sequence[Measured]) -> Measured:
    series = {}
    for name, last in found[-1].series.items():
        of_rounds = [cell.series[name] for cell in found if name in cell.series]
        series[name] = _timed(of_rounds) if last.column.kind == "timing" else of_rounds[0]
    statuses: dict[str, int] = {}
    for cell in found:
        for status, count in cell.statuses.items():
            statuses[status] = statuses.get(status, 0) + count
    settings = without_versions(found[-1].settings)
    return replace(found[-1], settings=settings, statuses=statuses, series=series)


def _timed(found: Sequence[Series]) -> Series:
    values = [value for series in found for value in series.values.values()]
    return replace(found[-1], values=dict(enumerate(values)))


def _matched(
    base: Collection[Measured], head: Collection[Measured]
) -> tuple[dict[str, str], list[str]]:
    """Return the ids of the head's cells by those of the base's, and what one version lacks."""
    ids: dict[str, str] = {}
    notes: list[str] = []
    left = list(head)
    for alike in (_equal, _equal_where_both_have_it):
        for cell in [c for c in base if c.id not in ids]:
            if twin := next((c for c in left if alike(cell, c)), None):
                left.remove(twin)
                ids[cell.id] = twin.id
                notes += _lacking(cell.settings, twin.settings)
    return ids, list(dict.fromkeys(notes))


def _equal(a: Measured, b: Measured) -> bool:
    return a.settings == b.settings


def _equal_where_both_have_it(a: Measured, b: Measured) -> bool:
    return a.label == b.label and all(
        difference.one_sided for difference in differences(a.settings, b.settings)
    )


def _lacking(base: Any, head: Any) -> Iterator[str]:
    """Yield a note for all that one side alone has."""
    for place, before, after in filter(lambda d: d.one_sided, differences(base, head)):
        side, value = ("head", after) if before is ABSENT else ("base", before)
        yield f"the {side} alone has {place}, here {value}"


def _label(head: Measurements, id: str | None, cell: Measured) -> str:
    return head.cells[id].label if id in head.cells else cell.label
