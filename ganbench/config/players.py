"""What a benchmark file says of each player's updates: blocks, older keys and a loss's recipe."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from ganbench.config.benchmark_file import CellRequest
from ganbench.config.choices import OptimizerChoice
from ganbench.config.training_schema import PlayerBlock
from ganbench.config.workshop import Workshop
from ganbench.contracts.losses import Recipe
from ganbench.contracts.optimizers import Optimizer
from ganbench.errors import ConfigError, ContractError, told
from ganbench.models.optimizers import built
from ganbench.records.cells import Spec
from ganbench.records.schedules import Schedule
from ganbench.records.training_settings import (
    CriticBatches,
    OwnSettings,
    PlayerName,
    PlayerSettings,
    batches_per_iteration,
)
from ganbench.registry.catalog import FIRST_RELEASE
from ganbench.util.messages import quoted

NUMBERS = ("weight_decay", "momentum", "eps")
"""What an optimiser may go by, and says that it does."""


class Players:
    """Both players of a cell, with every default resolved.

    Raises ConfigError where two keys say the same, and where optimisers do not go by what is said.
    """

    def __init__(self, request: CellRequest, workshop: Workshop) -> None:
        self.where, training = request.where, request.settings.training
        loss = request.settings.loss.name
        recipe: Recipe = workshop.registry.lookup("loss", loss).cls.recipe  # type: ignore[attr-defined]
        self.n_critic = recipe.n_critic if training.n_critic is None else training.n_critic
        shared = training.optimizer or OptimizerChoice(name=recipe.optimizer)
        self.n_gen = training.n_gen
        self.critic_batches: CriticBatches = (
            training.critic_batches if self.n_critic > 1 else "own"  # one step has its own anyway
        )
        self.betas = training.betas or recipe.betas
        self._blocks: dict[PlayerName, PlayerBlock] = {
            "generator": training.generator,
            "discriminator": training.discriminator,
        }
        self._specs = {p: workshop.spec(b.optimizer or shared) for p, b in self._blocks.items()}
        self._plugins: dict[PlayerName, Optimizer] = {
            player: workshop.build(spec) for player, spec in self._specs.items()
        }
        self._rates = {
            "generator": self._rate("generator", "g_lr", training.g_lr, recipe.g_lr),
            "discriminator": self._rate("discriminator", "d_lr", training.d_lr, recipe.d_lr),
        }
        self.extrapolates = any(plugin.extrapolates for plugin in self._plugins.values())
        if training.updates == "simultaneous":
            self._check_simultaneous(loss)
        for player in self._blocks:
            self._check(player, training.updates)

    def said_of(self, player: PlayerName) -> Spec | None:
        """Return a player's optimiser, unless its name says all: one of ours, without options."""
        spec = self._specs[player]
        return None if not spec.options and spec.counted_source == FIRST_RELEASE else spec

    @property
    def batches_per_step(self) -> float:
        """Batches of real images that D is shown for each step of G."""
        each = batches_per_iteration(
            self.n_critic, self.critic_batches, extrapolates=self.extrapolates
        )
        return each / self.n_gen

    def settings(self, in_kimg: Callable[[str, Any], Any]) -> dict[str, Any]:
        """Return the fields of `TrainingSettings` that are about the players.

        `in_kimg`: turns a setting of this name into one without epochs and steps.
        """
        of_g, of_d = (
            {name: in_kimg(f"{player}.{name}", value) for name, value in self._own(player).items()}
            for player in self._blocks
        )
        g_optimizer, d_optimizer = (spec.name for spec in self._specs.values())
        betas = in_kimg("betas", self.betas)
        g_betas = of_g.pop("betas", betas)
        if (d_betas := of_d.pop("betas", betas)) != g_betas:
            of_d["betas"] = d_betas
        if d_optimizer != g_optimizer:
            of_d["optimizer"] = d_optimizer
        return {
            "n_critic": self.n_critic,
            "critic_batches": self.critic_batches,
            "n_gen": self.n_gen,
            "optimizer": g_optimizer,
            "g_lr": in_kimg("g_lr", self._rates["generator"]),
            "d_lr": in_kimg("d_lr", self._rates["discriminator"]),
            "betas": g_betas,
            "extrapolates": self.extrapolates,
            "generator": OwnSettings(**of_g),
            "discriminator": OwnSettings(**of_d),
        }

    def _rate(
        self,
        player: PlayerName,
        key: str,
        shared: float | Schedule | None,
        recipe: float | Schedule,
    ) -> float | Schedule:
        own = self._blocks[player].lr
        if own is not None and shared is not None:
            raise ConfigError(
                f"{self.where}: training.{key} and training.{player}.lr are the same setting; "
                "remove one of them"
            )
        return next(rate for rate in (own, shared, recipe) if rate is not None)

    def _own(self, player: PlayerName) -> dict[str, Any]:
        """Return what a block says, without what its optimiser would do anyway."""
        block, defaults = self._blocks[player], self._plugins[player].defaults
        said = {name: getattr(block, name) for name in (*NUMBERS, "clip_grad_norm", "betas")}
        return {k: v for k, v in said.items() if v is not None and v != defaults.get(k)}

    def _check_simultaneous(self, loss: str) -> None:
        for key, count in (("n_critic", self.n_critic), ("n_gen", self.n_gen)):
            if count != 1:
                raise ConfigError(
                    f"{self.where}: simultaneous updates are one of each player, and {key} of loss "
                    f"'{loss}' is {count} here; add {key}: 1"
                )

    def _check(self, player: PlayerName, updates: str) -> None:
        block, plugin = self._blocks[player], self._plugins[player]
        who = f"{self.where}: optimizer '{plugin.name}' of the {player}"
        goes_by = (*plugin.defaults, *(["betas"] if plugin.uses_betas else []))
        for name in (*NUMBERS, "betas"):
            if getattr(block, name) is not None and name not in goes_by:
                known = f"it goes by {quoted(goes_by)}" if goes_by else "it goes by its options"
                raise ConfigError(f"{who} has no {name}; {known}")
        if plugin.extrapolates and updates != "simultaneous":
            raise ConfigError(
                f"{who} takes both players' gradients at one point and then at another; add "
                "training.updates: simultaneous"
            )
        if self.said_of(player) or self._own(player):
            self._try_out(player, who)

    def _try_out(self, player: PlayerName, who: str) -> None:
        """Build the optimiser, which may refuse numbers, of a weight that is thrown away."""
        plugin, own = self._plugins[player], self._own(player)
        beta1, beta2 = map(_first, own.pop("betas", self.betas))
        numbers: dict[str, Any] = {**plugin.defaults, **own, "lr": self._rates[player]}
        told_it = {name: _first(value) for name, value in numbers.items()}
        settings = PlayerSettings(betas=(beta1, beta2), **told_it)
        try:
            built(plugin, [nn.Parameter(torch.zeros(1))], settings)
        except ContractError as error:
            raise ConfigError(f"{self.where}: {error}") from error
        except Exception as error:
            raise ConfigError(f"{who} cannot be made: {told(error)}") from error


def _first(number: float | Schedule) -> float:
    return number.start if isinstance(number, Schedule) else number
