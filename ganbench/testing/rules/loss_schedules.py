"""How losses follow the course of a training: schedules of their options, and late iterations."""

from __future__ import annotations

import copy
from typing import get_args

import torch

from ganbench.contracts.losses import Loss
from ganbench.contracts.steps import Player
from ganbench.testing.fixtures.loss_steps import ITERATIONS, stage_for
from ganbench.testing.fixtures.scheduled import STALE, has_scheduled_options, set_and_built
from ganbench.testing.fixtures.seeding import seeded
from ganbench.testing.rulebook import Rulebook

# Of multiples of 16, in which lazy terms are made too; the last of a very long training.
LATE = ((ITERATIONS // 2, ITERATIONS), (ITERATIONS - 16, ITERATIONS), (2**20 - 16, 2**20))
rules = Rulebook()


@rules.rule_where(has_scheduled_options)
def scheduled_options_take_effect(loss: Loss) -> None:
    stage = stage_for(loss)
    for name, changed, built in set_and_built(loss):
        for player in get_args(Player):
            with seeded(1):
                found = stage.terms(copy.deepcopy(changed), player)
            with seeded(1):
                expected = stage.terms(copy.deepcopy(built), player)
            same = found.keys() == expected.keys() and all(
                torch.allclose(found[key], expected[key], equal_nan=True) for key in found
            )
            assert same, STALE.format(name, f"terms of the {player}", name)


@rules.rule
def late_iterations_stay_finite(loss: Loss) -> None:
    stage = stage_for(loss)
    for stage.iteration, stage.iterations in LATE:
        late = copy.deepcopy(loss)
        for player in get_args(Player):
            for name, term in stage.terms(late, player).items():
                assert torch.isfinite(term).all(), (
                    f"at iteration {stage.iteration:,} of {stage.iterations:,} the {player}'s term "
                    f"'{name}' is {float(term.detach().mean())}; keep what grows with iterations "
                    "or with progress within bounds"
                )
