"""InfoGAN's codes and bounds in closed form, and the conformance kit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from ganbench_infogan import CodedLatent, Codes, InfoCodes, InfoGAN
from torch import nn

from ganbench import DiscriminatorOutput, ImageSpec, Scored, Shapes, Step
from ganbench.testing import parametrize_with_checks

IMAGE = ImageSpec(channels=1, resolution=8)


@parametrize_with_checks(
    InfoGAN, InfoCodes, InfoCodes(categories=0), InfoCodes(continuous=0, shared=False)
)
def test_conformance(check):
    check()


def test_categories_are_uniform_and_numbers_too():
    torch.manual_seed(0)
    category, numbers = Codes(4, 2).of(torch.randn(20_000, 7))
    shares = torch.bincount(category, minlength=4) / 20_000
    assert shares.tolist() == pytest.approx([0.25] * 4, abs=0.015)
    assert numbers.shape == (20_000, 2)
    assert numbers.mean().item() == pytest.approx(0, abs=0.02)
    assert numbers.square().mean().item() == pytest.approx(1 / 3, abs=0.01)


def test_quantiles_are_where_they_belong():
    quartiles = torch.tensor([[-0.6745], [0.0], [0.6745]])
    above, below = (Codes(4, 0).of(quartiles + by)[0].tolist() for by in (1e-3, -1e-3))
    assert (above, below) == ([1, 2, 3], [0, 1, 2])
    assert Codes(3, 0).of(torch.tensor([[40.0], [-40.0]]))[0].tolist() == [2, 0]


def test_latent_is_codes_and_the_rest():
    side = CodedLatent(5, Codes(3, 1))
    z = torch.tensor([[0.0, 0.6745, 1.0, 2.0, 3.0]])
    expected = [0.0, 1.0, 0.0, 0.5, 1.0, 2.0, 3.0]
    assert side.latent_dim == 7
    assert side.latent(z, None)[0].tolist() == pytest.approx(expected, abs=1e-4)
    with pytest.raises(ValueError, match="4 codes need as many latents, found 3"):
        CodedLatent(3, Codes(2, 3))


class Fixed(nn.Module):
    """A Q that always says the same."""

    def __init__(self, *said: float) -> None:
        super().__init__()
        self.said = torch.tensor(said)

    def forward(self, features):
        return self.said.expand(len(features), -1)


def step_of(z: torch.Tensor, q: nn.Module) -> Step:
    logits = torch.zeros(len(z))
    images = torch.zeros(len(z), 1, 1, 1)
    scored = Scored(images, None, lambda x, y: DiscriminatorOutput(logits, logits[:, None]))
    step = Step(scored, scored, z, 0, lambda *a, **k: None, lambda z, y: z)
    return replace(step, own={"q": q})


def test_likelihoods_by_hand():
    """The category is 1 of 0, 1 (z > 0), the number 2·Φ(0.6745) − 1 = 0.5."""
    z = torch.tensor([[1.0, 0.6745, 9.0]])
    side = InfoCodes(categories=2, continuous=1).discriminator(IMAGE)
    step = step_of(z, Fixed(0.2, -0.3, 0.1, math.log(4.0)))
    category = math.log(1 + math.exp(0.2 + 0.3))
    numbers = 0.1 * ((0.5 - 0.1) ** 2 / 4 + math.log(4.0)) / 2
    for terms in (side.generator_loss(step), side.discriminator_loss(step)):
        assert terms["category"].item() == pytest.approx(category, rel=1e-5)
        assert terms["numbers"].item() == pytest.approx(numbers, rel=1e-3)
    alone = InfoCodes(categories=2, continuous=1, shared=False).discriminator(IMAGE)
    assert alone.discriminator_loss(step) == {}


def test_regularizer_reads_the_first_latents():
    z = torch.tensor([[1.0, -2.0, 9.0], [0.0, 1.0, 9.0]])
    terms = InfoGAN(weight=3.0).generator_loss(step_of(z, Fixed(0.5, 0.0)))
    expected = 3 * (0.5**2 + 2**2 + 0.5**2 + 1) / 4
    assert terms["information"].item() == pytest.approx(expected)


def test_q_learns_with_g():
    shapes = Shapes(IMAGE, 6, 16)
    side = InfoCodes().discriminator(IMAGE)
    (owned,) = side.networks(shapes).values()
    assert owned.player == "generator"
    assert owned.module(torch.zeros(3, 16)).shape == (3, 10 + 2 * 2)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: InfoCodes(categories=1), "expected no categories or at least 2"),
        (lambda: InfoCodes(categories=0, continuous=0), "there is no code; give categories"),
        (lambda: InfoCodes(discrete_weight=-1.0), "discrete_weight must not be negative"),
        (lambda: InfoCodes(width=0), "width must be positive, found 0"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
