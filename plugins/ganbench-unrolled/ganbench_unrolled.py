"""Unrolled GANs for ganbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ganbench import Loss, Regularizer, Step, hookimpl


@dataclass(kw_only=True)
class Unrolled(Regularizer):
    """Let G see a D that is some steps of gradient descent ahead (Metz et al., 2017)."""

    name = "unrolled"
    looks_ahead = True
    k: int = 5  # steps of D, through which gradients pass
    lr: float = 1e-2  # of these steps

    def __post_init__(self) -> None:
        if self.k < 0 or not self.lr > 0:
            raise ValueError(f"expected k >= 0 and lr > 0, found {self.k} and {self.lr}")

    def edit_generator_step(self, step: Step) -> Step:
        names, now = zip(*step.parameters.discriminator.items(), strict=True)
        weights = [weight.detach().requires_grad_() for weight in now]
        for _ in range(self.k):
            ahead = step.at(discriminator=dict(zip(names, weights, strict=True)))
            slopes = torch.autograd.grad(
                ahead.objective("discriminator"), weights, create_graph=True, allow_unused=True
            )
            weights = [
                weight if slope is None else weight - self.lr * slope
                for weight, slope in zip(weights, slopes, strict=True)
            ]
        return step.at(discriminator=dict(zip(names, weights, strict=True)))


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(Unrolled)
