"""How long a cell will take on this machine, measured on the spot."""

from __future__ import annotations

import time

import torch

from ganbench import sampling
from ganbench.cell_trial import make_trainer
from ganbench.cells import Cell, Parts
from ganbench.registry import Registry
from ganbench.specs import ImageSpec, LabeledImages

WARM_UP, TIMED, MOST_SECONDS = 2, 5, 2.0
SAMPLED = 500


def seconds(cell: Cell, registry: Registry, device: str) -> float:
    """Of training and sampling one seed, from a few steps on noise; process start, data and
    metrics come on top."""
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
    iterations = 1000 * cell.schedule.kimg / (cell.schedule.batch_size * cell.schedule.n_critic)
    labels = torch.zeros(SAMPLED, dtype=torch.int64) if image.num_classes else None
    latents = sampling.draw_latents(parts.architecture, SAMPLED, 0)
    started = time.perf_counter()
    sampling.generate(trainer.generator, latents, labels, torch.device(device))
    per_sample = (time.perf_counter() - started) / SAMPLED
    return iterations * per_iteration + cell.num_samples * per_sample


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
