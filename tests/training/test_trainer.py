"""Who is trained by what, how often, on which labels, and with which seed."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import pytest
import torch
from helpers.tiny_trainer import CPU, IMAGE, SETTINGS, Spy, data_of, same, trainer_of, weights
from torch import nn

from ganbench import (
    ImageSpec,
    LabeledImages,
    Step,
    Terms,
)
from ganbench.default_plugins.architectures import MLP
from ganbench.default_plugins.conditionings import Concat, Unconditional
from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP
from ganbench.default_plugins.optimizers import Adam
from ganbench.models.networks import build, frozen
from ganbench.training.trainer import Trainer

# Labels


def test_every_fake_carries_the_label_of_its_real_partner():
    spy = Spy()
    trainer_of(spy, n_critic=2, kimg=0.064).run()
    iteration = ["discriminator", "discriminator", "generator"]
    assert [player for player, _ in spy.seen] == iteration * 4
    for _, step in spy.seen:
        assert torch.equal(step.fake.labels, step.real.labels)
        shown = (step.real.images[:, 0, 0, 0].detach() + 1) * 12.75
        assert torch.equal(shown.round().long(), step.real.labels)


def test_fakes_are_generated_for_the_labels_they_carry():
    spy = Spy()
    trainer = trainer_of(spy)
    images, labels = trainer.batches.next()
    before = copy.deepcopy(trainer.generator)
    trainer.discriminator_step(images, labels)
    ((_, step),) = spy.seen
    torch.testing.assert_close(step.fake.images, before(step.latents, labels).detach())
    wrong = before(step.latents, (labels + 1) % 3)
    assert not torch.allclose(step.fake.images, wrong)


def test_penalty_is_taken_at_the_labels_of_the_reals():
    spy = Spy()
    trainer_of(spy).run()
    steps = [step for player, step in spy.seen if player == "discriminator"]
    assert len(spy.scored) == len(steps) == 10
    for labels, step in zip(spy.scored, steps, strict=True):
        assert torch.equal(labels, step.real.labels)


def test_unlabelled_data_gives_no_labels():
    spy = Spy()
    data = replace(data_of(), labels=None)
    trainer_of(spy, conditioning=Unconditional(), data=data).run()
    assert spy.seen
    assert all(step.real.labels is None and step.fake.labels is None for _, step in spy.seen)


@dataclass(kw_only=True)
class LabelSpy(BCE):
    name = "label-spy"

    def __post_init__(self) -> None:
        self.seen: list[tuple[list[int], list[int]]] = []

    def discriminator_loss(self, step: Step) -> Terms:
        self.seen.append((step.real.labels.tolist(), step.fake.labels.tolist()))
        return super().discriminator_loss(step)


def test_random_labels_of_fakes_are_drawn_anew_and_uniform():
    spy = LabelSpy()
    trainer_of(spy, fake_labels="random", kimg=0.8).run()
    real, fake = zip(*spy.seen, strict=True)
    assert real != fake
    drawn = torch.tensor(fake).flatten()
    shares = drawn.bincount(minlength=3) / len(drawn)
    assert shares.tolist() == pytest.approx([1 / 3] * 3, abs=0.05)
    again = LabelSpy()
    trainer_of(again, fake_labels="random", kimg=0.16).run()
    assert again.seen == spy.seen[: len(again.seen)]


def test_random_vectors_of_fakes_are_those_of_any_images():
    spy, image = LabelSpy(), replace(IMAGE, num_classes=0, condition_dim=2)
    vectors = torch.arange(96.0).view(48, 2)
    trainer_of(
        spy, image=image, data=replace(data_of(), labels=vectors), fake_labels="random", kimg=2.4
    ).run()
    real, fake = (torch.tensor(part) for part in zip(*spy.seen, strict=True))
    assert not torch.equal(real, fake)
    for given in (real, fake):
        rows = given.view(-1, 2)
        assert torch.equal(rows[:, 1], rows[:, 0] + 1)  # whole vectors
        shares = (rows[:, 0] // 2).long().bincount(minlength=48) / len(rows)
        assert shares.tolist() == pytest.approx([1 / 48] * 48, abs=0.015)


# Whose weights


@pytest.mark.parametrize("loss", [BCE(), LSGAN(), WGANGP()], ids=lambda loss: loss.name)
def test_discriminator_step_leaves_the_generator_alone(loss):
    trainer = trainer_of(loss)
    generator, discriminator = weights(trainer.generator), weights(trainer.discriminator)
    trainer.discriminator_step(*trainer.batches.next())
    assert same(weights(trainer.generator), generator)
    assert all(p.grad is None for p in trainer.generator.parameters())
    for now, then in zip(weights(trainer.discriminator), discriminator, strict=True):
        assert now.ndim < 2 or not torch.equal(now, then)  # no Wasserstein loss sees a last bias


@pytest.mark.parametrize("loss", [BCE(), LSGAN(), WGANGP()], ids=lambda loss: loss.name)
def test_generator_step_leaves_the_discriminator_alone(loss):
    trainer = trainer_of(loss)
    generator, discriminator = weights(trainer.generator), weights(trainer.discriminator)
    trainer.generator_step(*trainer.batches.next())
    assert same(weights(trainer.discriminator), discriminator)
    assert all(p.grad is None for p in trainer.discriminator.parameters())
    for now, then in zip(weights(trainer.generator), generator, strict=True):
        assert not torch.equal(now, then)


def test_generator_step_does_not_add_to_the_discriminators_gradient():
    trainer = trainer_of(BCE())
    images, labels = trainer.batches.next()
    trainer.discriminator_step(images, labels)
    before = [p.grad.clone() for p in trainer.discriminator.parameters()]
    trainer.generator_step(images, labels)
    assert same([p.grad for p in trainer.discriminator.parameters()], before)


def test_fakes_carry_a_graph_in_the_generators_step_alone():
    spy = Spy()
    trainer_of(spy).iterate()
    graphs = {player: step.fake.images.requires_grad for player, step in spy.seen}
    assert graphs == {"discriminator": False, "generator": True}


def test_frozen_thaws_after_an_error():
    module = nn.Linear(1, 1)

    def fail() -> None:
        with frozen(module.parameters()):
            raise RuntimeError(f"weight.requires_grad is {module.weight.requires_grad}")

    with pytest.raises(RuntimeError, match="is False"):
        fail()
    assert module.weight.requires_grad


def test_one_sgd_step_descends_the_sum_of_the_terms():
    trainer = trainer_of(Spy(), optimizer="sgd", d_lr=0.5)
    images, labels = trainer.batches.next()
    before = weights(trainer.discriminator)
    trainer.discriminator_step(images, labels)
    for now, then, parameter in zip(
        weights(trainer.discriminator), before, trainer.discriminator.parameters(), strict=True
    ):
        torch.testing.assert_close(now, then - 0.5 * parameter.grad)


def test_players_have_their_own_learning_rates():
    trainer = trainer_of(g_lr=0.0)
    before = weights(trainer.generator), weights(trainer.discriminator)
    trainer.run()
    assert same(weights(trainer.generator), before[0])
    assert not same(weights(trainer.discriminator), before[1])


@dataclass(kw_only=True)
class Clips(BCE):
    """Weight clipping, as in WGAN."""

    name = "clips"

    @torch.no_grad()
    def after_discriminator_step(self, discriminator: nn.Module) -> None:
        for parameter in discriminator.parameters():
            parameter.clamp_(-0.01, 0.01)


def test_simultaneous_updates_see_the_same_weights_and_fakes():
    """One SGD step moves D as a discriminator step does, and G by D's weights from before it."""
    together, d_alone, g_alone = (
        trainer_of(optimizer="sgd", g_lr=0.5, d_lr=0.5, updates="simultaneous") for _ in range(3)
    )
    images, labels = together.batches.next()
    together.simultaneous_step(images, labels)
    d_alone.discriminator_step(images, labels)
    g_alone.generator_step(images, labels)
    for of_both, of_one in (
        (together.discriminator, d_alone.discriminator),
        (together.generator, g_alone.generator),
    ):
        for a, b in zip(of_both.parameters(), of_one.parameters(), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-6, atol=1e-7)
    assert (together.progress.g_updates, together.progress.d_updates) == (1, 1)


def test_constraints_are_applied_after_every_discriminator_step():
    trainer = trainer_of(Clips())
    trainer.discriminator_step(*trainer.batches.next())
    assert max(p.abs().max().item() for p in trainer.discriminator.parameters()) == pytest.approx(
        0.01
    )


# How often


@pytest.mark.parametrize("n_critic", [1, 2, 5])
def test_budget_is_counted_in_images_shown_to_the_discriminator(n_critic):
    progress = trainer_of(n_critic=n_critic, kimg=0.4).run().progress
    assert progress.images == 400
    assert progress.d_updates == 50
    assert progress.g_updates == progress.iteration == 50 // n_critic


def test_budget_is_filled_by_whole_iterations():
    progress = trainer_of(n_critic=3, kimg=0.1).run().progress
    assert progress.images == 120  # five iterations of 24 images
    assert progress.d_updates == 15
    assert progress.g_updates == 5


def test_budget_of_less_than_an_image_is_an_iteration():
    assert trainer_of(kimg=1e-308).run().progress.iteration == 1


def test_budget_is_not_exceeded_by_rounding():
    """1000 * 2.015 is a little more than 2015 in floating point."""
    trainer = trainer_of(batch_size=5, kimg=2.015)
    trainer.iterate = lambda: setattr(trainer.progress, "iteration", trainer.progress.iteration + 1)
    assert trainer.run().progress.iteration == 403


# Averaged weights


def test_without_averaging_the_trained_generator_is_the_live_one():
    trainer = trainer_of()
    assert trainer.run().generator is trainer.generator


def test_average_follows_its_closed_form():
    trainer = trainer_of(ema=0.15)
    expected = weights(trainer.generator)
    for update in range(1, 6):
        trainer.iterate()
        decay = min(0.15, (1 + update) / (10 + update))
        expected = [
            decay * average + (1 - decay) * live
            for average, live in zip(expected, weights(trainer.generator), strict=True)
        ]
        torch.testing.assert_close(weights(trainer.average.generator), expected)


@pytest.mark.parametrize(("ema", "after_one"), [(0.999, 2 / 11), (0.1, 0.1)])
def test_average_forgets_its_start_quickly(ema, after_one):
    trainer = trainer_of(ema=ema)
    first = weights(trainer.generator)
    trainer.iterate()
    for average, live, start in zip(
        weights(trainer.average.generator), weights(trainer.generator), first, strict=True
    ):
        torch.testing.assert_close(average, after_one * start + (1 - after_one) * live)


def test_average_is_what_training_returns_and_is_not_trained():
    trainer = trainer_of(ema=0.9)
    trained = trainer.run()
    assert trained.generator is trainer.average.generator
    assert not same(weights(trained.generator), weights(trainer.generator))
    assert all(p.grad is None for p in trained.generator.parameters())


def test_buffers_of_the_average_are_the_live_generators():
    trainer = trainer_of(ema=0.999)
    for generator in (trainer.generator, trainer.average.generator):
        generator.backbone.register_buffer("steps", torch.tensor(0))
    trainer.generator.backbone.register_forward_hook(
        lambda net, given, images: images + 0 * net.steps.add_(net.training)
    )
    trained = trainer.run()
    assert trained.generator is trainer.average.generator
    assert trained.generator.backbone.steps == 2 * trainer.progress.iteration


# Seeds


@pytest.mark.parametrize("loss", [BCE(flip=0.2), WGANGP()], ids=lambda loss: loss.name)
def test_one_seed_gives_bit_identical_runs(loss):
    runs = []
    for seed in (3, 3, 4):
        trained = trainer_of(copy.deepcopy(loss), seed=seed, ema=0.5).run()
        torch.rand(5)  # nothing hangs on what the caller draws between runs
        terms = [(window.d_terms, window.g_terms) for window in trained.windows]
        runs.append((weights(trained.generator), weights(trained.discriminator), terms))
    first, again, other = runs
    assert same(first[0], again[0])
    assert same(first[1], again[1])
    assert first[2] == again[2]
    assert not same(first[0], other[0])
    assert first[2] != other[2]


def test_order_of_the_data_depends_on_the_seed_alone():
    orders = [
        torch.cat([trainer.batches.next()[1] for _ in range(6)])
        for trainer in (trainer_of(seed=1), trainer_of(WGANGP(), seed=1), trainer_of(seed=2))
    ]
    assert torch.equal(orders[0], orders[1])
    assert not torch.equal(orders[0], orders[2])


def test_what_losses_draw_depends_on_the_seed_and_not_on_the_networks():
    draws = []
    for seed, conditioning in ((1, Concat()), (1, Unconditional()), (2, Concat())):
        trainer_of(seed=seed, conditioning=conditioning)
        draws.append(torch.rand(4))
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_latents_are_fresh_in_every_step():
    spy = Spy()
    trainer_of(spy, n_critic=2, kimg=0.032).run()
    drawn = [step.latents for _, step in spy.seen]
    assert len(drawn) == 6
    assert all(not torch.equal(a, b) for i, a in enumerate(drawn) for b in drawn[:i])


def test_iteration_that_a_loss_sees_counts_generator_updates():
    spy = Spy()
    trainer_of(spy, n_critic=2, kimg=0.032).run()
    assert [step.iteration for _, step in spy.seen] == [0, 0, 0, 1, 1, 1]


@pytest.mark.parametrize("loss", [BCE(), LSGAN()], ids=lambda loss: loss.name)
def test_training_moves_points_towards_the_data(loss):
    """One mode in a corner of the plane, which an untrained generator misses."""
    torch.manual_seed(0)
    points = torch.tensor([0.6, -0.6]) + 0.05 * torch.randn(512, 2)
    architecture, plain = MLP(width=16, depth=2, latent_dim=2), Unconditional()
    generator, discriminator = build(
        architecture, plain, plain, ImageSpec(2, 1), g_norm="none", d_norm="none"
    )
    latents = torch.randn(256, 2)

    def distance() -> float:
        return (generator(latents).flatten(1).mean(0) - points.mean(0)).norm().item()

    start = distance()
    schedule = replace(SETTINGS, batch_size=64, kimg=25.6, log_every=100)
    data = LabeledImages(points.view(512, 2, 1, 1), None)
    Trainer(
        generator,
        discriminator,
        [loss],
        data,
        MLP(latent_dim=2).latents,
        schedule,
        seed=0,
        device=CPU,
        optimizers=(Adam(), Adam()),
    ).run()
    assert start > 0.6
    assert distance() < start / 2
