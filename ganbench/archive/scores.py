"""What is ranked: the values of one column, by variant and task, seed by seed."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from ganbench.archive.agreement import but_sampler
from ganbench.errors import ConfigError, NothingSelected
from ganbench.gate.differences import differences
from ganbench.records.cells import Cell, settings_as_json
from ganbench.records.columns import Column, Name
from ganbench.records.platforms import PLATFORM
from ganbench.records.report import Report
from ganbench.records.results import MetricValue
from ganbench.records.run_folder import TrialOutcome
from ganbench.records.status import Status
from ganbench.util.messages import brief, counted, known, suggestion

OVER = ("dataset",)
MISSES = ("time-to-", "kimg-to-")
"""How columns begin of which a trial without a value did not reach the target."""
SHOWN = 4  # settings that differ between tasks
MOST = 100  # variants, of which there are 4,950 pairs


@dataclass(frozen=True)
class Scores:
    """Values by variant and task; the smaller the better, and infinite where a trial has lost."""

    column: Column
    over: tuple[str, ...]  #: the axes that make a task
    tasks: tuple[str, ...]
    variants: tuple[str, ...]
    losses: Mapping[tuple[str, str], tuple[float, ...]]  #: by variant and task; not empty
    notes: tuple[str, ...] = ()
    places: Mapping[tuple[str, str], tuple[Path, ...]] = field(default_factory=dict)
    """By variant and task, the folders of the trials."""

    def of(self, variant: str) -> list[tuple[float, ...]]:
        """Return a variant's values, task by task."""
        return [self.losses[variant, task] for task in self.tasks]

    @cached_property
    def sign(self) -> int:
        """What turns a loss into the column's value."""
        return -1 if self.column.direction == "max" else 1

    @property
    def seeds(self) -> tuple[int, int]:
        """The fewest and the most values of a variant on a task."""
        counts = [len(values) for values in self.losses.values()]
        return min(counts), max(counts)


@dataclass(frozen=True)
class _Trial:
    variant: str
    task: str
    outcome: TrialOutcome

    @property
    def cell(self) -> Cell:
        found = self.outcome.trial.cell
        assert found is not None
        return found


def scores(
    report: Report,
    metric: str | None = None,
    over: Sequence[str] = OVER,
    only: Mapping[str, Sequence[str]] | None = None,
) -> Scores:
    """Return what a run says of the column `metric`; None: of its first that says which is better.

    `over` are the axes that make a task, `only` the values of axes to look at. A training that
    diverged has lost to all that did not. Raises ConfigError for what cannot be ranked, and
    NothingSelected where there are no two variants with values on every task.
    """
    trials = _trials(report, tuple(over), only or {})
    column = _column(report, metric)
    _check_comparable(column, trials)
    losses: dict[tuple[str, str], list[float]] = {}
    notes: dict[str, list[str]] = {}
    for one in trials:
        loss, why = _loss(one.outcome, column)
        if loss is not None:
            losses.setdefault((one.variant, one.task), []).append(loss)
        if why:
            notes.setdefault(why, []).append(f"{one.cell.label} seed {one.outcome.trial.seed}")
    tasks = tuple(dict.fromkeys(task for _, task in losses))
    variants, lacking = _complete(losses, tasks, trials)
    kept = {key: tuple(values) for key, values in losses.items() if key[0] in variants}
    told = [f"{why}: {', '.join(whom)}" for why, whom in notes.items()]
    told += [*lacking, *_other_settings(trials, variants)]
    places: dict[tuple[str, str], list[Path]] = {}
    for one in trials:
        places.setdefault((one.variant, one.task), []).append(one.outcome.directory)
    at = {key: tuple(found) for key, found in places.items()}
    return Scores(column, tuple(over), tasks, variants, kept, tuple(told), at)


def time_to_target(report: Report, over: Sequence[str], only: Any) -> Scores | None:
    """Return the first time to a target that can be compared, in seconds or else in images."""
    for start in MISSES:
        for column in report.table.columns:
            if column.name.startswith(start):
                try:
                    return scores(report, column.name, over, only)
                except (ConfigError, NothingSelected):
                    continue
    return None


def _trials(
    report: Report, over: tuple[str, ...], only: Mapping[str, Sequence[str]]
) -> list[_Trial]:
    outcomes = [o for o in report.outcomes if o.trial.cell and not o.trial.cell.incompatible]
    axes = dict.fromkeys(axis for o in outcomes for axis in o.trial.subject.axes)
    for axis in (*over, *only):
        if axis not in axes:
            raise ConfigError(f"no axis '{axis}'{suggestion(axis, axes)}{known(axes)}")
    for axis, values in only.items():
        there = dict.fromkeys(o.trial.subject.axes.get(axis, "") for o in outcomes)
        for value in values:
            if value not in there:
                raise NothingSelected(
                    f"--only {axis}={value}: no cell has it{suggestion(value, there)}{known(there)}"
                )
        outcomes = [o for o in outcomes if o.trial.subject.axes.get(axis) in values]
    mine = [axis for axis in axes if axis not in (*over, PLATFORM)]
    varied = [a for a in mine if len({o.trial.subject.axes.get(a) for o in outcomes}) > 1] or mine

    def joined(outcome: TrialOutcome, names: Iterable[str]) -> str:
        found = outcome.trial.subject.axes
        return "/".join(found[axis] for axis in names if axis in found)

    return [_Trial(joined(o, varied), joined(o, over), o) for o in outcomes]


def _column(report: Report, metric: str | None) -> Column:
    table = report.table
    if metric is None:
        for column in table.columns:
            if column.direction != "none" and column.kind == "quality" and not column.unit:
                return column
        raise NothingSelected(
            f"{table.name}: no column says which way is better; name one with --metric"
            f"{known([c.name for c in table.columns])}"
        )
    column, *others = table.chosen([metric])
    if others:
        names = ", ".join(c.name for c in (column, *others))
        raise ConfigError(f"--metric {metric} is several columns: {names}; name one of them")
    if column.direction == "none":
        raise ConfigError(f"--metric {metric}: neither way is the better one, so nothing is ranked")
    return column


def _check_comparable(column: Column, trials: Sequence[_Trial]) -> None:
    protocols: dict[str, dict[str, str]] = {}
    for one in trials:
        number = _number(one.outcome, column)
        if number is not None and number.value is not None and number.protocol:
            found = one.outcome.result.protocols.get(number.protocol, {})
            plain = but_sampler(found) or number.protocol
            protocols.setdefault(one.task, {})[str(plain)] = number.protocol
    for task, found in protocols.items():
        if len(found) > 1:
            raise ConfigError(
                f"{column.name} on {task}: measured by {counted(len(found), 'protocol')} "
                f"({', '.join(found.values())}), which are not ranked with each other; choose "
                "cells with --only"
            )
    if column.depends_on_machine:
        if len({one.outcome.platform for one in trials}) > 1:
            raise ConfigError(f"{column.name}: measured on several platforms, which are no rivals")
        if any(t and not t.alone for one in trials for t in [one.outcome.result.timings]):
            raise ConfigError(
                f"{column.name}: measured while others shared the cores, and not ranked; run with "
                "--jobs 1 on an idle machine"
            )


def _number(outcome: TrialOutcome, column: Column) -> MetricValue | None:
    for number in outcome.result.numbers():
        if Name.of(number.column.name).with_space == column.name:
            return number
    return None


def _loss(outcome: TrialOutcome, column: Column) -> tuple[float | None, str]:
    """Return a trial's value, the smaller the better, and what has to be said of it."""
    if outcome.status is Status.DIVERGED:
        return math.inf, "diverged, and counted as worse than all that did not"
    if outcome.status is not Status.OK:
        return None, f"{outcome.status}, and not counted"
    number = _number(outcome, column)
    if number is None or number.value is None or math.isnan(number.value):
        if column.name.startswith(MISSES):
            return math.inf, "did not reach the target, and counted as never"
        return (
            None,
            f"without a value, and not counted ({number.reason if number else 'no such column'})",
        )
    return (-1 if column.direction == "max" else 1) * number.value, ""


def _complete(
    losses: Mapping[tuple[str, str], list[float]], tasks: Sequence[str], trials: Sequence[_Trial]
) -> tuple[tuple[str, ...], list[str]]:
    """Return the variants with values on every task, and sentences on the others."""
    found = tuple(dict.fromkeys(one.variant for one in trials))
    lacks = {v: [task for task in tasks if (v, task) not in losses] for v in found}
    whole = tuple(variant for variant in found if not lacks[variant])
    told = [
        f"not ranked, as it has no value on {', '.join(lacks[variant]) or 'any task'}: {variant}"
        for variant in found
        if lacks[variant]
    ]
    if len(whole) < 2 or not tasks:
        why = "\n  ".join(told) or f"there is one variant: {', '.join(whole) or 'none'}"
        raise NothingSelected(
            "nothing to rank: fewer than two variants have values on every task; choose tasks and "
            f"variants with --over and --only\n  {why}"
        )
    if len(whole) > MOST:
        raise ConfigError(
            f"{len(whole):,} variants, of whose pairs no test could tell many apart; choose at "
            f"most {MOST} with --only"
        )
    return whole, told


def _other_settings(trials: Sequence[_Trial], variants: Sequence[str]) -> Iterator[str]:
    """Say which settings of training a variant has not everywhere, as one data set needs others."""
    told: dict[str, list[str]] = {}
    for variant in variants:
        cells = {one.task: one.cell for one in trials if one.variant == variant}
        schedules = {task: settings_as_json(cell)["schedule"] for task, cell in cells.items()}
        first, *others = schedules.items()
        places: dict[str, None] = {}
        for task, other in others:
            for place, was, now in differences(first[1], other):
                places[f"{place} {brief(was)} on {first[0]}, {brief(now)} on {task}"] = None
        if places:
            listed = "; ".join(list(places)[:SHOWN]) + ("; …" if len(places) > SHOWN else "")
            told.setdefault(listed, []).append(variant)
    for listed, whom in told.items():
        whose = "all" if len(whom) == len(variants) else ", ".join(whom)
        yield f"trained otherwise from task to task ({listed}): {whose}"
