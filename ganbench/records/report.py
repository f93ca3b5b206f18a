"""From a run's results to its table, with the notes that belong under it."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING

from ganbench.records import additions, judges, origin_notes, ranking, spread_notes
from ganbench.records.cells import CONTINUED, MAIN_AXES, PLAIN, SAMPLER, Plan
from ganbench.records.columns import INCEPTION, MEANINGLESS, UNNAMED, Column, Name
from ganbench.records.platforms import PLATFORM, SEVERAL
from ganbench.records.results import MetricValue
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.run_info import RunInfo
from ganbench.records.spread import spread
from ganbench.records.status import Status
from ganbench.records.table import Note, Row, Summary, Table
from ganbench.util.messages import counted

if TYPE_CHECKING:
    import pandas as pd

SIZES_AND_TIME = (  # the columns that no metric gives
    Column("g-parameters", "", "none", 0, "G params"),
    Column("d-parameters", "", "none", 0, "D params"),
    Column("seconds", "s", "none", 0),
)


@dataclass(frozen=True)
class Section:
    """A part of report.html that a reporter adds: a heading and what stands below it."""

    title: str
    body: str  #: text, which is escaped, or HTML as markupsafe.Markup, which is taken as it is


@dataclass(frozen=True)
class Report:
    """A run with its results, read back: what reporters are handed and `load_run` returns."""

    run: Run  #: its folder
    outcomes: tuple[TrialOutcome, ...]  #: of every trial, by sampler; references first
    table: Table  #: the summary
    sections: tuple[Section, ...] = ()  #: that the run's reporters add to report.html

    @classmethod
    def of(cls, run: Run) -> Report:
        """Return the report of a run as its folder is now."""
        outcomes = tuple(run.outcomes_by_sampler())
        return cls(run, outcomes, summarize(run, outcomes))

    @property
    def info(self) -> RunInfo:
        """What was asked, of what versions and on what machine."""
        return self.run.info

    @property
    def plan(self) -> Plan:
        """Every cell, resolved."""
        return self.run.plan

    @cached_property
    def records(self) -> pd.DataFrame:
        """Every number of every trial, in long form: a line for each."""
        return self.run.frame()

    def frame(self) -> pd.DataFrame:
        """Return `records`, to be changed at will."""
        return self.records.copy()


def load_run(path: str | Path) -> Report:
    """Return the run in a folder, with its trials' results and its table.

    Nothing is run, no plugin is loaded and torch is not imported. A damaged file of a trial costs
    only what it holds, and the trial's `reason` says so. Raises RunError where the folder holds no
    run, or `run.json` or `plan.json` is damaged.
    """
    return Report.of(Run.read(Path(path)))


@dataclass
class _Group:
    """A row's trials."""

    outcomes: list[TrialOutcome] = field(default_factory=list)

    @cached_property
    def numbers(self) -> dict[str, list[MetricValue]]:
        found: dict[str, list[MetricValue]] = {}
        for outcome in self.outcomes:
            for number in outcome.result.numbers():
                found.setdefault(_with_space(number.column.name), []).append(number)
        return found

    @cached_property
    def platforms(self) -> list[str]:
        """What its trials ran on, each once."""
        ran = (o.platform for o in self.outcomes if o.status is not Status.INCOMPATIBLE)
        return list(dict.fromkeys(filter(None, ran)))

    def summary(self, name: str) -> Summary:
        named = self.numbers.get(name, [])
        found = [m for m in named if m.value is not None]
        values = [float(m.value) for m in named if m.value is not None]
        if found and found[0].column.depends_on_machine and len(self.platforms) > 1:
            why = f"values of different platforms ({'; '.join(self.platforms)}) are not averaged"
            return Summary(None, None, 0, reason=why)
        reasons = [m.reason for m in named if m.reason]
        reasons += [o.reason for o in self.outcomes if o.reason]
        if not values:
            return Summary(None, None, 0, reason=reasons[0] if reasons else "")
        protocols = frozenset(m.protocol for m in found if m.protocol)
        if len(protocols) > 1:
            ids = ", ".join(sorted(protocols))
            why = f"values of different protocols ({ids}) are not averaged"
            return Summary(None, None, 0, protocols, why)
        error = stdev(values) / math.sqrt(len(values)) if len(values) > 1 else None
        parts = spread([[d for d in m.draws if d is not None] for m in found])
        why = (reasons or [""])[0]
        return Summary(fmean(values), error, len(values), protocols, why, spread=parts)


def summarize(run: Run, outcomes: Iterable[TrialOutcome]) -> Table:
    """Return the table of a run: rows in the order of the plan, marks and notes made."""
    groups: dict[str, _Group] = {}
    for outcome in outcomes:
        groups.setdefault(outcome.trial.subject.id, _Group()).outcomes.append(outcome)
    columns = _columns(groups.values())
    rows = _by_sampler([_row(group, columns) for group in groups.values()])
    rows = _by_platform(rows, [*groups.values()])
    shown = tuple(c for c in columns if any(r.values[c.name].mean is not None for r in rows))
    alike = _measured_alike(groups.values())
    rows = ranking.marked(rows, shown, alike)
    notes = tuple(_notes(run, groups, rows, shown, columns, alike))
    return Table(run.plan.name, _axes(rows), shown, tuple(rows), notes)


def _columns(groups: Iterable[_Group]) -> list[Column]:
    found: dict[str, Column] = {}
    for group in groups:
        for outcome in group.outcomes:
            for metric in outcome.result.metrics:
                name = _with_space(metric.column.name)
                if name not in found:
                    found[name] = replace(metric.column, name=name)
    return [*found.values(), *SIZES_AND_TIME]


@cache
def _with_space(name: str) -> str:
    return Name.of(name).with_space


def _row(group: _Group, columns: Sequence[Column]) -> Row:
    outcomes = group.outcomes
    first = outcomes[0].trial
    statuses = [o.status for o in outcomes]
    return Row(
        label=first.subject.label,
        axes=dict(first.subject.axes),
        is_reference=first.cell is None,
        n=statuses.count(Status.OK),
        failed=sum(s.ended_badly for s in statuses),
        values={c.name: group.summary(c.name) for c in columns},
        status=", ".join(dict.fromkeys(statuses)),
        reasons=tuple(dict.fromkeys(o.reason for o in outcomes if o.reason)),
        alone=all(o.result.timings is None or o.result.timings.alone for o in outcomes),
        images=None if first.cell else _judged(outcomes),
        is_outside=first.reference is not None and first.reference.samples is not None,
    )


def _judged(outcomes: Sequence[TrialOutcome]) -> int | None:
    """Return how many images were judged, of which a metric may take fewer."""
    protocols = [p for outcome in outcomes for p in outcome.result.protocols.values()]
    counts = (protocol.get("num_samples") for protocol in protocols)
    return max((count for count in counts if isinstance(count, int)), default=None)


def _by_sampler(rows: list[Row]) -> list[Row]:
    """Say of every cell by which sampler its images were drawn, where any was not by `plain`."""
    if not any(SAMPLER in row.axes for row in rows):
        return rows
    return [
        row
        if row.is_reference
        else replace(row, axes={**row.axes, SAMPLER: row.axes.get(SAMPLER, PLAIN)})
        for row in rows
    ]


def _by_platform(rows: list[Row], groups: Sequence[_Group]) -> list[Row]:
    """Say of every cell what its trials ran on, where any ran elsewhere than another."""
    if len({platform for group in groups for platform in group.platforms}) < 2:
        return rows
    return [
        row
        if row.is_reference
        else replace(row, axes={**row.axes, PLATFORM: SEVERAL.join(group.platforms)})
        for row, group in zip(rows, groups, strict=True)
    ]


def _axes(rows: Sequence[Row]) -> tuple[str, ...]:
    """Return the axes that say what a cell is, and any other with more than one value.

    Without a cell, there is one for the names of rows.
    """
    cells = [row for row in rows if not row.is_reference]
    if not cells:
        return ("samples",)
    names = dict.fromkeys(axis for row in cells for axis in row.axes)
    always = (*MAIN_AXES[1:], SAMPLER, CONTINUED, PLATFORM)
    return tuple(
        axis for axis in names if axis in always or len({row.axes.get(axis) for row in cells}) > 1
    )


def _measured_alike(groups: Iterable[_Group]) -> dict[str, str]:
    """Return what of each protocol, by id, rivals must share: all but who drew the images."""
    return {
        id: json.dumps({key: part for key, part in protocol.items() if key != SAMPLER})
        for group in groups
        for outcome in group.outcomes
        for id, protocol in outcome.result.protocols.items()
    }


def _notes(
    run: Run,
    groups: dict[str, _Group],
    rows: Sequence[Row],
    columns: Sequence[Column],
    every_column: Sequence[Column],  # those without any value too
    alike: Mapping[str, str],
) -> Iterator[Note]:
    cells = [row for row in rows if not row.is_reference]
    if any(row.n > 1 for row in cells):
        yield Note(
            "errors", "±: standard error over training seeds (sample standard deviation / √n)."
        )
    elif cells:
        yield Note(
            "errors",
            "One training seed: its spread is unknown, and the best value is no proof of a win.",
        )
    if any(s.spread for row in rows for s in row.values.values()):
        ties = ((c, [rows[i] for i in best]) for c, best in ranking.best(rows, columns, alike))
        spreads = spread_notes.sentences(rows, columns, list(ties))
        yield from (Note("spread", text) for text in spreads)
    marks = {s.mark for row in rows for s in row.values.values()}
    if "tied" in marks:
        yield Note("ties", "≈: tied with the best within the standard errors of both.")
    yield from (Note("features", text) for text in _feature_notes(columns))
    yield from (Note("budget", text) for text in _budget_notes(groups))
    yield Note("device", origin_notes.device(run))
    yield from (Note("merged", text) for text in origin_notes.merged(run.info))
    yield from (Note("reused", text) for text in origin_notes.reused(run))
    yield from (Note("decided", text) for text in run.info.decided)
    if any(not row.alone for row in rows):
        yield Note("shared", "*: measured while other trials or programs shared the cores.")
    if listed := _protocols(rows, columns):
        yield Note(
            "protocols",
            f"Protocols (reference rows have their own where sample counts differ): {listed}.",
        )
    for row in rows:
        for reason in row.reasons:
            yield Note("failure", f"{row.label}: {row.status}: {reason}")
    yield from (Note("samples", r.about) for r in run.plan.references if r.samples)
    judged = (o.result for group in groups.values() for o in group.outcomes)
    yield from (Note("judges", text) for text in judges.sentences(judged))
    added = (a for group in groups.values() for o in group.outcomes for a in o.additions)
    yield from (Note("added", text) for text in additions.sentences(added))
    yield from (Note("missing", text) for text in _missing_notes(rows, every_column))
    yield from (Note("classes", text) for text in _class_notes(groups))
    yield from (Note("data", text) for text in _data_notes(groups))


def _feature_notes(columns: Sequence[Column]) -> Iterator[str]:
    """One for the Fréchet distances of each feature space, and one for its other numbers."""
    found: dict[tuple[str, bool], list[str]] = {}
    for column in columns:
        name = Name.of(column.name)
        if name.space not in ("", INCEPTION) and not name.rest:
            found.setdefault((name.space, name.is_frechet), []).append(column.name)
    for (space, is_frechet), names in found.items():
        who = ", ".join(names)
        if space == UNNAMED:
            yield f"{who}: the metric does not name its features; comparable with no other number."
        elif is_frechet:
            what = "Fréchet distance" if len(names) == 1 else "Fréchet distances"
            yield f"{who}: {what} in the features of {space}; not comparable with Inception FID."
        else:
            yield f"{who}: in the features of {space}."


def _protocols(rows: Sequence[Row], columns: Sequence[Column]) -> str:
    """Return the ids, each once, after the columns that they stand for."""
    found: dict[str, list[str]] = {}
    for column in columns:
        ids = "/".join(sorted({p for row in rows for p in row.values[column.name].protocols}))
        found.setdefault(ids, []).append(column.name)
    return "; ".join(f"{', '.join(names)} {ids}" for ids, names in found.items() if ids)


def _missing_notes(rows: Sequence[Row], columns: Sequence[Column]) -> Iterator[str]:
    """Why trials that went well have no value, or fewer than there were seeds."""
    cells = [row for row in rows if not row.is_reference or row.is_outside]
    found: dict[tuple[str, str, tuple[str, ...]], list[str]] = {}
    for column in columns:
        lacking: dict[tuple[str, str], list[str]] = {}
        for row in cells:
            summary = row.values[column.name]
            if summary.n < row.n and summary.reason not in ("", MEANINGLESS):
                what = f"mean of {summary.n} of {row.n} seeds" if summary.n else "no value"
                lacking.setdefault((what, summary.reason), []).append(row.label)
        for (what, reason), labels in lacking.items():
            found.setdefault((what, reason, tuple(labels)), []).append(column.name)
    for (what, reason, whom), names in found.items():
        whose = "" if len(whom) == len(cells) else f" for {', '.join(whom)}"
        yield f"{', '.join(names)}: {what}{whose}: {reason}."


def _data_notes(groups: dict[str, _Group]) -> Iterator[str]:
    """Yield what trials remarked of their data, each once."""
    found: dict[str, None] = {}
    for group in groups.values():
        for outcome in group.outcomes:
            subject = outcome.trial.subject
            name = subject.axes.get("dataset", subject.dataset.name)
            if (data := outcome.result.data) is None:
                continue
            told = [*_skipped(data.problems), *data.remarks]
            found |= dict.fromkeys(f"Data set {name}: {one}." for one in told)
    yield from found


def _skipped(problems: Sequence[str]) -> Iterator[str]:
    """Yield how many files were left out, and the first of them."""
    if problems:
        files = counted(len(problems), "file")
        are = "is" if len(problems) == 1 else "are"
        yield f"{files} cannot be used and {are} skipped, such as {problems[0]}"


def _class_notes(groups: dict[str, _Group]) -> Iterator[str]:
    """Which class it was that decided a number, such as the worst."""
    found: dict[str, dict[str, list[str]]] = {}
    for group in groups.values():
        for name, numbers in group.numbers.items():
            if classes := ", ".join(dict.fromkeys(n.which for n in numbers if n.which)):
                label = group.outcomes[0].trial.subject.label
                found.setdefault(name, {}).setdefault(classes, []).append(label)
    for name, by_classes in found.items():
        whose = "; ".join(f"{which} for {', '.join(whom)}" for which, whom in by_classes.items())
        yield f"{name} is of the class {whose}."


def _budget_notes(groups: dict[str, _Group]) -> Iterator[str]:
    """By loss, or by cell where the loss does not decide the budget."""
    budgets: dict[tuple[float, int, int], dict[str, None]] = {}
    labels_of: dict[tuple[float, int, int], dict[str, None]] = {}
    for group in groups.values():
        for outcome in group.outcomes:
            if training := outcome.result.training:
                key = (training.images / 1000, training.g_updates, training.d_updates)
                budgets.setdefault(key, {})[outcome.trial.subject.axes.get("loss", "")] = None
                labels_of.setdefault(key, {})[outcome.trial.subject.label] = None
    times = Counter(loss for losses in budgets.values() for loss in losses)
    if max(times.values(), default=1) > 1:
        budgets = labels_of
    for (kimg, g_updates, d_updates), labels in budgets.items():
        whose = f" ({', '.join(labels)})" if len(budgets) > 1 else ""
        few = kimg < 10 and round(kimg, 1) != kimg  # of which a tenth may be all there is
        shown = f"{kimg:.3g}" if few else f"{kimg:,.1f}"
        yield (
            f"Budget{whose}: {shown} thousand real images shown to D, {d_updates:,} D and "
            f"{g_updates:,} G updates."
        )
    cells = (group.outcomes[0].trial.cell for group in groups.values())
    for cell in filter(None, cells):
        if (continued := cell.schedule.continues) is not None:
            yield f"{cell.label}: {continued.text}."
