"""Orthogonal regularisation (Brock et al., 2019, arXiv 1809.11096, eq. 3), as a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench import Regularizer, Step, Terms, hookimpl


@dataclass(kw_only=True)
class Orthogonal(Regularizer):
    """Keep the rows of every weight at right angles to each other, whatever their length."""

    name = "orthogonal"
    weight: float = 1e-4

    def discriminator_loss(self, step: Step) -> Terms:
        return {"orthogonal": self.weight * overlap(step.parameters.discriminator)}

    def generator_loss(self, step: Step) -> Terms:
        return {"orthogonal": self.weight * overlap(step.parameters.generator)}


def overlap(weights: Mapping[str, Tensor]) -> Tensor:
    """Return the sum of squares of all products of two different rows."""
    rows = [weight.flatten(1) for weight in weights.values() if weight.ndim > 1]
    grams = [weight @ weight.T for weight in rows]
    return torch.stack([(gram - gram.diag().diag()).square().sum() for gram in grams]).sum()


@hookimpl
def register_losses(register):
    register(Orthogonal)
