"""Adaptive pseudo augmentation (Jiang et al., 2021, arXiv 2111.06849), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from ganbench import Regularizer, Step, Terms, hookimpl


@dataclass(kw_only=True)
class APA(Regularizer):
    """Pass fakes off as reals in D's steps, the more often the surer D is of reals."""

    name = "apa"
    target: float = 0.6  # of the mean sign of D's logits of reals
    kimg: float = 500.0  # in which the chance may go from 0 to 1
    chance: Tensor = field(default_factory=lambda: torch.zeros(()), init=False, compare=False)

    def edit_discriminator_step(self, step: Step) -> Step:
        reals, fakes = step.real.images, step.fake.images
        posed = torch.rand_like(reals[:, :1, :1, :1]) < self.chance.to(reals.device)
        return replace(step, real=step.real.of(torch.where(posed, fakes, reals)))

    def discriminator_loss(self, step: Step) -> Terms:
        logits = step.real.logits.detach()
        change = len(logits) / (1000 * self.kimg)
        direction = (logits.sign().mean() - self.target).sign()
        self.chance = (self.chance.to(logits.device) + change * direction).clamp(0, 1)
        return {}


@hookimpl
def register_losses(register):
    register(APA)
