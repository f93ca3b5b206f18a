"""Hinge loss for ganbench."""

from dataclasses import dataclass

import torch.nn.functional as F

from ganbench import Loss, Step, Terms, hookimpl


@dataclass(kw_only=True)
class Hinge(Loss):
    """Hinge loss (Lim & Ye, 2017)."""

    name = "hinge"
    boundary = 0.0

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = F.relu(1 - step.real.logits), F.relu(1 + step.fake.logits)
        return {"real": real.mean(), "fake": fake.mean()}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean()}


@hookimpl
def register_losses(register):
    register(Hinge)
