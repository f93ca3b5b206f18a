"""Normalised logits in closed form, and the conformance kit."""

from __future__ import annotations

import pytest
import torch
from ganbench_gngan import GradientNormalised

from ganbench import DiscriminatorOutput, Scored, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(GradientNormalised)
def test_conformance(check):
    check()


def quadratic(images, labels):
    """f(x) = ‖x‖²/2 - 1, with ∇f = x."""
    logits = images.flatten(1).square().sum(1) / 2 - 1
    return DiscriminatorOutput(logits, images.flatten(1))


def patches(images, labels):
    output = quadratic(images, labels)
    return output._replace(logits=output.logits[:, None].repeat(1, 3))


@pytest.mark.parametrize("judge", [quadratic, patches])
def test_logits_are_divided_by_slope_and_size(judge):
    real, fake = [[3.0, 4.0], [1.0, 0.0]], [[0.0, 2.0]]

    def scored(points):
        images = torch.tensor(points).view(-1, 2, 1, 1)
        return Scored(images, None, judge, track_inputs=True)

    step = Step(scored(real), scored(fake), torch.zeros(1, 2), 0, lambda *a: None, lambda z, y: z)
    of_real = [11.5 / (5 + 11.5), -0.5 / (1 + 0.5)]
    of_fake = 1.0 / (2 + 1)
    loss = GradientNormalised()
    terms = loss.discriminator_loss(step)
    assert terms["real"].item() == pytest.approx(sum(1 - f for f in of_real) / 2, rel=1e-5)
    assert terms["fake"].item() == pytest.approx(1 + of_fake, rel=1e-5)
    assert loss.generator_loss(step)["adversarial"].item() == pytest.approx(-of_fake, rel=1e-5)


def test_piecewise_linear_critics_are_lipschitz():
    """Along a line of a ReLU network without biases, slopes of f̂ stay at 1 or below."""
    torch.manual_seed(0)
    first, second = torch.randn(16, 2), torch.randn(16)

    def relu(images, labels):
        logits = (images.flatten(1) @ first.T).relu() @ second
        return DiscriminatorOutput(logits, images.flatten(1))

    along = torch.linspace(-2, 2, 4001)
    images = torch.stack([along, 0.3 - 0.5 * along], 1).view(-1, 2, 1, 1)
    values = GradientNormalised()._normalised(Scored(images, None, relu, track_inputs=True))
    moved = (images[1:] - images[:-1]).flatten(1).norm(dim=1)
    assert values.abs().max() <= 1
    slopes = (values[1:] - values[:-1]).detach().abs() / moved
    assert slopes.quantile(0.99) <= 1 + 1e-3  # but where it jumps, from one piece to the next
