"""What trials take on this machine: learnt from those that ran, and added up for those to come."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import ganbench
from ganbench.records.cells import Cell, Reference, canonical_json, pace_key
from ganbench.records.run_folder import Trial, TrialOutcome
from ganbench.records.run_info import Execution
from ganbench.records.status import Status
from ganbench.records.windows import Window
from ganbench.util import files, machine

logger = logging.getLogger(__name__)

FILE = "costs.json"  # in the cache
IN_THIS_PROCESS = "inline"  # the executor that opens none
MOST_KEPT = 5000
MOST_DRIFT = 5.0  # between what a trial took and what was expected of it
TELLING_SECONDS = 5.0  # of a training or of drawing, from which on others like it scale
# Before any was timed: by the time that a process of this machine takes to begin, most of which is
# the import of torch.
UNKNOWN_OPENING = 1.3  # of what workers begin from
UNKNOWN_START = 0.05  # of a trial in a warm worker
UNKNOWN_WARM_UP = 0.12  # of training, beyond its images
UNKNOWN_DRAWING = 0.25  # of pictures and speed, beyond the samples
UNKNOWN_CLOSING = 0.12  # of tables and page, by each of the first trials
FIRST_TRIALS = 10  # so many; pictures of all the others find no room on the page
SHARE_OF_OTHERS = 0.01  # of what one of the first takes
BESIDE_OTHERS = 1.6  # times as long, where trials run side by side
BEGINNING, MOST_BEGINNING = 3.5, 10.0  # seconds that one takes usually, and at most
UNKNOWN_JUDGING = 1e-4  # seconds by metric and sample, where no stand-ins were judged


@dataclass(frozen=True)
class Cost:
    """Seconds of a trial's parts. None: nothing is known of it."""

    start: float  # of the process, the data and whatever else is no other part
    training: float | None  # 0 of a reference
    sampling: float | None
    judging: float
    judging_is_timed: bool = True  # of a like trial, or of stand-ins; else it is a guess

    @property
    def total(self) -> float | None:
        """Of all parts that are known; None where the training is not."""
        if self.training is None:
            return None
        return self.start + self.training + (self.sampling or 0.0) + self.judging


class _Keys(NamedTuple):
    """What decides the seconds of each part of a trial."""

    start: str
    building: str  # of what metrics ask of real images alone, which is kept
    judging: tuple[str, ...]  # of its own kind, and of the other, which has other metrics in part
    training: str  # of just so many images
    image: str  # of any training at that pace
    drawing: str  # of just so many samples
    sample: str

    @classmethod
    def of(cls, trial: Trial) -> _Keys:
        subject = trial.subject
        data = canonical_json(subject.dataset, subject.label)
        beside = canonical_json([data, real_share(subject), subject.metrics], subject.label)
        judged = f"{beside} {subject.num_samples}"
        kinds = sorted(["reference", "trained"], reverse=trial.cell is not None)
        pace = pace_key(trial.cell) if trial.cell else ""
        return cls(
            _key("start", trial, data),
            _key("building", trial, beside),
            tuple(_key("judging", trial, f"{kind} {judged}") for kind in kinds),
            _key("training", trial, f"{pace} {_images_to_train(trial)}"),
            _key("image", trial, pace),
            _key("drawing", trial, f"{pace} {subject.num_samples}"),
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
    beginning: float = BEGINNING  # seconds that a process takes to begin
    # What the cache had of `timed` and of `estimated`.
    _found: Mapping[str, Mapping[str, float]] = field(default_factory=dict, repr=False)
    _keys: dict[tuple[str, str, int, bool], _Keys] = field(default_factory=dict, repr=False)

    @classmethod
    def kept(cls) -> Costs:
        """Return what the cache has: nothing where it has no such file, or a damaged one.

        What is in neither is guessed from how long this process has taken of the processor so far.
        """
        found = files.read_json(_path())
        if not isinstance(found, dict):
            found = {}
        timed, estimated = (_numbers(found.get(name)) for name in ("timed", "estimated"))
        return cls(
            dict(timed),
            dict(estimated),
            beginning=min(time.process_time(), MOST_BEGINNING),
            _found={"timed": timed, "estimated": estimated},
        )

    def keep(self) -> None:
        """Add what this learnt to the cache, for the next run and the next plan.

        What others learnt meanwhile stays; beyond a limit the oldest go. A cache that cannot be
        written costs no more than its use.
        """
        learnt = {"timed": self._new("timed"), "estimated": self._new("estimated")}
        if not any(learnt.values()):
            return
        there, path = Costs.kept(), _path()
        found = {
            name: dict(list({**getattr(there, name), **new}.items())[-MOST_KEPT:])
            for name, new in learnt.items()
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            files.write_json(path, found)
        except OSError as error:
            logger.warning("what trials took is not kept: %s: %s", path, error.strerror)

    def _new(self, name: str) -> dict[str, float]:
        """Return what was not in the cache as this was read, or was another number."""
        found = self._found.get(name, {})
        return {key: value for key, value in getattr(self, name).items() if found.get(key) != value}

    def of(self, trial: Trial) -> Cost:
        """Return what is known of a trial that has not begun."""
        keys, cell = self._keys_of(trial), trial.cell
        start = self.timed.get(keys.start, UNKNOWN_START * self._unit(trial))
        judging = self._judging(keys)
        is_timed = judging is not None
        if judging is None:
            judging = UNKNOWN_JUDGING * len(trial.subject.metrics) * trial.subject.num_samples
        if cell is None:
            return Cost(start, 0.0, 0.0, judging, is_timed)
        if cell.incompatible:
            return Cost(0.0, 0.0, 0.0, 0.0)
        times = cell.times_judged
        drawing = self._drawing(keys, cell.num_samples, self._unit(trial))
        return Cost(
            start,
            self._training(keys, _images_to_train(trial), self._unit(trial)),
            None if drawing is None else drawing * times,
            judging * times,
            is_timed,
        )

    def building(self, trials: Iterable[Trial]) -> float:
        """Return the seconds of what these trials' metrics ask of real images alone.

        It is for the first of those that are judged beside the same images; once one was judged
        on this machine, nothing is left of it.
        """
        keys = {self._keys_of(trial).building for trial in trials}
        return sum(self.estimated.get(key, 0.0) for key in keys - self.timed.keys())

    def is_judging_known(self, trial: Trial, *, of_its_kind: bool = False) -> bool:
        """Whether a trial like this was judged here, or all of its judging was estimated.

        With `of_its_kind` an estimate of a reference is none of trained samples, nor the reverse.
        """
        keys = self._keys_of(trial)
        if any(key in self.timed for key in keys.judging):
            return True
        kinds = keys.judging[:1] if of_its_kind else keys.judging
        return keys.building in self.estimated and any(key in self.estimated for key in kinds)

    def was_timed(self, trial: Trial) -> bool:
        """Whether a training like this one was timed here."""
        keys = self._keys_of(trial)
        return keys.training in self.timed or keys.image in self.timed

    def estimate(self, trial: Trial, per_image: float, per_sample: float) -> None:
        """Take an estimate, for as long as no trial like this was timed."""
        keys = self._keys_of(trial)
        self.estimated |= {keys.image: per_image, keys.sample: per_sample}

    def estimate_judging(self, trial: Trial, building: float, each: float) -> None:
        """Take an estimate, for as long as no trial like this was judged."""
        keys = self._keys_of(trial)
        self.estimated |= {keys.building: building, keys.judging[0]: each}

    def opening(self, executor: str) -> float:
        """Return the seconds between a run's beginning and that of its first trial."""
        guess = 0.0 if executor == IN_THIS_PROCESS else UNKNOWN_OPENING * self.beginning
        return self.timed.get(_machine_key("opening", executor), guess)

    def closing(self, trials: int) -> float:
        """Return the seconds that the tables and the page of so many trials take."""
        guess = UNKNOWN_CLOSING * self.beginning
        return self.timed.get(_machine_key("closing"), guess) * _shown(trials)

    def learn_opening(self, executor: str, seconds: float) -> None:
        """Take what passed until the first trial of a run began."""
        self.timed[_machine_key("opening", executor)] = max(0.0, seconds)

    def learn_closing(self, trials: int, seconds: float) -> None:
        """Take what the tables and the page of a run took."""
        self.timed[_machine_key("closing")] = seconds / max(1.0, _shown(trials))

    def learn(self, outcome: TrialOutcome) -> None:
        """Take what a trial took. One that other programs held up, or that was resumed, is none."""
        trial, result = outcome.trial, outcome.result
        seconds, counts = result.seconds, result.training
        held_up = trial.alone and result.timings is not None and not result.timings.alone
        if result.status is not Status.OK or held_up or result.resumed_at_kimg is not None:
            return
        keys = self._keys_of(trial)
        times = 1 if trial.cell is None else trial.cell.times_judged
        train, sample, judge = (seconds.get(name, 0.0) for name in ("train", "sample", "evaluate"))
        self.timed[keys.start] = max(0.0, seconds.get("total", 0.0) - train - sample - judge)
        self._learn_judging(keys, judge / times)
        if trial.cell is None or counts is None or not counts.images:
            return
        self.timed[keys.training], self.timed[keys.drawing] = train, sample / times
        if sample / times >= TELLING_SECONDS:
            self.timed[keys.sample] = sample / times / trial.cell.num_samples
        if train < TELLING_SECONDS:
            return
        per_image = train / counts.images
        if expected := self.estimated.get(keys.image):
            self.drifts.append(min(max(per_image / expected, 1 / MOST_DRIFT), MOST_DRIFT))
        self.timed[keys.image] = per_image

    def _learn_judging(self, keys: _Keys, seconds: float) -> None:
        """Take what judging took, without the part of it that the next will not take."""
        each = next((self.estimated[key] for key in keys.judging if key in self.estimated), None)
        if keys.building not in self.timed and each:
            seconds *= each / (each + self.estimated.get(keys.building, 0.0))
        self.timed[keys.building], self.timed[keys.judging[0]] = 0.0, seconds

    def _judging(self, keys: _Keys) -> float | None:
        for known in (self.timed, self.estimated):
            for key in keys.judging:
                if key in known:
                    return known[key]
        return None

    def _training(self, keys: _Keys, images: int, unit: float) -> float | None:
        if keys.training in self.timed:
            return self.timed[keys.training]
        if keys.image in self.timed:
            return self.timed[keys.image] * images
        if keys.image not in self.estimated:
            return None
        drift = sum(self.drifts) / len(self.drifts) if self.drifts else 1.0
        return UNKNOWN_WARM_UP * unit + self.estimated[keys.image] * drift * images

    def _drawing(self, keys: _Keys, samples: int, unit: float) -> float | None:
        if keys.drawing in self.timed:
            return self.timed[keys.drawing]
        if keys.sample in self.timed:
            return self.timed[keys.sample] * samples
        if keys.sample not in self.estimated:
            return None
        return UNKNOWN_DRAWING * unit + self.estimated[keys.sample] * samples

    def _unit(self, trial: Trial) -> float:
        """Return what guesses of a trial are counted in."""
        return self.beginning if trial.alone else BESIDE_OTHERS * self.beginning

    def _keys_of(self, trial: Trial) -> _Keys:
        of = (trial.subject.id, trial.device, trial.threads, trial.alone)
        if of not in self._keys:
            self._keys[of] = _Keys.of(trial)
        return self._keys[of]


@dataclass(frozen=True)
class AtWork:
    """How far a trial is."""

    window: Window | None  # the last that it wrote
    since: float  # seconds from then on, or from its beginning where there is none


class Forecast:
    """How long the trials that are left of a run will take."""

    def __init__(
        self, execution: Execution, trials: int, costs: Costs | None = None, opened: bool = False
    ) -> None:
        """`trials` are those of the whole run; `costs` those of the cache unless they are given.

        `opened` is a run whose workers are there already.
        """
        self._jobs, self._costs = execution.jobs, Costs.kept() if costs is None else costs
        self._paces: list[float] = []  # seconds of an image in the trainings that ended
        self._closing = self._costs.closing(trials)
        self._has_ended = False  # a trial of this run
        self._opens = time.monotonic()
        if not opened:
            self._opens += self._costs.opening(execution.executor.name)

    def ended(self, outcome: TrialOutcome) -> None:
        """Learn from a trial of this run."""
        self._has_ended = True
        self._costs.learn(outcome)
        cost = self._costs.of(outcome.trial)
        if outcome.trial.cell and cost.training:
            self._paces.append(cost.training / _images_to_train(outcome.trial))

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
        if len(known) < len(rests):
            return None
        opening = 0.0 if at_work or self._has_ended else max(0.0, self._opens - time.monotonic())
        building = self._costs.building(waiting)
        return opening + building + max(sum(known) / self._jobs, *known, 0.0) + self._closing

    def _rest(self, trial: Trial, at_work: AtWork | None, usual: float | None) -> float | None:
        cost, images = self._costs.of(trial), images_of(trial)
        since = at_work.since if at_work else 0.0
        if at_work and (window := at_work.window):
            left = max(0.0, images - 1000 * window.kimg) / window.images_per_second
            cost = replace(cost, start=0.0, training=left)
        elif cost.training is None and usual is not None:
            cost = replace(cost, training=usual * _images_to_train(trial))
        return None if cost.total is None else max(0.0, cost.total - since)


def real_share(subject: Cell | Reference) -> float:
    """Return beside how many of the training images samples are judged."""
    return 0.5 if isinstance(subject, Reference) and subject.control == "train-half" else 1.0


def images_of(trial: Trial) -> int:
    """Return how many real images D has been shown when a trial's training ends."""
    if trial.cell is None or trial.cell.incompatible:
        return 0
    return trial.cell.schedule.images


def _images_to_train(trial: Trial) -> int:
    """Return the same without those of another run, from which the training goes on."""
    continued = trial.cell and trial.cell.schedule.continues
    return images_of(trial) - (round(1000 * continued.kimg) if continued else 0)


def _shown(trials: int) -> float:
    """Return how many of the first trials would take as long to report as all of these."""
    return min(trials, FIRST_TRIALS) + SHARE_OF_OTHERS * max(0, trials - FIRST_TRIALS)


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
    return _machine_key(of, trial.device, trial.threads, trial.alone, what)


def _machine_key(of: str, *what: object) -> str:
    text = "|".join(map(str, [of, ganbench.__version__, machine.cpu_name(), *what]))
    return f"{of}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
