"""What keeps trials of several runs from standing in one table, each refused by its name."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ganbench.errors import RunError
from ganbench.gate.differences import sentences
from ganbench.records import platforms
from ganbench.records.cells import SAMPLER
from ganbench.records.results import MetricValue, TrialResult
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.run_info import Part
from ganbench.records.status import Status

SAME = 1e-6  # of a number, which files hold with every digit
SAME_REAL = 1e-3  # of real images judged, of which platforms differ by their arithmetic alone
LISTED = 10


@dataclass(frozen=True)
class Found:
    """A trial with the run that it was found in, and the part of a merged one."""

    run: Run
    part: Part
    outcome: TrialOutcome
    dataset: str  #: as the merged table calls it

    @property
    def name(self) -> str:
        """The trial, for people."""
        trial = self.outcome.trial
        return trial.subject.label + (f" seed {trial.seed}" if trial.cell else "")


Key = tuple[str, int]
"""Of a trial: the id of its cell or reference, and the seed."""


def check(found: Mapping[Key, Sequence[Found]], *, first_wins: bool = False) -> None:
    """Raise RunError where protocols or data of the runs differ, or trials of one cell and seed.

    With `first_wins` trials of one cell and seed may be different.
    """
    each = [one for same in found.values() for one in same]
    problems = [*_other_data(each), *_other_protocols(each)]
    if not first_wins:
        for same in found.values():
            problems += _disagreements(same)
    if problems:
        more = len(problems) - LISTED
        rest = [f"and {more} more"] if more > 0 else []
        listed = "".join(f"\n  {text}" for text in [*problems[:LISTED], *rest])
        raise RunError(f"these runs are no one table:{listed}")


def _other_data(found: Iterable[Found]) -> Iterator[str]:
    seen: dict[str, tuple[str, Found]] = {}
    told: set[tuple[str, str]] = set()
    for one in found:
        data = one.outcome.result.data
        if data is None or not data.sha256:
            continue
        digest, first = seen.setdefault(one.dataset, (data.sha256, one))
        if data.sha256 != digest and (key := (one.dataset, data.sha256)) not in told:
            told.add(key)
            yield (
                f"{one.run.directory}: other data of '{one.dataset}' than in "
                f"{first.run.directory}: SHA-256 {data.sha256[:12]}…, was {digest[:12]}…; leave "
                "one of them out"
            )


def _other_protocols(found: Iterable[Found]) -> Iterator[str]:
    """By data set and column, of runs that have not one protocol in common."""
    measured: dict[tuple[str, str], dict[int, dict[str, tuple[Any, Found]]]] = {}
    for one in found:
        if one.outcome.trial.cell is None:
            continue
        protocols = one.outcome.result.protocols
        for number in judged(one.outcome.result):
            if number.value is None or not number.protocol:
                continue
            protocol = protocols.get(number.protocol, {"protocol": number.protocol})
            plain = but_sampler(protocol)
            by_run = measured.setdefault((one.dataset, number.column.name), {})
            text = json.dumps(plain, sort_keys=True)
            by_run.setdefault(id(one.run), {}).setdefault(text, (plain, one))
    told: dict[tuple[str, str, str, str], list[str]] = {}
    for (dataset, column), by_run in measured.items():
        first, *others = by_run.values()
        for other in others:
            if first.keys() & other.keys():
                continue
            (was, a), (now, b) = next(iter(first.values())), next(iter(other.values()))
            differs = "; ".join(sentences(was, now))
            places = (str(b.run.directory), str(a.run.directory))
            told.setdefault((*places, dataset, differs), []).append(column)
    for (here, there, dataset, differs), columns in told.items():
        yield (
            f"{here}: {', '.join(columns)} of '{dataset}' by another protocol than in {there}: "
            f"{differs}; judge one of them again, or leave it out"
        )


def but_sampler(protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return what of a protocol rivals must share: all but who drew the images."""
    return {key: part for key, part in protocol.items() if key != SAMPLER}


def judged(result: TrialResult) -> Iterator[MetricValue]:
    """Yield the numbers of all samplers that no machine decides."""
    for numbers in (result.metrics, *(one.metrics for one in result.samplers.values())):
        yield from (
            n for n in numbers if n.column.kind != "timing" and not n.column.depends_on_machine
        )


def _disagreements(same: Sequence[Found]) -> Iterator[str]:
    """Say of trials of one cell and seed which do not agree with the first that has an end."""
    ended = [one for one in same if one.outcome.status in (Status.OK, Status.DIVERGED)]
    for one in ended[1:]:
        first = ended[0]
        if differs := _difference(first.outcome, one.outcome):
            was, now = (
                platforms.facts(f.part.machine, f.part.threads, f.part.provenance)
                for f in (first, one)
            )
            where = f" (other platform: {'; '.join(sentences(was, now))})" if was != now else ""
            yield (
                f"{one.run.directory}: {one.name} is in {first.run.directory} too, and they do "
                f"not agree: {differs}{where}; leave one of them out, or take the first's with "
                "--duplicates first"
            )


def _difference(was: TrialOutcome, now: TrialOutcome) -> str:
    """Return the first in which two ends of one trial differ, or nothing."""
    if was.status is not now.status:
        return f"{now.status}, was {was.status}"
    then = {number.column.name: number for number in judged(was.result)}
    allowed = SAME if was.trial.cell else SAME_REAL
    for number in judged(now.result):
        before = then.get(number.column.name)
        if before is None or before.value is None or number.value is None:
            continue
        if not math.isclose(before.value, number.value, rel_tol=allowed, abs_tol=1e-12):
            return f"{number.column.name} {number.value!r}, was {before.value!r}"
    return ""
