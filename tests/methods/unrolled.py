"""Unrolled GANs (Metz et al., 2017, arXiv 1611.02163), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ganbench import Regularizer, Step, hookimpl


@dataclass(kw_only=True)
class Unrolled(Regularizer):
    """Let G see a D that is `k` steps of gradient descent ahead, by gradients through them."""

    name = "unrolled"
    looks_ahead = True
    k: int = 5
    lr: float = 1e-2

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
def register_losses(register):
    register(Unrolled)
