"""How long a cell will take on this machine, measured on the spot."""

from __future__ import annotations

import dataclasses
import time

import torch

from ganbench.contracts.images import ImageSpec, LabeledImages
from ganbench.models import sampling
from ganbench.models.parts import Parts, networks_key
from ganbench.records.cells import Cell
from ganbench.registry.registry import Registry
from ganbench.training.build import make_trainer

WARM_UP, TIMED, MOST_SECONDS = 2, 5, 2.0
SAMPLED = 500


class Estimator:
    """Cells that differ only in rates and budgets are measured once."""

    def __init__(self, registry: Registry, device: str) -> None:
        self.registry, self.device = registry, device
        self._measured: dict[str, tuple[float, float]] = {}

    def seconds(self, cell: Cell) -> float:
        """Of training and sampling one seed; process start, data and metrics come on top."""
        schedule = cell.schedule
        alike = dataclasses.replace(
            schedule, kimg=0, g_lr=0, d_lr=0, betas=(0, 0), ema=bool(schedule.ema), log_every=1
        )
        key = f"{networks_key(cell)} {alike}"
        if key not in self._measured:
            self._measured[key] = _measure(cell, self.registry, self.device)
        per_iteration, per_sample = self._measured[key]
        iterations = 1000 * schedule.kimg / (schedule.batch_size * schedule.n_critic)
        return iterations * per_iteration + cell.num_samples * per_sample


def _measure(cell: Cell, registry: Registry, device: str) -> tuple[float, float]:
    """Seconds of an iteration, from a few on noise, and of generating a sample."""
    parts = Parts.of(cell, registry)
    image = parts.image
    trainer = make_trainer(cell, parts, _noise(image, cell.schedule.batch_size), 0, device)
    for _ in range(WARM_UP):
        trainer.iterate()
    done, started = 0, time.perf_counter()
    while done < TIMED and time.perf_counter() - started < MOST_SECONDS:
        trainer.iterate()
        done += 1
    per_iteration = (time.perf_counter() - started) / done
    labels = torch.zeros(SAMPLED, dtype=torch.int64) if image.num_classes else None
    latents = sampling.draw_latents(parts.architecture, SAMPLED, 0)
    generator = trainer.judged_generator
    few = None if labels is None else labels[:2]
    sampling.generate(generator, latents[:2], few, torch.device(device))  # it may compile
    started = time.perf_counter()
    sampling.generate(generator, latents, labels, torch.device(device))
    return per_iteration, (time.perf_counter() - started) / SAMPLED


def _noise(image: ImageSpec, count: int) -> LabeledImages:
    shape = (count, image.channels, image.resolution, image.resolution)
    images = torch.randint(256, shape, dtype=torch.uint8)
    labels = torch.arange(count) % image.num_classes if image.num_classes else None
    return LabeledImages(images, labels)


def readable(duration: float) -> str:
    """`45 s`, `12 min`, `3.5 h`."""
    if duration < 99.5:
        return f"{duration:.0f} s"
    if duration < 90 * 60:
        return f"{duration / 60:.0f} min"
    return f"{duration / 3600:.1f} h"
