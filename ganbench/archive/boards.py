"""Many runs as boards: one for each data set and protocol, whatever runs are there."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from ganbench.archive import agreement, merge
from ganbench.archive.ranks import Standings, rank
from ganbench.archive.scores import scores
from ganbench.errors import ConfigError, GanbenchError, NothingSelected
from ganbench.records.cells import canonical_json
from ganbench.records.report import Report, summarize
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.table import Row, Table


@dataclass(frozen=True)
class Board:
    """The rows of one data set by one protocol, and how its variants stand."""

    name: str
    dataset: str
    report: Report  #: of the runs that agree, of which the board has one data set's rows
    table: Table
    standings: Standings | None
    why: str = ""  #: there are no standings

    @property
    def rows(self) -> list[Row]:
        """The rows of generators."""
        return [row for row in self.table.rows if not row.is_reference]

    @property
    def references(self) -> list[Row]:
        """The rows of real images, and of samples from elsewhere."""
        return [row for row in self.table.rows if row.is_reference]

    def outcomes(self, row: Row) -> list[TrialOutcome]:
        """Return the trials of a row."""
        return self._by_label.get(row.label, [])

    @cached_property
    def _by_label(self) -> dict[str, list[TrialOutcome]]:
        found: dict[str, list[TrialOutcome]] = {}
        for outcome in self.report.outcomes:
            found.setdefault(outcome.trial.subject.label, []).append(outcome)
        return found


@dataclass
class _Cluster:
    """Runs that can stand in one table: no data set's data or protocols differ."""

    runs: list[Run]
    agreed: dict[tuple[str, str], set[str]] = field(default_factory=dict)
    """By data set, and column or nothing: protocols, or the data."""

    def takes(self, other: _Cluster) -> bool:
        """Add runs, where they agree with those that are there, and say whether they do."""
        shared = self.agreed.keys() & other.agreed.keys()
        if any(self.agreed[key].isdisjoint(other.agreed[key]) for key in shared):
            return False
        self.runs += other.runs
        self.agreed = {**other.agreed, **self.agreed}
        return True


def boards(runs: Sequence[Run]) -> tuple[list[Board], list[str]]:
    """Return the boards of runs, and a sentence on each run that is on none.

    Where a cell and seed are in several runs and do not agree, the first one's stand there.
    """
    clusters: list[_Cluster] = []
    left_out = []
    for run in runs:
        try:
            found = _alone(run)
        except GanbenchError as error:
            left_out.append(str(error))
            continue
        if not any(cluster.takes(found) for cluster in clusters):
            clusters.append(found)
    made: list[Board] = []
    for cluster in clusters:
        try:
            merged = merge.merged(cluster.runs, first_wins=True)
        except GanbenchError as error:
            left_out.append(str(error))
            continue
        left_out += merged.info.left_out
        made += _of(Report.of(merged))
    return _named(made), left_out


def _alone(run: Run) -> _Cluster:
    outcomes = run.outcomes()
    read = {outcome.trial.id: outcome for outcome in outcomes}
    found = _Cluster([replace(run, known=read)])  # which are not read once more
    for outcome in outcomes:
        if outcome.trial.cell is None:
            continue
        key = canonical_json(outcome.trial.cell.dataset, outcome.trial.cell.label)
        if (data := outcome.result.data) and data.sha256:
            found.agreed.setdefault((key, ""), set()).add(data.sha256)
        texts = {
            id: json.dumps(agreement.but_sampler(protocol), sort_keys=True)
            for id, protocol in outcome.result.protocols.items()
        }
        for number in agreement.judged(outcome.result):
            if number.value is not None and number.protocol:
                text = texts.get(number.protocol, number.protocol)
                found.agreed.setdefault((key, number.column.name), set()).add(text)
    return found


def _of(report: Report) -> Iterator[Board]:
    for dataset in report.table.values("dataset"):
        trials = [o for o in report.outcomes if o.trial.subject.axes.get("dataset") == dataset]
        mine = {outcome.run for outcome in trials}
        parts = tuple(part for part in report.run.info.parts if part.id in mine)
        run = replace(report.run, info=replace(report.run.info, parts=parts))
        table = summarize(run, trials)
        own = replace(report, run=run, outcomes=tuple(trials), table=table)
        standings, why = None, ""
        try:
            standings = rank(scores(own))
        except (ConfigError, NothingSelected) as error:
            why = str(error).splitlines()[0]
        yield Board(dataset, dataset, own, table, standings, why)


def _named(made: Sequence[Board]) -> list[Board]:
    """Return the boards, those of one data set told apart by a number."""
    names = [board.dataset for board in made]
    return [
        board
        if names.count(board.dataset) == 1
        else replace(
            board, name=f"{board.dataset}, protocol {names[: at + 1].count(board.dataset)}"
        )
        for at, board in enumerate(made)
    ]
