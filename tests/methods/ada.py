"""Adaptive augmentation of what D sees (Karras et al., 2020, arXiv 2006.06676), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganbench import Step, Transform, hookimpl, logit_per_image


def _zero() -> Tensor:
    return torch.zeros(())


@dataclass(kw_only=True)
class ADA(Transform):
    """Mirror and brighten images, the more often the surer D is of reals."""

    name = "ada"
    target: float = 0.6  # of the mean sign of D's logits of reals
    kimg: float = 500.0  # in which the chance may go from 0 to 1
    every: int = 4  # steps of D between two changes
    chance: Tensor = field(default_factory=_zero, init=False, compare=False)
    signs: Tensor = field(default_factory=_zero, init=False, compare=False)
    images: int = field(default=0, init=False)
    steps: int = field(default=0, init=False)

    def apply(self, images: Tensor) -> Tensor:
        chance = self.chance.to(images.device)
        each = images.new_zeros(len(images), 1, 1, 1)
        images = torch.where(torch.rand_like(each) < chance, images.flip(3), images)
        return images + (torch.rand_like(each) < chance) * 0.2 * torch.randn_like(each)

    def observe(self, step: Step) -> None:
        logits = step.real.logits.detach()
        self.signs = self.signs.to(logits.device) + logit_per_image(logits.sign()).sum()
        self.images += len(logits)
        self.steps += 1
        if self.steps % self.every:
            return
        change = self.images / (1000 * self.kimg)
        direction = (self.signs / self.images - self.target).sign()
        self.chance = (self.chance.to(logits.device) + change * direction).clamp(0, 1)
        self.signs, self.images = torch.zeros_like(self.signs), 0


@hookimpl
def register_transforms(register):
    register(ADA)
