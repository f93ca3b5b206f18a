"""A trial of a submission beside the same one trained again: which numbers are not confirmed."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import stdev

from ganbench.archive.agreement import judged
from ganbench.errors import ConfigError, NothingSelected
from ganbench.records import platforms, run_folder
from ganbench.records.results import MetricValue, TrialResult
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.records.status import Status
from ganbench.util import files

TOLERANCE = 0.5
"""Of a number, by which another platform's may differ: trainings part there after some updates, as
those of two seeds do."""
SPREADS = 4.0
"""Standard deviations over the other seeds, where they allow more."""
ENOUGH = 3  # other seeds


@dataclass(frozen=True)
class Compared:
    """A number that was submitted, and what training again gave."""

    column: str
    submitted: float | None
    again: float | None
    allowed: float  #: by which they may differ; 0: to the bit
    why: str = ""  #: it is not confirmed

    @property
    def confirmed(self) -> bool:
        """Whether they differ by no more than is allowed."""
        return not self.why


def drawn(run: Run, draw: str) -> TrialOutcome:
    """Return one trial of a run that a training ended well, at random, the same for equal `draw`s.

    Raises NothingSelected where there is none.
    """
    trained = [
        outcome
        for outcome in run.outcomes()
        if outcome.trial.cell and outcome.status in (Status.OK, Status.DIVERGED)
    ]
    if not trained:
        raise NothingSelected(f"{run.directory}: no trial of it was trained to its end")
    digest = hashlib.sha256(f"{draw} {run.info.id}".encode("utf-8", "replace")).digest()
    return trained[int.from_bytes(digest[:8], "big") % len(trained)]


def changed(listing: Path) -> list[Path]:
    """Return the folders of the runs to which files belong that `git diff -z` has named.

    Raises ConfigError where the list cannot be read.
    """
    try:
        names = files.read_text(listing).split("\0")
    except OSError as error:
        raise ConfigError(f"--changed {listing}: cannot be read: {error.strerror}") from error
    found: dict[Path, None] = {}
    for path in map(Path, filter(None, names)):
        folder = next((f for f in path.parents if (f / run_folder.RUN).is_file()), None)
        if folder is not None:
            found[folder] = None
    return list(found)


def platform_of(run: Run, outcome: TrialOutcome) -> dict[str, str]:
    """Return what a trial of a run, merged or not, ran on."""
    part = next((part for part in run.info.parts if outcome.trial.id in part.trials), None)
    if part is None:
        return platforms.of_run(run.info)
    return platforms.facts(part.machine, part.threads, part.provenance)


def compared(
    run: Run, submitted: TrialOutcome, again: TrialResult, *, to_the_bit: bool, tolerance: float
) -> Iterator[Compared]:
    """Yield what was submitted of a trial beside what training again gave.

    Timings are left out. To the bit all other numbers are compared; else the first with a
    direction, by which boards rank.
    """
    if submitted.status is not again.status:
        why = f"{again.status.value} here, {submitted.status.value} as submitted"
        yield Compared("status", None, None, 0.0, why)
        return
    if other := _other_data(submitted.result, again):
        yield Compared("data", None, None, 0.0, other)
        return
    there = dict(_numbers(again))
    later = {name for one in submitted.additions for name in one.columns}  # by `evaluate`
    numbers = {
        name: number
        for name, number in _numbers(submitted.result)
        if number.value is not None and number.column.name not in later
    }
    if not to_the_bit:
        ranked = [name for name, number in numbers.items() if number.column.direction != "none"]
        numbers = {name: numbers[name] for name in ranked[:1]}
    for name, number in numbers.items():
        allowed = 0.0 if to_the_bit else _allowed(run, submitted, number, tolerance)
        yield _compared(name, number, there.get(name), allowed)


def _numbers(result: TrialResult) -> Iterator[tuple[str, MetricValue]]:
    """Yield the numbers that no machine decides, by column and sampler."""
    for number in judged(replace(result, samplers={})):
        yield number.column.name, number
    for sampler in result.samplers:
        for number in judged(replace(result.of_sampler(sampler), samplers={})):
            yield f"{number.column.name} ({sampler})", number


def _compared(name: str, was: MetricValue, now: MetricValue | None, allowed: float) -> Compared:
    value = was.value
    assert value is not None
    if now is None or now.value is None:
        why = f"no value here: {now.reason if now else 'nothing measures it'}"
        return Compared(name, value, None, allowed, why)
    if was.protocol != now.protocol:
        why = f"by protocol {now.protocol or 'none'} here, {was.protocol or 'none'} as submitted"
        return Compared(name, value, now.value, allowed, why)
    difference = abs(now.value - value)
    is_same = now.value == value or difference <= allowed
    why = "" if is_same else f"{now.value!r} here, {value!r} as submitted"
    return Compared(name, value, now.value, allowed, why)


def _allowed(run: Run, submitted: TrialOutcome, number: MetricValue, tolerance: float) -> float:
    """Return by how much another platform's number may differ."""
    assert number.value is not None
    others = list(_of_other_seeds(run, submitted, number.column.name))
    spread = SPREADS * stdev(others) if len(others) >= ENOUGH else 0.0
    return max(tolerance * abs(number.value), spread)


def _of_other_seeds(run: Run, submitted: TrialOutcome, column: str) -> Iterator[float]:
    for outcome in run.outcomes():
        trial = outcome.trial
        if trial.subject.id == submitted.trial.subject.id and trial.id != submitted.trial.id:
            for number in outcome.result.metrics:
                value = number.value
                if number.column.name == column and value is not None and math.isfinite(value):
                    yield value


def _other_data(was: TrialResult, now: TrialResult) -> str:
    if was.data is None or now.data is None or was.data.sha256 == now.data.sha256:
        return ""
    return f"SHA-256 {now.data.sha256[:12]}… here, {was.data.sha256[:12]}… as submitted"


def unconfirmed(found: Sequence[Compared]) -> list[Compared]:
    """Return the numbers that are not confirmed."""
    return [one for one in found if not one.confirmed]
