"""Self-supervised GAN for ganbench: rotations that the discriminator tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Loss, Owned, Regularizer, Scheduled, Scored, Shapes, Step, Terms, hookimpl

QUARTERS = 4


@dataclass(kw_only=True)
class Rotations(Regularizer):
    """D tells by how many quarters reals are turned, G lets its own be told (Chen et al., 2019)."""

    name = "rotations"
    d_weight: Scheduled = 1.0  # beta, of reals in D's step
    g_weight: Scheduled = 0.2  # alpha, of fakes in G's

    def __post_init__(self) -> None:
        for name in ("d_weight", "g_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        return {"quarters": Owned(nn.Linear(shapes.feature_dim, QUARTERS), "discriminator")}

    def discriminator_loss(self, step: Step) -> Terms:
        return {"rotation": self.d_weight * self._told(step, step.real)}

    def generator_loss(self, step: Step) -> Terms:
        return {"rotation": self.g_weight * self._told(step, step.fake)}

    def _told(self, step: Step, scored: Scored) -> Tensor:
        images = scored.images
        quarters = torch.randint(QUARTERS, (len(images),), device=images.device)
        turned = step.score(rotated(images, quarters), scored.labels)
        return F.cross_entropy(step.own["quarters"](turned.features), quarters)


def rotated(images: Tensor, quarters: Tensor) -> Tensor:
    """Return images (N, C, H, H), each turned by its number of quarters (N,)."""
    every = torch.stack([images.rot90(k, (2, 3)) for k in range(QUARTERS)])
    return every[quarters, torch.arange(len(images), device=images.device)]


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(Rotations)
