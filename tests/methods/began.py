"""BEGAN: D as an autoencoder, in equilibrium (arXiv 1703.10717), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganbench import Loss, Owned, Recipe, Scored, Shapes, Step, Terms, hookimpl


class Decoder(nn.Module):
    def __init__(self, feature_dim: int, width: int, shape: tuple[int, int, int]) -> None:
        super().__init__()
        self.shape = shape
        channels, height, wide = shape
        self.layers = nn.Sequential(
            nn.Linear(feature_dim, width), nn.ELU(), nn.Linear(width, channels * height * wide)
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features).view(-1, *self.shape)


@dataclass(kw_only=True)
class BEGAN(Loss):
    """Errors of an autoencoder, kept in equilibrium by a share k (Berthelot et al., 2017).

    D's backbone is the encoder, a network of the loss's own decodes, and the head is idle.
    """

    name = "began"
    recipe = Recipe(g_lr=1e-4, d_lr=1e-4, betas=(0.5, 0.999))
    whole_batch = True  # k follows the batch's errors
    gamma: float = 0.5  # how varied images are to be
    rate: float = 0.001  # of k
    width: int = 128

    def __post_init__(self) -> None:
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma must be above 0 and at most 1, found {self.gamma}")
        self.k: float | Tensor = 0.0

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        image = shapes.image
        shape = (image.channels, image.resolution, image.resolution)
        return {"decoder": Owned(Decoder(shapes.feature_dim, self.width, shape), "discriminator")}

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = self._error(step, step.real), self._error(step, step.fake)
        k = self.k
        balance = self.gamma * real.detach() - fake.detach()
        self.k = torch.clamp(k + self.rate * balance, 0, 1)
        return {"real": real, "fake": -k * fake}

    def generator_loss(self, step: Step) -> Terms:
        return {"error": self._error(step, step.fake)}

    def _error(self, step: Step, scored: Scored) -> Tensor:
        return (step.own["decoder"](scored.features) - scored.images).abs().mean()


@hookimpl
def register_losses(register):
    register(BEGAN)
