"""Steps, owned networks and observers, as one game serves them to trainer and kit."""

from __future__ import annotations

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from helpers import methods
from helpers.games import SHAPES, Spectator, of, trained
from helpers.tiny_trainer import IMAGE, same, trainer_of, weights
from torch import Tensor, nn

from ganbench import (
    Conditioning,
    ContractError,
    Generate,
    Owned,
    Regularizer,
    Scored,
    Step,
    Terms,
    logit_per_image,
)
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.models.networks import build
from ganbench.models.owned import OwnedNetworks
from ganbench.testing.fixtures.loss_steps import stage_for
from ganbench.training.game import Game
from ganbench.training.micro_batches import MicroBatch
from ganbench.training.trainer import Trainer

# Every method goes on from a checkpoint to the last bit


def everything(trainer: Trainer) -> list[Tensor]:
    found = trainer.run()
    nets = (found.generator, found.discriminator, trainer.generator, *found.own.values())
    return [value.clone() for net in nets for value in net.state_dict().values()]


COMBINATIONS = {
    "infogan": ["infogan"],
    "orthogonal": ["orthogonal"],
    "apa": ["apa"],
    "top-k": ["top_k"],
    "logan": ["logan"],
    "mirror": ["mirror"],
    "unrolled": ["unrolled"],
    "consensus": ["consensus"],
    "several": ["infogan", "apa", "logan", "unrolled", "top_k"],
}


def test_path_length_is_that_of_styles():
    """And a generator without styles says so."""
    made = of_styles()
    z = torch.randn(3, 16)
    step = stage_step(made, z)
    styles = step.generate.styles(z, None)
    assert styles.shape == (3, 2, 128)
    images = step.generate.of_styles(styles)
    assert torch.equal(images, made(z))
    assert torch.equal(images, step.generate(z, None))
    torch.manual_seed(3)
    found = of_path_length().generator_loss(step)["path length"]
    torch.manual_seed(3)
    noise = torch.randn_like(images) / 4  # of 4 by 4 pixels
    (slope,) = torch.autograd.grad((images * noise).sum(), styles)
    lengths = slope.square().sum(2).mean(1).sqrt()
    expected = 2 * (lengths - 0.01 * lengths.mean()).square().mean()
    assert found.item() == pytest.approx(expected.item(), rel=1e-4)
    with pytest.raises(ContractError, match="this generator has no styles; take an architecture"):
        Generate(lambda z, labels: z).styles(z, None)


def of_styles():
    architecture, plain = methods.plugins("styled")[0](), Conditioning()
    return build(architecture, plain, plain, IMAGE, g_norm="none", d_norm="none")[0]


def of_path_length():
    return of("path_length")


def stage_step(generator: nn.Module, z: Tensor) -> Step:
    game = Game(generator, stage_for(BCE()).discriminator, [BCE()])
    batch = MicroBatch(torch.rand(len(z), 1, 4, 4), None, z, None, 1.0)
    return game.step("generator", batch, generator(z))


def test_patches_go_on_to_the_last_bit_and_are_means():
    """A batch of patches' logits has the terms of their mean, and the slope of their sum."""

    def of_patches(**how):
        return trained(WGANGP(), of("top_k"), conditioning=of("patch", size=2), **how)

    whole, states = of_patches(), []
    whole.on_window = lambda window: states.append(copy.deepcopy(whole.state().plain()))
    expected = everything(whole)
    later = of_patches()
    later.restore(type(whole.state()).from_plain(states[1]))
    assert same(everything(later), expected)
    scored = Scored(torch.rand(5, 1, 4, 4), None, whole.discriminator, track_inputs=True)
    assert scored.logits.shape == (5, 4)
    assert torch.allclose(logit_per_image(scored.logits), scored.logits.mean(1))
    (slope,) = torch.autograd.grad(scored.logits.sum(), scored.images, retain_graph=True)
    assert torch.allclose(scored.input_gradient, slope, atol=1e-4)


@pytest.mark.parametrize("names", COMBINATIONS.values(), ids=COMBINATIONS)
def test_methods_go_on_to_the_last_bit(names):
    def losses():
        return [BCE(), *(of(name) for name in names)]

    whole, states = trained(*losses()), []
    whole.on_window = lambda window: states.append(copy.deepcopy(whole.state().plain()))
    expected = everything(whole)
    later = trained(*losses(), seed=0)
    later.restore(type(whole.state()).from_plain(states[1]))
    assert same(everything(later), expected)


@pytest.mark.parametrize("name", ["bigan", "gradient_normalised"])
def test_losses_go_on_to_the_last_bit(name):
    whole, states = trained(of(name)), []
    whole.on_window = lambda window: states.append(copy.deepcopy(whole.state().plain()))
    expected = everything(whole)
    later = trained(of(name))
    later.restore(type(whole.state()).from_plain(states[1]))
    assert same(everything(later), expected)


# Networks of one's own


def test_a_network_learns_with_its_player_alone():
    trainer = trained(BCE(), of("infogan"))
    (q,) = trainer.owned.generator.values()
    before = weights(q)
    trainer.discriminator_step(*trainer.batches.next())
    assert same(weights(q), before)
    trainer.generator_step(*trainer.batches.next())
    assert not any(torch.equal(a, b) for a, b in zip(weights(q), before, strict=True))


def test_joint_head_learns_with_d_and_encoder_with_g():
    trainer = trained(of("bigan"))
    (encoder,), (joint,) = (list(owned.values()) for owned in trainer.owned)
    before = weights(encoder), weights(joint)
    trainer.discriminator_step(*trainer.batches.next())
    assert same(weights(encoder), before[0])
    assert not same(weights(joint), before[1])
    before = weights(encoder), weights(joint)
    trainer.generator_step(*trainer.batches.next())
    assert not same(weights(encoder), before[0])
    assert same(weights(joint), before[1])


def test_networks_of_g_are_averaged_as_g_is():
    trainer = trained(BCE(), of("infogan"), ema=0.5)
    trainer.settings = replace(trainer.settings, ema=0.5)
    (q,) = trainer.owned.generator.values()
    start = weights(q)
    trainer.iterate()
    (average,) = trainer.judged_owned["generator"].values()
    decay = min(0.5, 2 / 11)  # after one step of G
    for mean, first, now in zip(weights(average), start, weights(q), strict=True):
        assert torch.allclose(mean, decay * first + (1 - decay) * now, atol=1e-7)


def test_information_is_learned():
    trainer = trained(BCE(), of("infogan"), kimg=0.8, log_every=10, g_lr=1e-2, d_lr=1e-4)
    windows = trainer.run().windows
    first, last = (window.g_terms["information"] for window in (windows[0], windows[-1]))
    assert last < 0.5 * first


def test_who_owns_nothing_changes_nothing():
    """Q's weights are drawn after both players', whose own stay as they are."""
    alone, beside = trained(BCE()), trained(BCE(), of("infogan", weight=0.0))
    for trainer in (alone, beside):
        trainer.iterate()
    assert same(weights(alone.generator), weights(beside.generator))
    assert same(weights(alone.discriminator), weights(beside.discriminator))


class Owning(Regularizer):
    name = "owning"
    found: object = {}

    def networks(self, shapes):
        return self.found


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ([nn.Linear(1, 1)], "networks() of 'owning' returned list, not a dict of names and"),
        ({"q": nn.Linear(1, 1)}, "as 'q'; give Owned(module, player), where player is one of"),
        ({"q": Owned(nn.Linear(1, 1), "critic")}, "'generator', 'discriminator'"),
    ],
)
def test_what_is_no_network_is_refused(found, message):
    with pytest.raises(ContractError) as caught:
        OwnedNetworks.made([type("Owning", (Owning,), {"found": found})()], SHAPES)
    assert message in str(caught.value)


def test_two_owners_of_one_name_are_refused():
    with pytest.raises(ContractError, match="two parts of one cell are called 'infogan'"):
        OwnedNetworks.made([of("infogan"), of("infogan")], SHAPES)


# Weights by name


def test_orthogonal_term_is_its_formula():
    overlap = methods.module("orthogonal").overlap
    weight = torch.tensor([[1.0, 2.0], [3.0, -1.0], [0.0, 2.0]])
    products = [1 * 3 - 2, 2 * 2, -1 * 2]  # of rows 0 and 1, 0 and 2, 1 and 2
    expected = 2.0 * sum(product**2 for product in products)
    assert float(overlap({"w": weight, "b": torch.ones(3)})) == expected


def test_parameters_are_the_players_own():
    trainer = trained(BCE())
    for player in ("generator", "discriminator"):
        named = dict(getattr(trainer, player).named_parameters())
        found = getattr(trainer.game.parameters, player)
        assert found.keys() == named.keys()
        assert all(found[name] is named[name] for name in named)
        with pytest.raises(TypeError):
            found["new"] = torch.zeros(1)


# Observation


def test_ada_follows_the_signs_of_d():
    ada = of("ada", kimg=0.1, every=2)
    trainer = trainer_of(BCE(), transforms=(ada,))
    chances = []
    for _ in range(4):
        with torch.no_grad():
            trainer.discriminator.head.linear.bias.fill_(100.0)
        trainer.discriminator_step(*trainer.batches.next())
        chances.append(float(ada.chance))
    change = 2 * 8 / 100  # two batches of 8 images, of 100 in which it goes from 0 to 1
    assert chances == pytest.approx([0, change, change, 2 * change])


def test_what_transforms_observe_goes_on_to_the_last_bit():
    def trainer():
        return trainer_of(BCE(), transforms=(of("ada", kimg=0.2, every=1),), kimg=0.24)

    whole, states = trainer(), []
    whole.on_window = lambda window: states.append(copy.deepcopy(whole.state().plain()))
    expected = everything(whole)
    later = trainer()
    later.restore(type(whole.state()).from_plain(states[1]))
    assert same(everything(later), expected)
    assert float(whole.discriminator.transforms[0].chance) > 0


def test_terms_asked_first_give_the_same_terms():
    class First(Spectator):
        name = "first"
        asked_first = True
        order: list[str]

        def discriminator_loss(self, step: Step) -> Terms:
            order.append("first")
            return {"first": F.relu(step.real.logits).mean()}

    class Second(BCE):
        def discriminator_loss(self, step: Step) -> Terms:
            order.append("second")
            return super().discriminator_loss(step)

    order: list[str] = []
    trainer = trainer_of(Second(), First())
    terms = trainer.discriminator_step(*trainer.batches.next())
    assert order == ["first", "second"]
    assert list(terms)[-1] == "first"  # the file's order, wherever terms are shown
