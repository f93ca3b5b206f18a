"""The circle of CcGAN (Ding et al., 2021, arXiv 2011.07466, section 4.1), and how well G keeps to
its condition, as plugins."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch

from ganbench import (
    Column,
    Dataset,
    DatasetStatus,
    ImageSpec,
    LabeledImages,
    Metric,
    Unavailable,
    hookimpl,
)

RADIUS, COUNTS = 0.8, {"train": 2000, "test": 500}


def place(angles):
    """Where the points of angles (N, 1), in half turns, are centred: (N, 2)."""
    return RADIUS * torch.cat([(math.pi * angles).sin(), (math.pi * angles).cos()], 1)


@dataclass(kw_only=True)
class Circle(Dataset):
    """Points near a circle, each with its angle, in half turns, as a vector of one number."""

    name = "circle"
    features = "pixels"
    std: float = 0.02

    def image_spec(self):
        return ImageSpec(2, 1, condition_dim=1)

    def load(self, split, root):
        rng = torch.Generator().manual_seed(len(split))
        angles = torch.rand(COUNTS[split], 1, generator=rng) * 2 - 1
        noise = self.std * torch.randn(COUNTS[split], 2, generator=rng)
        points = (place(angles) + noise).clamp(-1, 1)
        return LabeledImages(points[:, :, None, None], angles)

    def num_images(self):
        return COUNTS["train"]

    def status(self, root):
        return DatasetStatus("generated", True, None)


@dataclass(kw_only=True)
class ConditionError(Metric):
    """Mean distance of samples to where the points of their angle are centred."""

    name = "condition-error"
    breaks = {"values_are_the_declared_columns": "its number is of angles, as no other data has"}

    @property
    def columns(self):
        return (Column("condition-error", "", "min", digits=3),)

    def compute(self, evaluation):
        if evaluation.image.condition_dim != 1 or evaluation.fake.labels is None:
            raise Unavailable("the generator is not told an angle")
        away = evaluation.fake.images.flatten(1) - place(evaluation.fake.labels)
        return {"condition-error": away.norm(dim=1).mean().item()}


@hookimpl
def register_datasets(register):
    register(Circle)


@hookimpl
def register_metrics(register):
    register(ConditionError)
