"""DRAGAN's penalty in closed form, and the conformance kit."""

import math

import pytest
import torch
from ganbench_dragan import DRAGAN
from torch import nn

from ganbench import DiscriminatorOutput, InputGradients, Scored, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(DRAGAN)
def test_conformance(check):
    check()


class Linear(nn.Module):
    """D(x) = w.x, and a record of what it was asked."""

    def __init__(self, weight):
        super().__init__()
        self.weight = nn.Parameter(weight)
        self.asked = []

    def forward(self, images, labels):
        self.asked.append((images.detach(), labels))
        return DiscriminatorOutput((images * self.weight).sum((1, 2, 3)), images.flatten(1))


def step_of(real, fake, discriminator, labels=None):
    def score(images, labels, *, track_inputs=False):
        return Scored(images, labels, discriminator, track_inputs=track_inputs)

    latents = torch.zeros(len(real), 2)
    return Step(score(real, labels), score(fake, labels), latents, 0, score, lambda z, y: fake)


def linear_of_norm(norm, channels):
    weight = torch.randn(channels, 4, 4)
    return Linear(weight / weight.norm() * norm)


def perturbed(real, seed=0, labels=None, **options):
    """Where the penalty is taken, and with which labels."""
    critic = Linear(torch.ones(real.shape[1:]))
    torch.manual_seed(seed)
    DRAGAN(**options).discriminator_loss(step_of(real, real, critic, labels))
    return critic.asked[0]


def sigmoid(x):
    return 1 / (1 + math.exp(-x))


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("count", [1, 2, 8, 64])
@pytest.mark.parametrize("norm", [0.0, 0.5, 1.0, 3.0])
def test_a_linear_critic_is_penalised_by_its_slope(count, channels, norm):
    torch.manual_seed(0)
    step = step_of(*torch.randn(2, count, channels, 4, 4), linear_of_norm(norm, channels))
    penalty = DRAGAN(gp_weight=7.0).discriminator_loss(step)["gradient_penalty"]
    assert penalty.item() == pytest.approx(7 * (norm - 1) ** 2, abs=1e-4)


@pytest.mark.parametrize("count", [1, 8])
def test_the_penalty_moves_the_weights_along_themselves(count):
    torch.manual_seed(0)
    critic = linear_of_norm(3.0, channels=3)
    step = step_of(*torch.randn(2, count, 3, 4, 4), critic)
    penalty = DRAGAN().discriminator_loss(step)["gradient_penalty"]
    (gradient,) = torch.autograd.grad(penalty, critic.weight)
    torch.testing.assert_close(gradient, 2 * 10 * (3 - 1) * critic.weight.detach() / 3)


def test_the_penalty_is_taken_where_a_quadratic_critic_says():
    """D(x) = |x|²/2 has the slope |x|: the penalty tells the points at which it was taken."""
    real = torch.randn(5, 1, 2, 2, generator=torch.Generator().manual_seed(1))
    points, _ = perturbed(real)

    def quadratic(images, labels):
        return DiscriminatorOutput(images.square().sum((1, 2, 3)) / 2, images.flatten(1))

    torch.manual_seed(0)
    terms = DRAGAN().discriminator_loss(step_of(real, real, quadratic))
    expected = 10 * (points.flatten(1).norm(dim=1) - 1).square().mean()
    assert terms["gradient_penalty"].item() == pytest.approx(expected.item(), rel=1e-5)


@pytest.mark.parametrize("noise", [0.5, 2.0])
def test_the_perturbation_is_uniform_from_zero_to_its_bound(noise):
    real = 3 + 0.2 * torch.randn(64, 3, 8, 8, generator=torch.Generator().manual_seed(1))
    points, _ = perturbed(real, noise=noise)
    bound = noise * real.double().std(correction=0).item()
    shares = (points - real).double() / bound
    tolerance = 5 / shares.numel() ** 0.5
    assert shares.min().item() == pytest.approx(0, abs=1e-3)
    assert shares.max().item() == pytest.approx(1, abs=1e-3)
    assert shares.mean().item() == pytest.approx(0.5, abs=tolerance / 12**0.5)
    assert shares.var().item() == pytest.approx(1 / 12, abs=tolerance / 180**0.5)


def test_every_value_of_every_sample_has_a_perturbation_of_its_own():
    real = torch.tensor([-1.0, 1.0]).view(2, 1, 1, 1).expand(2, 3, 4, 4)
    points, _ = perturbed(real)
    assert len((points - real).unique()) == pytest.approx(real.numel(), abs=1)


def test_a_seed_fixes_the_perturbation():
    real = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    (first, _), (again, _), (other, _) = (perturbed(real, seed) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_without_noise_the_penalty_is_at_the_reals():
    real = torch.randn(4, 1, 4, 4, generator=torch.Generator().manual_seed(1))
    points, _ = perturbed(real, noise=0.0)
    assert torch.equal(points, real)


def test_a_batch_of_one_value_stays_finite():
    points, _ = perturbed(torch.full((1, 1, 1, 1), 0.7))
    assert points.item() == pytest.approx(0.7)


def test_perturbed_reals_carry_the_labels_of_the_reals():
    labels = torch.tensor([2, 0, 1, 1])
    _, asked = perturbed(torch.zeros(4, 1, 4, 4), labels=labels)
    assert torch.equal(asked, labels)


def test_the_adversarial_terms_are_the_non_saturating_ones():
    critic = Linear(torch.ones(1, 1, 1))
    real = torch.tensor([2.0, -1.0]).view(2, 1, 1, 1)
    fake = torch.tensor([0.5, -3.0]).view(2, 1, 1, 1).requires_grad_()
    step = step_of(real, fake, critic)
    terms = DRAGAN().discriminator_loss(step)
    assert terms["real"].item() == pytest.approx(
        -(math.log(sigmoid(2)) + math.log(sigmoid(-1))) / 2
    )
    assert terms["fake"].item() == pytest.approx(
        -(math.log(sigmoid(-0.5)) + math.log(sigmoid(3))) / 2
    )
    terms = DRAGAN().generator_loss(step)
    assert terms["adversarial"].item() == pytest.approx(
        -(math.log(sigmoid(0.5)) + math.log(sigmoid(-3))) / 2
    )
    (slope,) = torch.autograd.grad(terms["adversarial"], fake)
    assert slope.flatten().tolist() == pytest.approx(
        [(sigmoid(0.5) - 1) / 2, (sigmoid(-3) - 1) / 2]
    )


def test_it_declares_images_of_its_own():
    assert DRAGAN.input_gradients == InputGradients.OWN


@pytest.mark.parametrize("option", ["gp_weight", "noise"])
def test_options_that_make_no_sense_are_refused(option):
    with pytest.raises(ValueError, match=rf"{option} must not be negative, found -1\.0"):
        DRAGAN(**{option: -1.0})
