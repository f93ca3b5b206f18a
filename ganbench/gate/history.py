"""A benchmark's numbers over commits, with marks where the gate says that they changed.

What lies before a commit is compared with what lies after it, by the exact test: of each seed the
last value before and the first one after, so that a seed that is trained at every commit counts
once. The split that tells most is marked if it passes, and both parts are looked at again. α is
divided among all splits of all numbers of a family, so that in a history in which nothing changed
the chance of any mark is below α.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from statistics import fmean, median, stdev

from ganbench.errors import BaselineError
from ganbench.gate import baseline
from ganbench.gate.ab import without_versions
from ganbench.gate.baseline import Baseline
from ganbench.gate.compare import compare
from ganbench.gate.comparison import Policy, Verdict
from ganbench.gate.differences import Difference, differences, sentences
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.gate.repository import commits_of_file, file_at, repository_around
from ganbench.gate.significance import larger_p
from ganbench.records.columns import Column
from ganbench.records.run_folder import Run

MOST = 30
"""Seeds on either side of a split that are compared, those next to it: enough, and quick."""


@dataclass(frozen=True)
class Point:
    """What was measured of one commit."""

    name: str  # the commit that changed the file, or a path
    date: str
    commit: str  # that was measured; empty where it is not known
    reason: str  # why it was banked
    measurements: Measurements
    gate: dict[str, object] = field(default_factory=dict)  # of its benchmark file


@dataclass(frozen=True)
class Entry:
    """One number of one cell at one point."""

    point: int
    cell: Measured
    series: Series

    @property
    def values(self) -> tuple[float, ...]:
        """Return the values, a seed each."""
        return tuple(self.series.values.values())

    @property
    def mean(self) -> float:
        """Return their mean."""
        return fmean(self.values)

    @property
    def sd(self) -> float | None:
        """Return their standard deviation; None of one."""
        return stdev(self.values) if len(self.values) > 1 else None


@dataclass(frozen=True)
class Row:
    """One number of one cell at all points that have it."""

    label: str
    column: Column
    gated: bool
    entries: tuple[Entry, ...]
    marks: Mapping[int, Verdict]  # by point, where it is not as it was before


@dataclass(frozen=True)
class History:
    """All numbers over all points, by time."""

    points: tuple[Point, ...]
    rows: tuple[Row, ...]
    policy: Policy
    level: float  # of each test of a gated number
    notes: tuple[str, ...] = ()


def of_file(path: Path) -> tuple[list[Point], list[str]]:
    """Return a baseline's file as it was at each commit that changed it, and as it is now.

    What cannot be read is left out, with a sentence. Raises BaselineError for a file that git does
    not keep.
    """
    where = path.resolve()
    repository = repository_around([where.parent])
    commits = commits_of_file(repository, where) if repository else []
    if repository is None or not commits:
        raise BaselineError(
            f"{path}: no commit has it, so that it has no history; commit it, or name several runs "
            "or baselines"
        )
    points, notes = [], []
    text = None
    for commit in commits:
        text = file_at(repository, commit.id, where)
        if text is None:
            notes.append(f"{commit.short} removed the file")
            continue
        try:
            found = baseline.parsed(text.encode(), f"{path} at {commit.short}")
        except BaselineError as error:
            notes.append(f"left out: {error}")
            continue
        points.append(_banked(found, commit.short, commit.date))
    if path.exists():
        found = baseline.read(path)
        if not points or found != baseline.parsed((text or "{}").encode(), str(path)):
            points.append(_banked(found, "uncommitted", found.created))
    return points, notes


def of_places(places: Sequence[Path]) -> list[Point]:
    """Return the runs in folders and the baselines in files, by the time they were made."""
    points = []
    for place in places:
        if place.is_dir():
            run = Run.read(place)
            git = {k: {"commit": v.commit} for k, v in run.info.provenance.git.items() if v}
            measured = Measurements.of(run)
            made = run.info.created
            points.append(Point(str(place), made, _commit(git), "", measured, run.info.gate))
        else:
            found = baseline.read(place)
            points.append(_banked(found, str(place), found.created))
    return sorted(points, key=lambda point: point.date)


def history(points: Sequence[Point], policy: Policy, notes: Sequence[str] = ()) -> History:
    """Return every number over the points, with marks where it changed."""
    rows = list(_rows(points, policy))
    levels = {}
    for gated in (True, False):
        splits = sum(len(row.entries) - 1 for row in rows if row.gated == gated and _is_tested(row))
        levels[gated] = policy.alpha / max(1, splits)
    marked = [
        replace(row, marks=dict(_marks(row, points, policy, levels[row.gated]))) for row in rows
    ]
    told = (*notes, *_new_settings(points))
    return History(tuple(points), tuple(marked), policy, levels[True], told)


def _banked(found: Baseline, name: str, date: str) -> Point:
    git = found.source.get("git")
    return Point(
        name,
        date,
        _commit(git if isinstance(git, dict) else {}),
        found.reason,
        found.measurements,
        found.gate,
    )


def _commit(git: Mapping[str, object]) -> str:
    """Return the commit that was measured: of the benchmark's repository, or else of ganbench's."""
    for name in ("benchmark", "ganbench"):
        state = git.get(name)
        if isinstance(state, Mapping) and state.get("commit"):
            return str(state["commit"])
    return ""


def _rows(points: Sequence[Point], policy: Policy) -> Iterator[Row]:
    """Yield the rows without marks; cells go on under their labels."""
    found: dict[tuple[str, str], list[Entry]] = {}
    for i, point in enumerate(points):
        for cell in point.measurements.cells.values():
            for name, series in cell.series.items():
                if series.values:
                    found.setdefault((cell.label, name), []).append(Entry(i, cell, series))
    for (label, _), entries in found.items():
        column = entries[-1].series.column
        yield Row(label, column, policy.gates(column), tuple(entries), {})


def _is_tested(row: Row) -> bool:
    return row.column.kind == "quality" and row.column.direction != "none"


def _marks(
    row: Row, points: Sequence[Point], policy: Policy, level: float
) -> Iterator[tuple[int, Verdict]]:
    """Yield the points at which a number begins to be another, with the gate's verdict."""
    exact = row.column.kind in ("count", "numerics")
    era: list[Entry] = list(row.entries[:1])
    eras = [era]
    for before, after in pairwise(row.entries):
        why = _incomparable(before, after, points)
        if not why and not exact:
            era.append(after)
            continue
        era = [after]
        eras.append(era)
        if why:
            yield after.point, _verdict(row, [before], [after], points, policy, why)
        else:
            verdict = _verdict(row, [before], [after], points, policy)
            if verdict.word != "unchanged":
                yield after.point, verdict
    if _is_tested(row):
        strict = replace(policy, alpha=level / 2)  # for either way
        for era in eras:
            yield from _changes(row, era, points, strict)


def _incomparable(before: Entry, after: Entry, points: Sequence[Point]) -> str:
    """Return why two points have not the same number; nothing where they have."""
    found = _settings(before.cell, after.cell)
    if differs := [difference.sentence for difference in found if not difference.one_sided]:
        return "; ".join(differs)
    if before.cell.data and after.cell.data and before.cell.data != after.cell.data:
        return f"other data: SHA-256 {after.cell.data[:12]}…, was {before.cell.data[:12]}…"
    a, b = before.series.protocol, after.series.protocol
    if a != b:
        then, now = (
            points[entry.point].measurements.protocols.get(entry.series.protocol)
            for entry in (before, after)
        )
        differs = sentences(then, now) if then and now else []
        return f"other protocol: {'; '.join(differs) or f'{b}, was {a}'}"
    return ""


def _settings(before: Measured, after: Measured) -> list[Difference]:
    """Return the settings that differ, but for the versions of plugins.

    As with `ganbench ab`, one that one side alone has leaves the work the same.
    """
    if before.id == after.id:
        return []
    return [*differences(*(without_versions(cell.settings) for cell in (before, after)))]


def _new_settings(points: Sequence[Point]) -> Iterator[str]:
    """Yield a note on each setting that one point has and the one before it has not."""
    for before, after in pairwise(points):
        then = {cell.label: cell for cell in before.measurements.cells.values()}
        for cell in after.measurements.cells.values():
            found = _settings(then[cell.label], cell) if cell.label in then else []
            told = "; ".join(one.sentence for one in found if one.one_sided)
            if told:
                yield f"{after.name}: {cell.label}: one side alone has {told}"


def _changes(
    row: Row, era: Sequence[Entry], points: Sequence[Point], policy: Policy
) -> Iterator[tuple[int, Verdict]]:
    """Yield the changes within points that can be compared, each half looked at again."""
    best: tuple[float, float, int] | None = None
    for k in range(1, len(era)):
        before, after = _either_side(era[:k], era[k:])
        x, y = list(before.values()), list(after.values())
        p = 1.0 if before == after else min(larger_p(x, y), larger_p(y, x))
        gap = abs(median(y) - median(x))
        allowed = policy.tolerance(row.column).of(median(x))
        if p < policy.alpha and gap > allowed and (best is None or (p, -gap) < best[:2]):
            best = (p, -gap, k)
    if best is None:
        return
    k = best[2]
    yield from _changes(row, era[:k], points, policy)
    yield era[k].point, _verdict(row, era[:k], era[k:], points, policy)
    yield from _changes(row, era[k:], points, policy)


def _either_side(
    before: Sequence[Entry], after: Sequence[Entry]
) -> tuple[dict[int, float], dict[int, float]]:
    """Return of each seed its last value before and its first one after, of the nearest seeds."""
    then: dict[int, float] = {}
    now: dict[int, float] = {}
    for found, entries in ((then, before[::-1]), (now, after)):
        for entry in entries:
            if len(found) >= MOST:
                break
            for seed, value in entry.series.values.items():
                found.setdefault(seed, value)
    return then, now


def _verdict(
    row: Row,
    before: Sequence[Entry],
    after: Sequence[Entry],
    points: Sequence[Point],
    policy: Policy,
    why: str = "",
) -> Verdict:
    """Return what the gate says of what is after against what is before; `why` it cannot."""
    last, first = before[-1], after[0]
    values = _either_side(before, after)
    then = _alone(last, points[last.point].measurements, values[0])
    now = _alone(first, points[first.point].measurements, values[1])
    verdict = compare(then, now, replace(policy, metrics=(row.column.name,))).verdicts[0]
    return replace(verdict, word="incomparable", evidence=why, gated=row.gated) if why else verdict


def _alone(entry: Entry, whole: Measurements, values: dict[int, float]) -> Measurements:
    """Return measurements of one number of one cell."""
    name = entry.series.column.name
    cell = replace(
        entry.cell,
        id=entry.cell.label,
        settings={},
        statuses={"ok": len(values)},
        series={name: replace(entry.series, values=values, lacking=0)},
        data="",
    )
    return replace(whole, cells={cell.id: cell})
