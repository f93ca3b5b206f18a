"""Losses that edit the steps of others."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers.games import Spectator, of, step_of
from helpers.tiny_trainer import trainer_of

from ganbench import (
    Regularizer,
    Step,
    Terms,
)
from ganbench.default_plugins.losses import BCE
from ganbench.testing.fixtures.loss_steps import stage_for


def test_top_k_keeps_the_fakes_that_d_takes_most_for_real():
    stage = stage_for(BCE(), count=6)
    plain = step_of(stage, Spectator(), "generator")
    kept = step_of(stage, of("top_k", share=0.5), "generator")
    best = plain.fake.logits.topk(3).indices
    assert torch.equal(kept.fake.logits, plain.fake.logits[best])
    assert torch.equal(kept.fake.images, plain.fake.images[best])
    assert torch.equal(kept.fake.labels, plain.fake.labels[best])
    assert torch.equal(kept.latents, plain.latents[best])


def test_kept_images_have_the_gradients_of_their_own():
    stage = stage_for(Spectator(), count=5)
    step = step_of(stage, Spectator(), "discriminator")
    index = torch.tensor([3, 0])
    whole = step.real.input_gradient
    assert torch.equal(step.real.kept(index).input_gradient, whole[index])


def test_apa_shows_fakes_as_reals_as_often_as_it_says():
    stage = stage_for(BCE(), count=64)
    never, always = of("apa"), of("apa")
    always.chance = torch.ones(())
    assert torch.equal(step_of(stage, never, "discriminator").real.images, stage.images)
    posed = step_of(stage, always, "discriminator")
    assert torch.equal(posed.real.images, posed.fake.images)


def test_apa_follows_the_signs_of_d():
    """D is sure of all reals: 1 > 0.6, and the chance rises by N / (1000 · kimg) a step."""
    stage = stage_for(BCE(), count=4)
    with torch.no_grad():
        stage.discriminator.logit.bias.fill_(100.0)
    apa = of("apa", kimg=0.1)
    for step in range(1, 4):
        stage.discriminator_terms(apa)
        assert float(apa.chance) == pytest.approx(step * 4 / 100)
    with torch.no_grad():
        stage.discriminator.logit.bias.fill_(-100.0)
    stage.discriminator_terms(apa)
    assert float(apa.chance) == pytest.approx(2 * 4 / 100)


def test_edits_are_made_in_order():
    class Adds(Regularizer):
        def __init__(self, name, by):
            self.name, self.by = name, by

        def edit_discriminator_step(self, step):
            return replace(step, real=step.real.of(self.by(step.real.images)))

    seen = []

    class Sees(Spectator):
        def discriminator_loss(self, step: Step) -> Terms:
            seen.append(step.real.images)
            return {}

    losses = (BCE(), Adds("half", lambda x: x / 2), Adds("one", lambda x: x + 1), Sees())
    trainer = trainer_of(*losses)
    images, labels = trainer.batches.next()
    trainer.discriminator_step(images, labels)
    assert torch.equal(seen[0], images / 2 + 1)
    assert seen[0].requires_grad  # what another loss tracks is tracked after edits too


def test_logan_moves_latents_by_the_damped_natural_gradient():
    stage = stage_for(BCE())
    moved = step_of(stage, of("logan"), "generator")
    z = stage.latents.clone().requires_grad_()
    fakes = stage.generator(z, stage.labels)
    (slope,) = torch.autograd.grad(stage.discriminator(fakes, stage.labels).logits.sum(), z)
    expected = stage.latents + 0.9 * slope / (0.1 + slope.square().sum(1, keepdim=True))
    assert torch.allclose(moved.latents, expected, atol=1e-6)
