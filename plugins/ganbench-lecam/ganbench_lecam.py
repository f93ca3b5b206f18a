"""LeCam regularizer for ganbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench import Loss, Regularizer, Step, Terms, hookimpl


@dataclass(kw_only=True)
class LeCam(Regularizer):
    """Hold D's predictions near their averages on the other side (Tseng et al., 2021)."""

    name = "lecam"
    whole_batch = True
    weight: float = 0.3  # λ
    decay: float = 0.99  # of the averages
    warmup: int = 100  # steps of D that only feed the averages
    steps: int = field(default=0, init=False)
    averages: Tensor | None = field(default=None, init=False, compare=False)  # (2,): reals, fakes

    def __post_init__(self) -> None:
        for name in ("weight", "warmup"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay must be from 0 to 1, found {self.decay}")

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = step.real.logits, step.fake.logits
        self._remember(torch.stack([real.mean(), fake.mean()]).detach())
        if self.steps <= self.warmup:
            return {}
        real_average, fake_average = self.averages
        above = F.relu(real - fake_average).square().mean()
        below = F.relu(real_average - fake).square().mean()
        return {"lecam": self.weight * (above + below)}

    def _remember(self, means: Tensor) -> None:
        self.steps += 1
        if self.averages is None:
            self.averages = means
        else:
            self.averages = means.lerp(self.averages.to(means), self.decay)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(LeCam)
