"""BiGAN for ganbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import prod

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Loss, Owned, Shapes, Step, Terms, hookimpl


@dataclass(kw_only=True)
class BiGAN(Loss):
    """Tell (x, E(x)) from (G(z), z), where E learns with G (Donahue et al., 2017)."""

    name = "bigan"
    width: int = 64  # of the hidden layer of the encoder and of the joint head

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be positive, found {self.width}")

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        image = shapes.image
        pixels = prod((image.channels, image.resolution, image.resolution))

        def perceptron(inputs: int, outputs: int) -> nn.Module:
            return nn.Sequential(
                nn.Linear(inputs, self.width), nn.Softplus(), nn.Linear(self.width, outputs)
            )

        joint = perceptron(shapes.feature_dim + shapes.latent_dim, 1)
        encoder = nn.Sequential(nn.Flatten(), perceptron(pixels, shapes.latent_dim))
        return {"encoder": Owned(encoder, "generator"), "joint": Owned(joint, "discriminator")}

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = self._logits(step)
        return {"real": F.softplus(-real).mean(), "fake": F.softplus(fake).mean()}

    def generator_loss(self, step: Step) -> Terms:
        real, fake = self._logits(step)
        return {"encoded": F.softplus(real).mean(), "generated": F.softplus(-fake).mean()}

    def _logits(self, step: Step) -> tuple[Tensor, Tensor]:
        def joint(features: Tensor, z: Tensor) -> Tensor:
            return step.own["joint"](torch.cat([features, z], 1)).squeeze(1)

        encoded = step.own["encoder"](step.real.images)
        return joint(step.real.features, encoded), joint(step.fake.features, step.latents)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(BiGAN)
