"""R3GAN's five schedules, from the package's benchmark file to what the trainer sets."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
from helpers.tiny_trainer import data_of

from ganbench.config import benchmark_file, plan
from ganbench.models.parts import Parts
from ganbench.records.schedules import text_of
from ganbench.training.build import make_trainer

FILE = Path(__file__).parents[2] / "plugins/ganbench-r3gan/benchmark_schedules.yaml"


def cosine(start: float, end: float, images: int) -> float:
    """Over the first 8,000 images of 16,000."""
    share = min(images / 8000, 1)
    return end + (start - end) * (1 + math.cos(math.pi * share)) / 2


def test_five_schedules_are_their_closed_forms(with_packages):
    asked = benchmark_file.load(FILE, with_packages)
    (cell,) = plan.make(asked, with_packages, device="cpu").cells
    assert text_of(cell.schedule.g_lr) == "1e-3→2.5e-4 cosine until 0.5"
    parts = Parts.of(cell, with_packages)
    trainer = make_trainer(cell, parts, data_of(64, parts.image), 0, "cpu")
    _, r1, r2 = trainer.losses
    (augmentation,) = trainer.discriminator.transforms
    for iteration in range(trainer.iterations):
        images = 32 * iteration
        trainer.changes.apply(images)
        for optimizer in (trainer.g_optimizer, trainer.d_optimizer):
            (group,) = optimizer.torch.param_groups
            assert group["lr"] == pytest.approx(cosine(1e-3, 2.5e-4, images))
            assert group["betas"] == (0.0, pytest.approx(cosine(0.9, 0.99, images)))
        assert r1.gamma == r2.gamma == pytest.approx(cosine(1, 0.1, images))
        assert augmentation.chance == pytest.approx(cosine(0, 0.5, images))
        assert trainer.average._half_life == pytest.approx(cosine(0, 0.5, images), abs=1e-12)
