"""What is scheduled has at each iteration the value of its formula, also after a resume."""

from __future__ import annotations

import copy
import math
from dataclasses import dataclass, field

import pytest
from helpers.tiny_trainer import same, trainer_of, weights
from torch import Tensor

from ganbench import Regularizer, Schedule, Step, Terms, Transform
from ganbench.default_plugins.losses import BCE
from ganbench.models.parts import ScheduledOption
from ganbench.training.state import TrainerState
from ganbench.training.trainer import Trainer

ITERATIONS, BATCH = 200, 8


@dataclass(kw_only=True)
class Small(Regularizer):
    """Draws D's outputs towards zero."""

    name = "small"
    gamma: float = 1.0

    def discriminator_loss(self, step: Step) -> Terms:
        return {"small": self.gamma * step.real.logits.square().mean()}


@dataclass(kw_only=True)
class Brightening(Transform):
    """Adds the progress to what D sees, and keeps what it was told."""

    name = "brightening"
    progress: float = field(default=0.0, init=False)
    told: list[float] = field(default_factory=list, init=False)

    def apply(self, images: Tensor) -> Tensor:
        self.told.append(self.progress)
        return images + 0.01 * self.progress


def scheduled(iterations: int = ITERATIONS, **how) -> Trainer:
    small = Small()
    gamma = Schedule.of({"from": 0.5, "to": 0.05, "curve": "cosine", "until": 0.5})
    return trainer_of(
        BCE(),
        small,
        transforms=(Brightening(),),
        scheduled=[ScheduledOption(small, "gamma", gamma)],
        kimg=iterations * BATCH / 1000,
        g_lr=Schedule.of({"from": 2e-3, "to": 2e-4, "curve": "cosine"}),
        d_lr=Schedule.of({"from": 2e-3, "to": 0, "after": 0.5, "warmup": 0.1}),
        betas=(0.5, Schedule.of({"from": 0.9, "to": 0.99, "curve": "exponential"})),
        **how,
    )


def values(trainer: Trainer) -> tuple[float, ...]:
    """G's and D's rate, β2 of both, γ, and the progress that the transform was told."""
    (g,), (d,) = (one.torch.param_groups for one in (trainer.g_optimizer, trainer.d_optimizer))
    told = trainer.discriminator.transforms[0].progress
    assert g["betas"][0] == d["betas"][0] == 0.5
    return g["lr"], d["lr"], g["betas"][1], d["betas"][1], trainer.losses[1].gamma, told


def formulas(i: int) -> tuple[float, ...]:
    u = i / ITERATIONS
    g_lr = 2e-4 + 1.8e-3 * (1 + math.cos(math.pi * u)) / 2
    d_lr = 2e-3 * u / 0.1 if i < 20 else 2e-3 if i < 100 else 2e-3 * (1 - (u - 0.5) / 0.5)
    beta = 0.9 * (0.99 / 0.9) ** u
    gamma = 0.05 + 0.45 * (1 + math.cos(math.pi * 2 * u)) / 2 if i < 100 else 0.05
    return g_lr, d_lr, beta, beta, gamma, u


def test_each_iteration_has_the_values_of_its_formulas():
    trainer = scheduled()
    for i in range(ITERATIONS - 1):
        trainer.iterate()
        assert values(trainer) == pytest.approx(formulas(i), rel=1e-12)
    told = trainer.discriminator.transforms[0].told
    assert sorted(set(told)) == [i / ITERATIONS for i in range(ITERATIONS - 1)]
    trainer.iterate()
    assert values(trainer)[-1] == 1.0  # as it is judged


def test_steps_of_the_optimisers_follow_them():
    """With SGD, a rate of 0 moves nothing."""
    start = trainer_of(optimizer="sgd", d_lr=Schedule.of({"from": 0, "to": 1}))
    before = weights(start.discriminator)
    start.iterate()
    assert same(before, weights(start.discriminator))
    start.iterate()
    assert not same(before, weights(start.discriminator))


def test_resumed_training_is_the_uninterrupted_one_to_the_bit():
    whole, states = scheduled(40, ema=0.9), {}
    for i in range(40):
        if i in (7, 20, 30):
            states[i] = copy.deepcopy(whole.state().plain())
        whole.iterate()
    for i, state in states.items():
        later = scheduled(40, ema=0.9)
        later.restore(TrainerState.from_plain(state))
        for _ in range(i, 40):
            later.iterate()
        for net, other in zip(whole.stateful.networks, later.stateful.networks, strict=True):
            assert same(weights(net), weights(other))
        assert values(later) == values(whole)


def test_where_nothing_changes_nothing_is_set():
    assert not trainer_of().changes
    assert scheduled().changes
