"""Clipped weights and the recipe's, and the conformance kit."""

import pytest
import torch
from ganbench_wgan_clip import WGANClip
from torch import nn

from ganbench import DiscriminatorOutput, InputGradients, Scored, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(WGANClip)
def test_conformance(check):
    check()


def step_with_logits(real, fake):
    """A step whose logits are these leaves."""
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
    return step, *leaves


class Critic(nn.Module):
    """A convolution, a norm, an embedding and a head, all far outside the default clip."""

    def __init__(self):
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(1, 4), nn.Flatten())
        self.embedding = nn.Embedding(5, 16)
        self.head = nn.Linear(16, 1)
        for parameter in self.parameters():
            nn.init.normal_(parameter)


def test_the_critic_widens_the_gap_of_the_mean_logits():
    step, real, fake = step_with_logits([2.0, -1.0], [0.5, -3.5])
    terms = WGANClip().discriminator_loss(step)
    assert terms["wasserstein"].item() == pytest.approx(-1.5 - 0.5)
    slopes = torch.autograd.grad(terms["wasserstein"], (real, fake))
    assert [slope.tolist() for slope in slopes] == [[-0.5, -0.5], [0.5, 0.5]]


def test_the_generator_raises_the_mean_logit():
    step, _, fake = step_with_logits([0.0, 0.0], [2.0, -1.0])
    terms = WGANClip().generator_loss(step)
    assert terms["adversarial"].item() == pytest.approx(-0.5)
    (slope,) = torch.autograd.grad(terms["adversarial"], fake)
    assert slope.tolist() == pytest.approx([-0.5, -0.5])


@pytest.mark.parametrize("clip", [0.01, 0.5, 100.0])
def test_every_parameter_is_clipped_in_place(clip):
    torch.manual_seed(0)
    critic = Critic()
    before = {name: p.detach().clone() for name, p in critic.named_parameters()}
    objects = [*critic.parameters()]
    WGANClip(clip=clip).after_discriminator_step(critic)
    assert before.keys() >= {"body.0.weight", "body.1.bias", "embedding.weight", "head.weight"}
    for name, parameter in critic.named_parameters():
        torch.testing.assert_close(parameter.detach(), before[name].clamp(-clip, clip))
    assert all(now is then for now, then in zip(critic.parameters(), objects, strict=True))
    assert all(parameter.requires_grad for parameter in critic.parameters())


def test_the_bound_is_reached_on_both_sides():
    torch.manual_seed(0)
    critic = Critic()
    WGANClip().after_discriminator_step(critic)
    weights = torch.cat([parameter.detach().flatten() for parameter in critic.parameters()])
    assert weights.min().item() == pytest.approx(-0.01)
    assert weights.max().item() == pytest.approx(0.01)


@pytest.mark.parametrize("clip", [0.0, -0.01, float("nan")])
def test_a_clip_that_is_not_positive_is_refused(clip):
    with pytest.raises(ValueError, match="clip must be positive"):
        WGANClip(clip=clip)


def test_the_recipe_is_the_published_one():
    recipe = WGANClip.recipe
    assert (recipe.n_critic, recipe.optimizer) == (5, "rmsprop")
    assert (recipe.g_lr, recipe.d_lr) == (5e-5, 5e-5)
    assert WGANClip.input_gradients == InputGradients.NONE
