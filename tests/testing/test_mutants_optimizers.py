"""Right optimisers pass the kit, and wrong ones are caught by it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest
import torch
from helpers import methods, mutants
from torch import nn

from ganbench import Optimizer, PlayerSettings
from ganbench.default_plugins.optimizers import SGD, Adam, AdamW, RMSprop
from ganbench.testing import check_plugin, parametrize_with_checks

RIGHT = [Adam, AdamW(amsgrad=True), RMSprop(centered=True), SGD]
RIGHT += [*methods.plugins("optimistic_adam"), *methods.plugins("extra_adam")]


@parametrize_with_checks(*RIGHT)
def test_right_optimizers_pass(check):
    check()


class Plain(torch.optim.Optimizer):
    """Momentum by the first beta."""

    def __init__(self, parameters, settings: PlayerSettings) -> None:
        numbers = {"lr": settings.lr, "betas": settings.betas, "weight_decay": 0.0}
        super().__init__(parameters, {**numbers, "weight_decay": settings.weight_decay})

    @torch.no_grad()
    def step(self, closure=None) -> None:
        (group,) = self.param_groups
        for weight in group["params"]:
            if weight.grad is not None:
                self.move(weight, group)

    def move(self, weight, group) -> None:
        average = self.state[weight].setdefault("average", torch.zeros_like(weight))
        average.lerp_(weight.grad + group["weight_decay"] * weight, 1 - group["betas"][0])
        weight.sub_(group["lr"] * average)


@dataclass(kw_only=True)
class Mutant(Optimizer):
    """What the mutants below are made of."""

    defaults = {"weight_decay": 0.0}
    made: ClassVar[type] = Plain

    def build(self, parameters: list[nn.Parameter], settings: PlayerSettings):
        return self.made(parameters, settings)


@dataclass(kw_only=True)
class FixedRate(Mutant):
    """Keeps the rate that it was built with."""

    name = "fixed-rate"
    caught_by = {"rate_is_read_at_each_step"}

    class made(Plain):
        def __init__(self, parameters, settings) -> None:
            super().__init__(parameters, settings)
            self.lr = settings.lr

        def move(self, weight, group) -> None:
            super().move(weight, {**group, "lr": self.lr})


@dataclass(kw_only=True)
class FixedDecay(Mutant):
    """Keeps the weight decay that it was built with."""

    name = "fixed-decay"
    caught_by = {"numbers_that_it_names_take_effect[weight_decay]"}

    class made(Plain):
        def __init__(self, parameters, settings) -> None:
            super().__init__(parameters, settings)
            self.decay = settings.weight_decay

        def move(self, weight, group) -> None:
            super().move(weight, {**group, "weight_decay": self.decay})


@dataclass(kw_only=True)
class NoBetas(Mutant):
    """Says nothing of betas, and has none."""

    name = "no-betas"
    caught_by = {"betas_are_read_at_each_step"}

    class made(Plain):
        def move(self, weight, group) -> None:
            super().move(weight, {**group, "betas": (0.5, 0.9)})


@dataclass(kw_only=True)
class Ascends(Mutant):
    """Follows gradients upwards."""

    name = "ascends"
    caught_by = {"descends_a_quadratic"}

    class made(Plain):
        def move(self, weight, group) -> None:
            super().move(weight, {**group, "lr": -group["lr"]})


@dataclass(kw_only=True)
class DecaysIdle(Mutant):
    """Takes a gradient that is not there for zero, and decays the weight."""

    name = "decays-idle"
    caught_by = {"weights_without_gradients_stay"}

    class made(Plain):
        @torch.no_grad()
        def step(self, closure=None) -> None:
            super().step()
            for weight in self.param_groups[0]["params"]:
                weight.mul_(0.999)


@dataclass(kw_only=True)
class NeedsGradients(Mutant):
    """Raises where a weight has no gradient."""

    name = "needs-gradients"
    caught_by = {"weights_without_gradients_stay"}

    class made(Plain):
        @torch.no_grad()
        def step(self, closure=None) -> None:
            (group,) = self.param_groups
            for weight in group["params"]:
                self.move(weight, group)


@dataclass(kw_only=True)
class Forgets(Mutant):
    """Counts its steps in an attribute, which no checkpoint has."""

    name = "forgets"
    caught_by = {"goes_on_from_its_state_dict"}

    class made(Plain):
        steps = 0

        def move(self, weight, group) -> None:
            self.steps += 1
            super().move(weight, {**group, "lr": group["lr"] / self.steps**0.1})


@dataclass(kw_only=True)
class Shares(Mutant):
    """Counts the steps of all that it built together."""

    name = "shares"
    caught_by = {"two_of_one_plugin_are_apart"}
    also = {"goes_on_from_its_state_dict", "betas_are_read_at_each_step"}
    also |= {"rate_is_read_at_each_step", "numbers_that_it_names_take_effect[weight_decay]"}

    def __post_init__(self) -> None:
        self.steps = 0

    def build(self, parameters, settings):
        plugin = self

        class Counting(Plain):
            def move(self, weight, group) -> None:
                plugin.steps += 1
                super().move(weight, {**group, "lr": group["lr"] / plugin.steps**0.1})

        return Counting(parameters, settings)


@dataclass(kw_only=True)
class Stays(Mutant):
    """Steps from where it extrapolated to."""

    name = "stays"
    extrapolates = True
    caught_by = {"settles_where_players_turn_around_each_other"}

    class made(Plain):
        def extrapolate(self) -> None:
            self.step()


@mutants.parametrize(
    FixedRate, FixedDecay, NoBetas, Ascends, DecaysIdle, NeedsGradients, Forgets, Shares, Stays
)
def test_mutants_are_caught(mutant):
    mutants.assert_caught(mutant)


@dataclass(kw_only=True)
class Several(Mutant):
    """Makes a group of each weight."""

    name = "several"

    def build(self, parameters, settings):
        return torch.optim.SGD([{"params": [p]} for p in parameters], lr=settings.lr)


@dataclass(kw_only=True)
class Nothing(Mutant):
    """Builds no optimiser."""

    name = "nothing"

    def build(self, parameters, settings):
        return None


@dataclass(kw_only=True)
class OnlySays(Mutant):
    """Says that it extrapolates."""

    name = "only-says"
    extrapolates = True


@dataclass(kw_only=True)
class Renamed(Mutant):
    """Names a number that nobody can say."""

    name = "renamed"
    defaults = {"decay": 0.1}


@pytest.mark.parametrize(
    ("mutant", "check", "message"),
    [
        (Several, "is_built_as_promised", "made 3 parameter groups; make one"),
        (Nothing, "is_built_as_promised", "returned NoneType; return a torch"),
        (OnlySays, "is_built_as_promised", "has no method extrapolate"),
        (Renamed, "numbers_that_it_names_take_effect[decay]", "name 'decay', which no benchmark"),
    ],
)
def test_what_cannot_be_used_gets_a_sentence(mutant, check, message):
    failed = {result.check: result.message for result in check_plugin(mutant)}
    assert message in failed[check]
