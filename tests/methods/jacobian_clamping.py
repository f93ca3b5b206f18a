"""Jacobian clamping (arXiv 1802.08768), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ganbench import Regularizer, Scheduled, Step, Terms, hookimpl, norm_per_sample


@dataclass(kw_only=True)
class JacobianClamping(Regularizer):
    """Keep how far G's images move with their latents between two bounds (Odena et al., 2018)."""

    name = "jacobian-clamping"
    weight: Scheduled = 1.0
    least: float = 1.0
    most: float = 20.0
    epsilon: float = 1.0  # how far latents are moved

    def __post_init__(self) -> None:
        if self.epsilon <= 0 or not 0 <= self.least <= self.most:
            raise ValueError("expected epsilon > 0 and 0 <= least <= most")

    def generator_loss(self, step: Step) -> Terms:
        direction = torch.randn_like(step.latents)
        move = self.epsilon * direction / norm_per_sample(direction)[:, None]
        moved = step.generate(step.latents + move, step.fake.labels)
        ratio = norm_per_sample(moved - step.fake.images) / norm_per_sample(move)
        return {
            "too_steep": self.weight * F.relu(ratio - self.most).square().mean(),
            "too_flat": self.weight * F.relu(self.least - ratio).square().mean(),
        }


@hookimpl
def register_losses(register):
    register(JacobianClamping)
