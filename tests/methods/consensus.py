"""Consensus optimisation (Mescheder et al., 2017, arXiv 1705.10461), as a plugin."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench import Regularizer, Step, Terms, hookimpl


@dataclass(kw_only=True)
class Consensus(Regularizer):
    """Keep the gradients of both players' objectives small, in the steps of both."""

    name = "consensus"
    whole_batch = True
    looks_ahead = True
    weight: float = 0.1

    def discriminator_loss(self, step: Step) -> Terms:
        generator, discriminator = (_leaves(weights) for weights in step.parameters)
        here = step.at(generator=generator, discriminator=discriminator)
        squares = [
            slope.square().sum()
            for objective, weights in (
                (here.objective("generator"), generator),
                (here.objective("discriminator"), discriminator),
            )
            for slope in torch.autograd.grad(
                objective, [*weights.values()], create_graph=True, allow_unused=True
            )
            if slope is not None
        ]
        return {"consensus": self.weight / 2 * torch.stack(squares).sum()}

    generator_loss = discriminator_loss


def _leaves(weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return weights that gradients may be taken by: those of the player whose turn it is as they
    are, so that the term trains them, and copies of the other's, which are frozen."""
    return {
        name: weight if weight.requires_grad else weight.detach().requires_grad_()
        for name, weight in weights.items()
    }


@hookimpl
def register_losses(register):
    register(Consensus)
