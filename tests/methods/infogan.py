"""InfoGAN (Chen et al., 2016, arXiv 1606.03657) with continuous codes, as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import nn

from ganbench import Owned, Regularizer, Shapes, Step, Terms, hookimpl


@dataclass(kw_only=True)
class InfoGAN(Regularizer):
    """Let a network Q, which learns with G, read the first latents back from D's features."""

    name = "infogan"
    codes: int = 2
    weight: float = 1.0

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        q = nn.Sequential(
            nn.Linear(shapes.feature_dim, 64), nn.LeakyReLU(0.1), nn.Linear(64, self.codes)
        )
        return {"q": Owned(q, "generator")}

    def generator_loss(self, step: Step) -> Terms:
        read = step.own["q"](step.fake.features)
        return {"information": self.weight * F.mse_loss(read, step.latents[:, : self.codes])}


@hookimpl
def register_losses(register):
    register(InfoGAN)
