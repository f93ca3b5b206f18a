"""What trials take on this machine: learnt from those that ran, and added up for those to come."""

from __future__ import annotations

import hashlib
import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import ganbench
from ganbench.records.cells import canonical_json, pace_key
from ganbench.records.run_folder import Trial, TrialOutcome
from ganbench.records.status import Status
from ganbench.records.windows import Window
from ganbench.util import files, machine

logger = logging.getLogger(__name__)

FILE = "costs.json"  # in the cache
MOST_KEPT = 5000
MOST_DRIFT = 5.0  # between what a trial took and what was expected of it
UNKNOWN_START = 3.0  # seconds of a process and its imports, before any was timed


@dataclass(frozen=True)
class Cost:
    """Seconds of a trial's parts. None: nothing like it was timed here."""

    start: float | None  # of the process, the data and whatever else is no other part
    training: float | None  # 0 of a reference
    sampling: float | None
    judging: float | None

    @property
    def total(self) -> float | None:
        """Of all parts that are known; None where the training is not."""
        if self.training is None:
            return None
        start = UNKNOWN_START if self.start is None else self.start
        return start + self.training + (self.sampling or 0.0) + (self.judging or 0.0)


class _Keys(NamedTuple):
    """What decides the seconds of each part of a trial."""

    start: str
    judging: str
    image: str  # of training
    sample: str

    @classmethod
    def of(cls, trial: Trial) -> _Keys:
        subject = trial.subject
        data = canonical_json(subject.dataset, subject.label)
        judged = canonical_json([data, subject.num_samples, subject.metrics], subject.label)
        pace = pace_key(trial.cell) if trial.cell else ""
        return cls(
            _key("start", trial, data),
            _key("judging", trial, judged),
            _key("image", trial, pace),
            _key("sample", trial, pace),
        )


@dataclass
class Costs:
    """Seconds by what decides them. Where a trial was timed, that counts; else an estimate does.

    What decides them is the machine, too: its device and threads, and whether trials run alone.
    """

    timed: dict[str, float] = field(default_factory=dict)
    estimated: dict[str, float] = field(default_factory=dict)
    drifts: list[float] = field(default_factory=list)  # of trainings, timed over estimated
    _keys: dict[tuple[str, str, int, bool], _Keys] = field(default_factory=dict, repr=False)

    @classmethod
    def kept(cls) -> Costs:
        """Return what the cache has: nothing where it has no such file, or a damaged one."""
        found = files.read_json(_path())
        if not isinstance(found, dict):
            return cls()
        return cls(_numbers(found.get("timed")), _numbers(found.get("estimated")))

    def keep(self) -> None:
        """Add this to the cache, for the next run and the next plan; the oldest go beyond a limit.

        A cache that cannot be written costs no more than its use.
        """
        if not self.timed and not self.estimated:
            return
        there, path = Costs.kept(), _path()
        found = {
            name: dict(list({**old, **new}.items())[-MOST_KEPT:])
            for name, old, new in (
                ("timed", there.timed, self.timed),
                ("estimated", there.estimated, self.estimated),
            )
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(path, found)
        except OSError as error:
            logger.warning("what trials took is not kept: %s: %s", path, error.strerror)

    def of(self, trial: Trial) -> Cost:
        """Return what is known of a trial that has not begun."""
        keys, cell = self._keys_of(trial), trial.cell
        start, judging = self._found(keys.start), self._found(keys.judging)
        if cell is None:
            return Cost(start, 0.0, 0.0, judging)
        if cell.incompatible:
            return Cost(0.0, 0.0, 0.0, 0.0)
        rows = max(1, len(cell.samplers))
        per_image, per_sample = self._per_image(keys.image), self._found(keys.sample)
        return Cost(
            start,
            None if per_image is None else per_image * images_of(trial),
            None if per_sample is None else per_sample * cell.num_samples * rows,
            None if judging is None else judging * rows,
        )

    def was_timed(self, trial: Trial) -> bool:
        """Whether a training like this one was timed here."""
        return self._keys_of(trial).image in self.timed

    def estimate(self, trial: Trial, per_image: float, per_sample: float) -> None:
        """Take an estimate, for as long as no trial like this was timed."""
        keys = self._keys_of(trial)
        self.estimated |= {keys.image: per_image, keys.sample: per_sample}

    def learn(self, outcome: TrialOutcome) -> None:
        """Take what a trial took. One that other programs held up, or that was resumed, is none."""
        trial, result = outcome.trial, outcome.result
        seconds, counts = result.seconds, result.training
        held_up = trial.alone and result.timings is not None and not result.timings.alone
        if result.status is not Status.OK or held_up or result.resumed_at_kimg is not None:
            return
        keys = self._keys_of(trial)
        rows = 1 if trial.cell is None else max(1, len(trial.cell.samplers))
        train, sample, judge = (seconds.get(name, 0.0) for name in ("train", "sample", "evaluate"))
        self.timed[keys.start] = max(0.0, seconds.get("total", 0.0) - train - sample - judge)
        self.timed[keys.judging] = judge / rows
        if trial.cell is None or counts is None or not counts.images:
            return
        per_image = train / counts.images
        if expected := self.estimated.get(keys.image):
            self.drifts.append(min(max(per_image / expected, 1 / MOST_DRIFT), MOST_DRIFT))
        self.timed[keys.image] = per_image
        self.timed[keys.sample] = sample / rows / trial.cell.num_samples

    def _per_image(self, key: str) -> float | None:
        if key in self.timed:
            return self.timed[key]
        drift = sum(self.drifts) / len(self.drifts) if self.drifts else 1.0
        return self.estimated[key] * drift if key in self.estimated else None

    def _keys_of(self, trial: Trial) -> _Keys:
        of = (trial.subject.id, trial.device, trial.threads, trial.alone)
        if of not in self._keys:
            self._keys[of] = _Keys.of(trial)
        return self._keys[of]

    def _found(self, key: str) -> float | None:
        return self.timed.get(key, self.estimated.get(key))


@dataclass(frozen=True)
class AtWork:
    """How far a trial is."""

    window: Window | None  # the last that it wrote
    since: float  # seconds from then on, or from its beginning where there is none


class Forecast:
    """How long the trials that are left of a run will take."""

    def __init__(self, jobs: int, costs: Costs | None = None) -> None:
        """`jobs` trials run at once; `costs` are those of the cache unless they are given."""
        self._jobs, self._costs = jobs, Costs.kept() if costs is None else costs
        self._paces: list[float] = []  # seconds of an image in the trainings that ended

    def ended(self, outcome: TrialOutcome) -> None:
        """Learn from a trial of this run."""
        self._costs.learn(outcome)
        cost = self._costs.of(outcome.trial)
        if outcome.trial.cell and cost.training:
            self._paces.append(cost.training / images_of(outcome.trial))

    def left(self, waiting: Sequence[Trial], at_work: Mapping[str, AtWork]) -> float | None:
        """Return the seconds until the last of these trials ends, or None while that is not known.

        `at_work` holds those that have begun, by id. A training of which nothing like it was timed
        or estimated is taken for one at the usual pace of this run.
        """
        paces = [1 / one.window.images_per_second for one in at_work.values() if one.window]
        paces += self._paces
        usual = sum(paces) / len(paces) if paces else None
        rests = [self._rest(trial, at_work.get(trial.id), usual) for trial in waiting]
        known = [rest for rest in rests if rest is not None]
        return max(sum(known) / self._jobs, *known, 0.0) if len(known) == len(rests) else None

    def _rest(self, trial: Trial, at_work: AtWork | None, usual: float | None) -> float | None:
        cost, images = self._costs.of(trial), images_of(trial)
        since = at_work.since if at_work else 0.0
        if at_work and (window := at_work.window):
            left = max(0.0, images - 1000 * window.kimg) / window.images_per_second
            cost = replace(cost, start=0.0, training=left)
        elif cost.training is None and usual is not None:
            cost = replace(cost, training=usual * images)
        return None if cost.total is None else max(0.0, cost.total - since)


def images_of(trial: Trial) -> int:
    """Return how many real images a trial's training shows to D."""
    if trial.cell is None or trial.cell.incompatible:
        return 0
    return trial.cell.schedule.iterations * trial.cell.schedule.images_per_iteration


def _numbers(found: object) -> dict[str, float]:
    if not isinstance(found, dict):
        return {}
    return {
        key: float(value)
        for key, value in found.items()
        if isinstance(value, int | float) and math.isfinite(value) and value >= 0
    }


def _path() -> Path:
    return files.cache() / FILE


def _key(of: str, trial: Trial, what: str) -> str:
    around = [ganbench.__version__, machine.cpu_name(), trial.device, trial.threads, trial.alone]
    text = "|".join([of, *map(str, around), what])
    return f"{of}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
