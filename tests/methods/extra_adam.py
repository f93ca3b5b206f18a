"""Extragradient Adam (Gidel et al., 2019, arXiv 1802.10551, algorithm 4), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from ganbench import Optimizer, PlayerSettings, hookimpl


class Extragradient(torch.optim.Adam):
    """Adam whose gradient is taken where a first move of it leads to; both count as averages."""

    @torch.no_grad()
    def extrapolate(self) -> None:
        (group,) = self.param_groups
        self.kept = [weight.clone() for weight in group["params"]]
        super().step()

    @torch.no_grad()
    def step(self, closure=None) -> None:
        (group,) = self.param_groups
        for weight, kept in zip(group["params"], self.kept, strict=True):
            weight.copy_(kept)
        super().step()


@dataclass(kw_only=True)
class ExtraAdam(Optimizer):
    """Adam by gradients that both players look ahead for."""

    name = "extra-adam"
    extrapolates = True
    defaults = {"weight_decay": 0.0, "eps": 1e-8}

    def build(
        self, parameters: list[nn.Parameter], settings: PlayerSettings
    ) -> torch.optim.Optimizer:
        return Extragradient(
            parameters,
            lr=settings.lr,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
        )


@hookimpl
def register_optimizers(register):
    register(ExtraAdam)
