"""What a comparison knows of a run or of a baseline: every value by cell, number and seed."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from ganbench.errors import BaselineError
from ganbench.records import platforms
from ganbench.records.cells import settings_as_json
from ganbench.records.columns import Column
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.status import Status


@dataclass(frozen=True)
class Series:
    """One number of one cell, seed by seed. A seed without a value is not in it."""

    column: Column
    values: dict[int, float]
    protocol: str = ""  # its id; several joined by "+", which compare with nothing
    reason: str = ""  # why a value is missing
    lacking: int = 0  # so many trials ended well and have none


@dataclass(frozen=True)
class Measured:
    """What was measured of one cell, and how its trials ended."""

    id: str
    label: str
    dataset: str
    settings: dict[str, Any]  # the resolved cell, for saying what differs
    statuses: dict[str, int]  # how many trials ended how
    series: dict[str, Series]
    data: str = ""  # SHA-256 of the training data
    reasons: tuple[str, ...] = ()  # of the trials that ended badly

    @property
    def bad(self) -> int:
        """Return how many trials ended badly, or not at all."""
        return sum(self.statuses.get(status, 0) for status in Status if status.lacks_result)

    @property
    def ends(self) -> str:
        """Return how the trials ended, as in `2 ok, 1 failed`."""
        return ", ".join(f"{count} {status}" for status, count in self.statuses.items())


@dataclass(frozen=True)
class Measurements:
    """All cells, with the platform they were measured on."""

    name: str
    cells: dict[str, Measured]  # by id
    platform: dict[str, str] = field(default_factory=dict)
    protocols: dict[str, dict[str, Any]] = field(default_factory=dict)  # by id

    @classmethod
    def of(cls, run: Run) -> Measurements:
        """Return what was measured in a run.

        Raises BaselineError for one that trained nothing, whose rows have no seeds to compare.
        """
        if not run.plan.cells:
            raise BaselineError(
                f"{run.directory}: it judged samples that existed already and trained nothing, so "
                f"that it has no seeds to compare; `ganbench show {run.directory}` has its numbers"
            )
        found: dict[str, list[TrialOutcome]] = {}
        for outcome in run.outcomes_by_sampler():
            if outcome.trial.cell is not None and not outcome.trial.cell.incompatible:
                found.setdefault(outcome.trial.cell.id, []).append(outcome)
        protocols: dict[str, dict[str, Any]] = {}
        for outcomes in found.values():
            for outcome in outcomes:
                protocols.update(outcome.result.protocols)
        return cls(
            run.plan.name,
            {id: _measured(id, outcomes) for id, outcomes in found.items()},
            platforms.of_run(run.info),
            protocols,
        )


def _measured(id: str, outcomes: list[TrialOutcome]) -> Measured:
    cell = outcomes[0].trial.cell
    assert cell is not None
    statuses = Counter(outcome.status.value for outcome in outcomes)
    digests = {o.result.data.sha256 for o in outcomes if o.result.data}
    return Measured(
        id,
        cell.label,
        cell.axes.get("dataset", cell.dataset.name),
        settings_as_json(cell),  # as a baseline's file gives it back
        dict(statuses),
        _series(outcomes),
        "+".join(sorted(digests)),
        tuple(dict.fromkeys(o.reason for o in outcomes if o.status.lacks_result and o.reason)),
    )


def _series(outcomes: Iterable[TrialOutcome]) -> dict[str, Series]:
    columns: dict[str, Column] = {}
    values: dict[str, dict[int, float]] = {}
    protocols: dict[str, dict[str, None]] = {}
    reasons: dict[str, str] = {}
    lacking: Counter[str] = Counter()
    for outcome in outcomes:
        for number in outcome.result.numbers():
            name = number.column.name
            columns[name] = number.column
            values.setdefault(name, {})
            lacking[name] += number.value is None and outcome.status is Status.OK
            if number.protocol:
                protocols.setdefault(name, {})[number.protocol] = None
            if number.value is not None and math.isfinite(number.value):
                values[name][outcome.trial.seed] = float(number.value)
            elif number.reason:
                reasons[name] = number.reason
    return {
        name: Series(
            column,
            values[name],
            "+".join(sorted(protocols.get(name, {}))),
            reasons.get(name, ""),
            lacking[name],
        )
        for name, column in columns.items()
    }
