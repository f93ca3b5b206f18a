"""Cramér GAN: the energy distance of D's features (arXiv 1705.10743), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench import (
    InputGradients,
    Loss,
    Recipe,
    Step,
    Terms,
    hookimpl,
    interpolated,
    norm_per_sample,
)


@dataclass(kw_only=True)
class CramerGAN(Loss):
    """The energy distance of transformed images, with a gradient penalty (Bellemare et al., 2017).

    h is what D's head sees. The second fake beside each is its neighbour in the batch.
    """

    name = "cramer-gan"
    recipe = Recipe(n_critic=5, g_lr=1e-4, d_lr=1e-4, betas=(0.5, 0.9))
    input_gradients = InputGradients.OWN
    pairs_labels = True
    whole_batch = True  # fakes are paired within it
    unasked_norms = ("spectral",)
    gp_weight: float = 10.0

    def discriminator_loss(self, step: Step) -> Terms:
        other = step.fake.features.roll(1, 0)
        surrogate = self._critic(step.real.features, other) - self._critic(
            step.fake.features, other
        )
        between = interpolated(step)
        (gradient,) = torch.autograd.grad(
            self._critic(between.features, other.detach()).sum(), between.images, create_graph=True
        )
        penalty = (norm_per_sample(gradient) - 1).square().mean()
        return {"surrogate": -surrogate.mean(), "gradient_penalty": self.gp_weight * penalty}

    def generator_loss(self, step: Step) -> Terms:
        real, fake = step.real.features, step.fake.features
        other = fake.roll(1, 0)
        energy = (
            norm_per_sample(real - fake)
            + norm_per_sample(real - other)
            - norm_per_sample(fake - other)
        )
        return {"energy": energy.mean()}

    def _critic(self, features: Tensor, other: Tensor) -> Tensor:
        return norm_per_sample(features - other) - norm_per_sample(features)


@hookimpl
def register_losses(register):
    register(CramerGAN)
