"""A loss with a network of its own, a schedule of its own and a slope that it bounds."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import (
    InputGradients,
    Loss,
    Owned,
    Recipe,
    Shapes,
    Step,
    Terms,
    hookimpl,
    logit_per_image,
    norm_per_sample,
)


@dataclass(kw_only=True)
class Typed(Loss):
    """Hinge loss, a penalty on steep reals, and features that a network guesses."""

    name = "typed"
    recipe = Recipe(n_critic=2, g_lr=1e-4, d_lr=4e-4, betas=(0.0, 0.9))
    input_gradients = InputGradients.REAL
    constrains = True
    boundary = 0.0
    weight: float = 1.0
    guess: float = 0.1

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        return {"guesser": Owned(nn.Linear(shapes.feature_dim, shapes.feature_dim), "generator")}

    def edit_generator_step(self, step: Step) -> Step:
        return replace(step)

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = logit_per_image(step.real.logits), logit_per_image(step.fake.logits)
        slope: Tensor = norm_per_sample(step.real.input_gradient)
        return {
            "real": F.relu(1 - real).mean(),
            "fake": F.relu(1 + fake).mean(),
            "slope": self.weight * slope.square().mean(),
        }

    def generator_loss(self, step: Step) -> Terms:
        features = step.fake.features
        guessed: Tensor = step.own["guesser"](features)
        return {
            "adversarial": -step.fake.logits.mean(),
            "guess": self.guess * (guessed - features.detach()).square().mean(),
        }


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(Typed)
