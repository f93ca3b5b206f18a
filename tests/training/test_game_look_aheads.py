"""Losses that look at a step at other weights: what they see, and the gradients that come of it."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from helpers.games import Spectator, of, step_of, trained
from helpers.tiny_trainer import same, trainer_of, weights
from torch import Tensor, nn

from ganbench import (
    Regularizer,
    Step,
    Terms,
)
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.testing.fixtures.loss_steps import Stage, stage_for
from ganbench.training.game import total
from ganbench.training.micro_batches import MicroBatch


def test_a_step_at_the_weights_that_are_is_the_step():
    for player in ("generator", "discriminator"):
        stage = stage_for(BCE())
        step = step_of(stage, Spectator(), player)
        here = step.at(**{k: dict(v) for k, v in step.parameters._asdict().items()})
        assert torch.equal(here.fake.images, step.fake.images)
        assert torch.equal(here.real.logits, step.real.logits)
        assert torch.equal(here.fake.logits, step.fake.logits)


def test_a_step_at_other_weights_is_theirs():
    stage = stage_for(BCE())
    step = step_of(stage, Spectator(), "discriminator")
    raised = {"logit.bias": stage.discriminator.logit.bias + 2}
    ahead = step.at(discriminator=raised)
    assert torch.allclose(ahead.real.logits, step.real.logits + 2, atol=1e-6)
    assert torch.equal(ahead.fake.images, step.fake.images)
    silent = {"project.weight": torch.zeros_like(stage.generator.project.weight)}
    both = ahead.at(generator=silent)
    assert torch.allclose(both.real.logits, step.real.logits + 2, atol=1e-6)
    assert (both.fake.images[0] == both.fake.images[1]).all()


def test_an_objective_leaves_out_who_asks_and_remembers_nothing():
    @dataclass(kw_only=True)
    class Counting(BCE):
        asked: int = 0

        def discriminator_loss(self, step: Step) -> Terms:
            self.asked += 1
            return {"fixed": step.real.logits.sum() * 0 + 3.0}

    class Asking(Regularizer):
        name = "asking"
        looks_ahead = True
        heard: Tensor | None = None

        def discriminator_loss(self, step: Step) -> Terms:
            self.heard = step.objective("discriminator").detach()
            return {}

    counting, asking = Counting(), Asking()
    trainer = trainer_of(counting, asking)
    trainer.discriminator_step(*trainer.batches.next())
    assert float(asking.heard) == 3.0
    assert counting.asked == 1


def test_unrolling_by_nothing_is_no_unrolling():
    plain, unrolled = trained(BCE()), trained(BCE(), of("unrolled", k=0))
    for trainer in (plain, unrolled):
        for _ in range(3):
            trainer.iterate()
    assert same(weights(plain.generator), weights(unrolled.generator))


@pytest.mark.parametrize(
    ("loss", "player"),
    [
        (of("unrolled", k=2, lr=0.5), "generator"),
        (of("logan"), "generator"),
        (of("consensus"), "generator"),
        (of("consensus"), "discriminator"),
    ],
    ids=lambda value: getattr(value, "name", value),
)
def test_gradients_are_those_of_finite_differences(loss, player):
    """Of all terms of the player, along random directions of its weights, in float64."""
    torch.set_default_dtype(torch.float64)
    try:
        stage = stage_for(loss)

        def value() -> Tensor:
            return together(stage, loss, player)

        module = getattr(stage, player)
        module.zero_grad()
        value().backward()
        for _ in range(3):
            direction = [torch.randn_like(p) for p in module.parameters()]
            told = sum(
                float((p.grad * d).sum())
                for p, d in zip(module.parameters(), direction, strict=True)
            )
            assert told == pytest.approx(difference(module, direction, value), rel=1e-6)
    finally:
        torch.set_default_dtype(torch.float32)


def together(stage: Stage, loss, player: str) -> Tensor:
    """The player's whole objective: the loss's and that of the adversary beside it."""
    game = stage.game(loss)
    with game.turn(player):
        batch = MicroBatch(stage.images, stage.labels, stage.latents, stage.labels, 1.0)
        step = game.step(player, batch, stage.generator(stage.latents, stage.labels))
        return total(game.terms(player, step))


def difference(module: nn.Module, direction: list[Tensor], value, size: float = 1e-5) -> float:
    found = []
    for sign in (1, -1):
        with torch.no_grad():
            for p, d in zip(module.parameters(), direction, strict=True):
                p.add_(d, alpha=sign * size)
        found.append(float(value().detach()))
        with torch.no_grad():
            for p, d in zip(module.parameters(), direction, strict=True):
                p.sub_(d, alpha=sign * size)
    return (found[0] - found[1]) / (2 * size)


def test_penalties_see_through_an_unrolled_d():
    """Where another loss tracks the images, a look-ahead keeps the graph to G."""
    trainer = trained(WGANGP(), of("unrolled", k=1))
    trainer.generator_step(*trainer.batches.next())
    assert all(p.grad is not None for p in trainer.generator.parameters())
