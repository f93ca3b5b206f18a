"""Looks ahead against steps of gradient descent by hand, and the conformance kit."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from ganbench_unrolled import Unrolled

from ganbench.default_plugins.losses import BCE
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.loss_steps import stage_for
from ganbench.training.game import Game
from ganbench.training.micro_batches import MicroBatch


@parametrize_with_checks(Unrolled(k=2))
def test_conformance(check):
    check()


@pytest.mark.parametrize("k", [0, 1, 3])
def test_d_is_as_many_steps_of_descent_ahead(k):
    """A second writing: plain updates of a copy of D by the minimax loss."""
    torch.manual_seed(0)
    stage = stage_for(BCE())
    game = Game(stage.generator, stage.discriminator, [BCE(), Unrolled(k=k, lr=0.3)])
    fakes = stage.generator(stage.latents, stage.labels)
    batch = MicroBatch(stage.images, stage.labels, stage.latents, stage.labels, 1.0)
    with game.turn("generator"):
        found = game.step("generator", batch, fakes).fake.logits
    d = stage.copy().discriminator
    for _ in range(k):
        d.zero_grad()
        real, fake = d(stage.images, stage.labels).logits, d(fakes.detach(), stage.labels).logits
        (F.softplus(-real).mean() + F.softplus(fake).mean()).backward()
        with torch.no_grad():
            for weight in d.parameters():
                if weight.grad is not None:
                    weight -= 0.3 * weight.grad
    torch.testing.assert_close(found, d(fakes, stage.labels).logits)


@pytest.mark.parametrize("options", [{"k": -1}, {"lr": 0.0}])
def test_wrong_options_are_refused(options):
    with pytest.raises(ValueError, match="expected k >= 0 and lr > 0, found"):
        Unrolled(**options)
