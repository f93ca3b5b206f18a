"""Relativistic averages by hand, and the conformance kit."""

import math

import pytest
import torch
from ganbench_ragan import RelativisticAverage

from ganbench import DiscriminatorOutput, Scored, Step
from ganbench.testing import parametrize_with_checks

PLAYERS = ("discriminator_loss", "generator_loss")


@parametrize_with_checks(RelativisticAverage)
def test_conformance(check):
    check()


def judged(player, real, fake):
    """The value of a player's loss at these logits, and its slopes at each of them."""
    leaves = [torch.tensor(logits, requires_grad=True) for logits in (real, fake)]
    scored = [
        Scored(
            torch.zeros(len(leaf), 1, 1, 1),
            None,
            lambda images, labels, leaf=leaf: DiscriminatorOutput(leaf, leaf[:, None]),
        )
        for leaf in leaves
    ]
    step = Step(*scored, torch.zeros(len(real), 2), 0, lambda *a, **k: None, lambda z, y: z)
    terms = getattr(RelativisticAverage(), player)(step)
    total = torch.stack([*terms.values()]).sum()
    return total.item(), *(slope.tolist() for slope in torch.autograd.grad(total, leaves))


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("level", [0.0, -30.0, 300.0])
def test_equal_logits_give_two_log_two(level):
    value, real, fake = judged("discriminator_loss", [level] * 4, [level] * 4)
    assert value == pytest.approx(2 * math.log(2))
    assert real == pytest.approx([-0.25] * 4)
    assert fake == pytest.approx([0.25] * 4)


def test_each_logit_is_judged_against_the_mean_of_the_other_kind():
    value, real, fake = judged("discriminator_loss", [2.0, -1.0], [0.5, -3.0])
    real_mean, fake_mean = 0.5, -1.25
    real_right = [sigmoid(2 - fake_mean), sigmoid(-1 - fake_mean)]
    fake_wrong = [sigmoid(0.5 - real_mean), sigmoid(-3 - real_mean)]
    assert value == pytest.approx(
        -(math.log(real_right[0]) + math.log(real_right[1])) / 2
        - (math.log(1 - fake_wrong[0]) + math.log(1 - fake_wrong[1])) / 2
    )
    shared_by_reals = sum(fake_wrong) / 4
    shared_by_fakes = sum(1 - right for right in real_right) / 4
    assert real == pytest.approx([(right - 1) / 2 - shared_by_reals for right in real_right])
    assert fake == pytest.approx([wrong / 2 + shared_by_fakes for wrong in fake_wrong])


def test_the_generator_plays_the_discriminator_with_the_kinds_swapped():
    value, real, fake = judged("generator_loss", [2.0, -1.0], [0.5, -3.0])
    swapped, as_fake, as_real = judged("discriminator_loss", [0.5, -3.0], [2.0, -1.0])
    assert value == pytest.approx(swapped)
    assert real == pytest.approx(as_real)
    assert fake == pytest.approx(as_fake)


@pytest.mark.parametrize("player", PLAYERS)
def test_only_differences_of_logits_count(player):
    value, real, fake = judged(player, [2.0, -1.0, 0.0], [0.5, -3.0, 4.0])
    shifted = judged(player, [9.0, 6.0, 7.0], [7.5, 4.0, 11.0])
    assert shifted[0] == pytest.approx(value)
    assert shifted[1] == pytest.approx(real, rel=1e-5)
    assert shifted[2] == pytest.approx(fake, rel=1e-5)
    assert sum(real) + sum(fake) == pytest.approx(0, abs=1e-6)


def test_one_sample_gives_twice_the_paired_loss():
    value, real, fake = judged("discriminator_loss", [1.5], [-0.5])
    assert value == pytest.approx(2 * math.log(1 + math.exp(-2)))
    assert real == pytest.approx([-2 * sigmoid(-2)])
    assert fake == pytest.approx([2 * sigmoid(-2)])
