"""Latent optimisation for ganbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch

from ganbench import Loss, Regularizer, Step, hookimpl


@dataclass(kw_only=True)
class LOGAN(Regularizer):
    """Move latents up D's slope before either player sees their images (Wu et al., 2019)."""

    name = "logan"
    step_size: float = 0.9
    damping: float = 0.1

    def __post_init__(self) -> None:
        if self.step_size < 0 or not self.damping > 0:
            raise ValueError(
                "expected step_size >= 0 and damping > 0, found "
                f"{self.step_size} and {self.damping}"
            )

    def edit_generator_step(self, step: Step) -> Step:
        z, labels = step.latents.detach().requires_grad_(), step.fake.labels
        logits = step.score(step.generate(z, labels), labels).logits
        (slope,) = torch.autograd.grad(logits.sum(), z, create_graph=True)
        z = z + self.step_size * slope / (self.damping + slope.square().sum(1, keepdim=True))
        return replace(step, latents=z, fake=step.fake.of(step.generate(z, labels)))

    def edit_discriminator_step(self, step: Step) -> Step:
        moved = self.edit_generator_step(step)
        fakes = step.fake.of(moved.fake.images.detach())
        return replace(step, latents=moved.latents.detach(), fake=fakes)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(LOGAN)
