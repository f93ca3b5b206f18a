"""The built-in optimisers: torch's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import nn

from ganbench import Optimizer, PlayerSettings, hookimpl


@dataclass(kw_only=True)
class Adam(Optimizer):
    """Adam (Kingma & Ba, 2015), whose weight decay is added to gradients."""

    name = "adam"
    defaults = {"weight_decay": 0.0, "eps": 1e-8}
    in_torch: ClassVar[type[torch.optim.Adam]] = torch.optim.Adam
    amsgrad: bool = field(default=False, metadata={"since": "0.2.0"})  # Reddi et al., 2018

    def build(
        self, parameters: list[nn.Parameter], settings: PlayerSettings
    ) -> torch.optim.Optimizer:
        return self.in_torch(
            parameters,
            lr=settings.lr,
            betas=settings.betas,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            amsgrad=self.amsgrad,
            fused=_has_fused(parameters),
        )


@dataclass(kw_only=True)
class AdamW(Adam):
    """Adam with weight decay apart from gradients (Loshchilov & Hutter, 2019)."""

    name = "adamw"
    defaults = {"weight_decay": 0.01, "eps": 1e-8}
    in_torch = torch.optim.AdamW


@dataclass(kw_only=True)
class RMSprop(Optimizer):
    """RMSprop (Tieleman & Hinton, 2012)."""

    name = "rmsprop"
    defaults = {"weight_decay": 0.0, "momentum": 0.0, "eps": 1e-8}
    uses_betas = False
    alpha: float = field(default=0.99, metadata={"since": "0.2.0"})  # decay of squared gradients
    centered: bool = field(default=False, metadata={"since": "0.2.0"})  # by the variance

    def build(
        self, parameters: list[nn.Parameter], settings: PlayerSettings
    ) -> torch.optim.Optimizer:
        return torch.optim.RMSprop(
            parameters,
            lr=settings.lr,
            alpha=self.alpha,
            eps=settings.eps,
            weight_decay=settings.weight_decay,
            momentum=settings.momentum,
            centered=self.centered,
        )


@dataclass(kw_only=True)
class SGD(Optimizer):
    """Stochastic gradient descent, with momentum where that is asked for."""

    name = "sgd"
    defaults = {"weight_decay": 0.0, "momentum": 0.0}
    uses_betas = False
    nesterov: bool = field(default=False, metadata={"since": "0.2.0"})

    def build(
        self, parameters: list[nn.Parameter], settings: PlayerSettings
    ) -> torch.optim.Optimizer:
        return torch.optim.SGD(
            parameters,
            lr=settings.lr,
            momentum=settings.momentum,
            weight_decay=settings.weight_decay,
            nesterov=self.nesterov,
        )


def _has_fused(parameters: Sequence[nn.Parameter]) -> bool:
    """Whether torch has one kernel for all of a step on the device of these weights."""
    return parameters[0].device.type in ("cpu", "cuda")


@hookimpl
def register_optimizers(register: Callable[[type[Optimizer]], None]) -> None:
    for optimizer in (Adam, AdamW, RMSprop, SGD):
        register(optimizer)
