"""Optimistic Adam (Daskalakis et al., 2018, arXiv 1711.00141), as a plugin."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from ganbench import Optimizer, PlayerSettings, hookimpl


class Optimistic(torch.optim.Adam):
    """Makes each of Adam's moves twice, less the move before."""

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:
        (group,) = self.param_groups
        moving = [weight for weight in group["params"] if weight.grad is not None]
        before = [weight.clone() for weight in moving]
        super().step()
        for weight, old in zip(moving, before, strict=True):
            move, state = weight - old, self.state[weight]
            weight.add_(move - state["move"] if "move" in state else move)
            state["move"] = move


@dataclass(kw_only=True)
class OptimisticAdam(Optimizer):
    """Adam that counts on the other player to move as it did."""

    name = "optimistic-adam"
    defaults = {"weight_decay": 0.0, "eps": 1e-8}

    def build(
        self, parameters: list[nn.Parameter], settings: PlayerSettings
    ) -> torch.optim.Optimizer:
        return Optimistic(
            parameters,
            lr=settings.lr,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
        )


@hookimpl
def register_optimizers(register):
    register(OptimisticAdam)
