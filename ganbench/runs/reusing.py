"""Trials that finished runs hold, taken into a new run instead of being trained once more.

What is taken is what training again would give: the same cell and seed, by their ids, which count
the versions and sources of plugins, on the same platform, with the same ganbench and torch, of data
with the same SHA-256. Files are linked where that is possible, so that removing the old run takes
nothing away.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

import torch

import ganbench
from ganbench.archive import merge
from ganbench.errors import DataError, RunError
from ganbench.evaluation.loading import load
from ganbench.evaluation.real_data import digest
from ganbench.records import platforms
from ganbench.records.cells import canonical_json
from ganbench.records.results import Environment
from ganbench.records.run_folder import RUN, Run, Trial, TrialOutcome
from ganbench.records.run_info import RunInfo
from ganbench.registry.registry import Registry
from ganbench.runs import held_data, runner
from ganbench.util import files
from ganbench.util.messages import counted

Key = tuple[str, int]
"""The id of a cell or reference, and the seed."""


def check(places: Sequence[Path]) -> None:
    """Raise RunError for what is no folder, before a run begins."""
    for place in places:
        if not place.is_dir():
            raise RunError(f"--reuse {place}: there is no such folder; name one that holds runs")


def reuse(run: Run, places: Sequence[Path], registry: Registry) -> tuple[Run, list[str]]:
    """Take what runs in these folders hold of a run's trials into it, and return it anew.

    With it come sentences for people.
    """
    with runner.locked(run):
        wanted = {
            (trial.subject.id, trial.seed): trial
            for trial in run.trials
            if not run.outcome(trial).status.is_final
        }
        data = _Data(registry)
        taken: dict[str, str] = {}
        told: list[str] = []
        for other in _runs(run, places, told):
            for outcome in _fitting(run.info, other, wanted):
                if not data.is_of(outcome):
                    told.append(f"{outcome.directory}: not reused: it is of other data")
                    continue
                trial = wanted.pop((outcome.trial.subject.id, outcome.trial.seed))
                merge.take(outcome.directory, run.outcome(trial).directory)
                taken[trial.id] = other.info.id
        if taken:
            run = _with(run, taken)
    source = f"{counted(len(taken), 'trial')} of {len(run.trials):,} taken from finished runs"
    return run, [*told, f"{source}; the table says which"] if taken else [*told, source]


def _runs(run: Run, places: Sequence[Path], told: list[str]) -> Iterator[Run]:
    """Yield the runs in the folders but this one; what is damaged is told."""
    for place in places:
        for directory in merge.folders(place):
            if directory.resolve() == run.directory.resolve():
                continue
            try:
                yield Run.read(directory)
            except RunError as error:
                told.append(f"not looked at: {error}")


def _fitting(info: RunInfo, other: Run, wanted: Mapping[Key, Trial]) -> Iterator[TrialOutcome]:
    """Yield the ended trials that a run wants, of the same platform and versions."""
    here = platforms.of_run(info)
    if not other.info.parts and platforms.of_run(other.info) != here:
        return
    parts = {trial: part for part in other.info.parts for trial in part.trials}
    for trial in other.trials:
        if (trial.subject.id, trial.seed) not in wanted:
            continue
        part = parts.get(trial.id)
        if part and platforms.facts(part.machine, part.threads, part.provenance) != here:
            continue
        outcome = other.outcome(trial)
        made = outcome.result.environment or Environment()
        versions = (made.ganbench, made.torch)
        same = versions == (ganbench.__version__, str(torch.__version__))
        ended = outcome.status.is_final and not outcome.result.errors
        if same and ended and not (trial.cell and trial.cell.incompatible):
            yield outcome


class _Data:
    """The data as they are now, each split read once."""

    def __init__(self, registry: Registry) -> None:
        self.registry = registry
        self._known: dict[tuple[str, str], str] = {}

    def is_of(self, outcome: TrialOutcome) -> bool:
        """Whether the data that a trial saw are those that are there."""
        whole = [one for one in held_data.seen(outcome) if one.split in ("train", "test")]
        return bool(whole) and all(self._digest(outcome, o.split) == o.sha256 for o in whole)

    def _digest(self, outcome: TrialOutcome, split: str) -> str:
        subject = outcome.trial.subject
        key = (canonical_json(subject.dataset, subject.label), split)
        if key not in self._known:
            dataset = self.registry.build_spec(subject.dataset)
            try:
                self._known[key] = digest(load(dataset, split, files.data()))  # type: ignore[arg-type]
            except DataError:
                self._known[key] = ""
        return self._known[key]


def _with(run: Run, taken: Mapping[str, str]) -> Run:
    """Write into run.json what was taken, and hold later trials to the data of these."""
    info = replace(run.info, reused={**run.info.reused, **taken})
    files.write_json(run.directory / RUN, asdict(info))
    found = Run.read(run.directory)
    held_data.note(run.directory, _outcomes(found, taken))
    return found


def _outcomes(run: Run, ids: Iterable[str]) -> list[TrialOutcome]:
    named = {trial.id: trial for trial in run.trials}
    return [run.outcome(named[id]) for id in ids]
