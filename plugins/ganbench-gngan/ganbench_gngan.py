"""Gradient-normalised GAN for ganbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from ganbench import (
    InputGradients,
    Loss,
    Recipe,
    Scored,
    Step,
    Terms,
    hookimpl,
    logit_per_image,
    norm_per_sample,
)


@dataclass(kw_only=True)
class GradientNormalised(Loss):
    """The hinge loss of logits over their slope and size, for both players (Wu et al., 2021)."""

    name = "gradient-normalised"
    recipe = Recipe(n_critic=5, g_lr=2e-4, d_lr=4e-4, betas=(0.0, 0.9))
    boundary = 0.0
    input_gradients = InputGradients.REAL | InputGradients.FAKE
    unasked_norms = ("spectral",)

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = self._normalised(step.real), self._normalised(step.fake)
        return {"real": F.relu(1 - real).mean(), "fake": F.relu(1 + fake).mean()}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -self._normalised(step.fake).mean()}

    def _normalised(self, scored: Scored) -> Tensor:
        f = logit_per_image(scored.logits)
        each = scored.logits.numel() // len(scored.logits)  # the gradient is that of their sum
        slope = norm_per_sample(scored.input_gradient) / each
        return f / (slope + f.abs())


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(GradientNormalised)
