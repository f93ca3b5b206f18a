"""How long a cell will take on this machine, measured on the spot."""

from __future__ import annotations

import dataclasses
import itertools
import time
from contextlib import AbstractContextManager
from typing import Literal

import torch

from ganbench.contracts.images import ImageSpec, LabeledImages
from ganbench.models import sampling
from ganbench.models.label_source import stand_ins
from ganbench.models.networks import transformed
from ganbench.models.parts import Parts, num_parameters
from ganbench.records.cells import Cell, pace_key
from ganbench.registry.registry import Registry
from ganbench.training import graphs
from ganbench.training.build import make_trainer
from ganbench.training.trainer import Trainer
from ganbench.util import machine

WARM_UP, TIMED, MOST_SECONDS = 2, 5, 2.0
SAMPLED = 500
GIVEN_UP_SECONDS = 4.0  # of one iteration, however few its images
ENOUGH_SECONDS = 10.0  # for all networks; those that are left are measured by small batches alone
MOST_BYTES = 1e9  # of memory for measuring
MOST_CRITIC = 5  # steps of D in an iteration that is measured
MOST_GEN = 5  # and of G; where there are more, an image takes as much longer at most
WEIGHT_COPIES = 5  # gradients, both averages of Adam and the average of weights
Bound = Literal["at most", "at least"]
"""At most about so long where small batches were measured, which are slower an image; at least so
long where even one iteration of two images was not waited for."""
SMALL = (2, 4, 32, 256, 2048, 16_384)  # batches to be tried before whole ones


@dataclasses.dataclass(frozen=True)
class Estimate:
    """How long a seed of a cell trains and draws its samples."""

    per_image: float  # seconds of training, by the real images shown to D
    per_sample: float
    seconds: float  # of all of both
    bound: Bound | None

    @property
    def is_bound(self) -> bool:
        """Whether it may take much less, or much longer."""
        return self.bound is not None


@dataclasses.dataclass(frozen=True)
class _Measured:
    per_image: float  # of training
    per_sample: float
    bound: Bound | None


class _EnoughError(Exception):
    """An iteration that takes longer than anyone waits for an estimate."""


class Estimator:
    """Cells that differ only in rates and budgets are measured once."""

    def __init__(
        self,
        registry: Registry,
        device: str,
        threads: int | None = None,
        *,
        are_small: bool = False,
    ) -> None:
        """`threads` are those that a trial has; None: as many as torch takes by itself.

        Of networks that are known to be small, whole batches are measured at once.
        """
        self.registry, self.device, self.threads = registry, device, threads
        self._are_small = are_small
        self._measured: dict[str, _Measured | None] = {}
        self._spent = 0.0

    def estimate(self, cell: Cell) -> Estimate | None:
        """Of training and sampling one seed; process start, data and metrics come on top.

        Returns None for networks that are too large to be tried out.
        """
        n_gen = min(cell.schedule.n_gen, MOST_GEN)
        longer = cell.schedule.n_gen / n_gen
        schedule = dataclasses.replace(cell.schedule.of_one_process, n_gen=n_gen)
        cell = dataclasses.replace(cell, schedule=schedule)
        key = pace_key(cell)
        if key not in self._measured:
            self._measured[key] = self._measure(cell)
        if (found := self._measured[key]) is None:
            return None
        num_samples = cell.num_samples * cell.times_judged
        images = schedule.iterations * schedule.images_per_iteration
        per_image = found.per_image * longer
        seconds = images * per_image + num_samples * found.per_sample
        bound = found.bound or ("at most" if longer > 1 else None)
        return Estimate(per_image, found.per_sample, seconds, bound)

    def _measure(self, cell: Cell) -> _Measured | None:
        before, started = torch.get_num_threads(), time.perf_counter()
        torch.set_num_threads(self.threads or before)
        try:
            if self._are_small:
                return _whole(cell, Parts.of(cell, self.registry), self.device)
            thorough = self._spent < ENOUGH_SECONDS
            return _measure(cell, self.registry, self.device, thorough=thorough)
        finally:
            torch.set_num_threads(before)
            self._spent += time.perf_counter() - started


def _measure(cell: Cell, registry: Registry, device: str, *, thorough: bool) -> _Measured | None:
    """Train a few iterations on noise, of batches as large as time and memory allow."""
    if 4 * WEIGHT_COPIES * sum(num_parameters(cell, registry)) > MOST_BYTES:
        return None
    parts = Parts.of(cell, registry)
    n_critic = cell.schedule.n_critic
    if cell.schedule.critic_batches == "own":  # else an image has all of the steps
        n_critic = min(n_critic, MOST_CRITIC)
    small = [count for count in SMALL if count < cell.schedule.batch_size and _fits(parts, count)]
    for count, following in itertools.zip_longest(small, small[1:]):
        before = _peak_bytes()
        schedule = dataclasses.replace(
            cell.schedule, batch_size=count, micro_batch=None, n_critic=n_critic
        )
        few = dataclasses.replace(cell, schedule=schedule)
        trainer, per_image, ended = _timed(few, parts, device, warm_up=1, timed=1)
        if not ended:
            return _Measured(per_image, _per_sample(trainer, parts, device), "at least")
        more = (following or cell.schedule.batch_size) / count
        is_dear = more * per_image * schedule.images_per_iteration > MOST_SECONDS
        if not thorough or is_dear or more * (_peak_bytes() - before) > MOST_BYTES:
            return _Measured(per_image, _per_sample(trainer, parts, device), "at most")
    schedule = dataclasses.replace(cell.schedule, n_critic=n_critic)
    return _whole(dataclasses.replace(cell, schedule=schedule), parts, device)


def _whole(cell: Cell, parts: Parts, device: str) -> _Measured:
    trainer, per_image, ended = _timed(cell, parts, device)
    return _Measured(per_image, _per_sample(trainer, parts, device), None if ended else "at least")


def _fits(parts: Parts, count: int) -> bool:
    """Whether the transforms take batches of so many images."""
    image = parts.image
    for transform in parts.transforms:
        if transform.unsupported(image, count) is not None:
            return False
        image = transformed(image, transform)
    return True


def _timed(
    cell: Cell, parts: Parts, device: str, *, warm_up: int = WARM_UP, timed: int = TIMED
) -> tuple[Trainer, float, bool]:
    """Return a trainer that has trained a little, and the seconds of an image.

    The last is whether these are all: they are not where the first iteration was given up.
    """
    schedule = cell.schedule
    trainer = make_trainer(cell, parts, _noise(parts.image, schedule.batch_size), 0, device)
    images = schedule.images_per_iteration
    if schedule.compile == "graph":  # which is captured after a while
        warm_up += graphs.WARM_UP
    for _ in range(warm_up):
        started = time.perf_counter()
        ended = _iterated(trainer, started + GIVEN_UP_SECONDS)
        took = time.perf_counter() - started
        if not ended or took > MOST_SECONDS:  # warm or not is all the same
            return trainer, took / images, ended
    done, started = 0, time.perf_counter()
    while done < timed and time.perf_counter() - started < MOST_SECONDS:
        trainer.iterate()
        done += 1
    return trainer, (time.perf_counter() - started) / done / images, True


def _iterated(trainer: Trainer, deadline: float) -> bool:
    """Make an iteration, unless a phase of it begins after the deadline."""
    opened = trainer.phase

    def phase(name: str) -> AbstractContextManager[object]:
        if time.perf_counter() > deadline:
            raise _EnoughError
        return opened(name)

    trainer.phase = phase
    try:
        trainer.iterate()
    except _EnoughError:
        return False
    finally:
        trainer.phase = opened
    return True


def _per_sample(trainer: Trainer, parts: Parts, device: str) -> float:
    """Return the seconds of generating an image, measured on as many as a second or so allows."""
    generator, architecture = trainer.judged_generator, parts.architecture
    per_sample = 0.0
    for count in (2, 2, SAMPLED):  # the first may compile
        if per_sample:
            count = max(2, min(count, int(MOST_SECONDS / 2 / per_sample)))
        labels = stand_ins(parts.image, count)
        latents = sampling.draw_latents(architecture, count, 0)
        started = time.perf_counter()
        sampling.generate(generator, latents, labels, torch.device(device))
        per_sample = (time.perf_counter() - started) / count
        if per_sample > MOST_SECONDS:
            break
    return per_sample


def _peak_bytes() -> int:
    """Return the most memory that this process has had; 0 where the system does not tell."""
    return machine.peak_memory() or 0


def _noise(image: ImageSpec, count: int) -> LabeledImages:
    shape = (count, image.channels, image.resolution, image.resolution)
    images = torch.randint(256, shape, dtype=torch.uint8)
    return LabeledImages(images, stand_ins(image, count))


def readable(duration: float) -> str:
    """`45 s`, `12 min`, `3.5 h`."""
    if duration < 99.5:
        return f"{duration:.0f} s"
    if duration < 90 * 60:
        return f"{duration / 60:.0f} min"
    return f"{duration / 3600:,.1f} h"
