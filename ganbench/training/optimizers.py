"""A player's optimiser as the trainer uses it."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import torch
from torch import Tensor

from ganbench.contracts.optimizers import Optimizer
from ganbench.contracts.steps import Player
from ganbench.models.optimizers import built
from ganbench.records.training_settings import TrainingSettings
from ganbench.training.changes import Changes


class PlayerOptimizer:
    """Updates the weights of one player, once their gradients are there."""

    def __init__(
        self,
        plugin: Optimizer,
        player: Player,
        parameters: Sequence[Tensor],
        settings: TrainingSettings,
        changes: Changes,
    ) -> None:
        """Build the plugin's optimiser, and have `changes` set what is scheduled of it.

        Raises ContractError where what is built is not as promised.
        """
        told = settings.told(player, plugin.defaults, changes.first)
        self.parameters = list(parameters)
        self.clip_grad_norm = told.clip_grad_norm
        self.extrapolates = plugin.extrapolates
        self.torch = built(plugin, parameters, told)
        for name in ("lr", "weight_decay"):
            changes.follow(settings.of(player, name), partial(self._set, name))
        for i, beta in enumerate(settings.of(player, "betas")):
            changes.follow(beta, partial(self._set_beta, i))
        clip = settings.of(player, "clip_grad_norm")
        changes.follow(clip, partial(setattr, self, "clip_grad_norm"))

    def zero_grad(self) -> None:
        """Forget all gradients."""
        self.torch.zero_grad(set_to_none=True)

    def step(self) -> None:
        """Update the weights by their gradients, which are clipped where that was asked for."""
        self._clip()
        self.torch.step()

    def extrapolate(self) -> None:
        """Move to the point of the second gradient, from which `step` goes back."""
        self._clip()
        self.torch.extrapolate()  # type: ignore[attr-defined]

    def _clip(self) -> None:
        if self.clip_grad_norm is not None:
            torch.nn.utils.clip_grad_norm_(self.parameters, self.clip_grad_norm)

    def _set(self, name: str, value: float) -> None:
        self.torch.param_groups[0][name] = value

    def _set_beta(self, index: int, value: float) -> None:
        (group,) = self.torch.param_groups
        if "betas" in group:
            betas = list(group["betas"])
            betas[index] = value
            group["betas"] = tuple(betas)
