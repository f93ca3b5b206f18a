"""BiGAN against a second writing of its game, and the conformance kit."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
import torch
from ganbench_bigan import BiGAN
from torch import Tensor, nn

from ganbench import DiscriminatorOutput, ImageSpec, Scored, Shapes, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(BiGAN)
def test_conformance(check):
    check()


class Sum(nn.Module):
    def forward(self, pairs: Tensor) -> Tensor:
        return pairs.sum(1, keepdim=True)


class Twice(nn.Module):
    def forward(self, images: Tensor) -> Tensor:
        return 2 * images.flatten(1)


def scored(*values: float) -> Scored:
    images = torch.tensor(values).view(-1, 1, 1, 1)
    return Scored(images, None, lambda x, y: DiscriminatorOutput(x.flatten(), x.flatten(1)))


def test_pairs_are_judged_together():
    """D(x, z) = x + z with features x, and E(x) = 2x: logits are 3x of reals, G(z) + z of fakes."""
    latents = torch.tensor([[0.5], [-1.0]])
    step = Step(scored(0.1, -0.2), scored(0.3, 0.4), latents, 0, lambda *a: None, lambda z, y: z)
    step = replace(step, own={"encoder": Twice(), "joint": Sum()})

    def softplus(x: float) -> float:
        return math.log1p(math.exp(x))

    real, fake = (0.3, -0.6), (0.8, -0.6)
    of_d, of_g = BiGAN().discriminator_loss(step), BiGAN().generator_loss(step)
    for found, sign, logits in (
        (of_d["real"], -1, real),
        (of_d["fake"], 1, fake),
        (of_g["encoded"], 1, real),
        (of_g["generated"], -1, fake),
    ):
        expected = sum(softplus(sign * logit) for logit in logits) / 2
        assert found.item() == pytest.approx(expected, rel=1e-5)


def test_encoder_learns_with_g_and_the_joint_head_with_d():
    owned = BiGAN(width=7).networks(Shapes(ImageSpec(3, 4), 5, 11))
    assert {name: one.player for name, one in owned.items()} == {
        "encoder": "generator",
        "joint": "discriminator",
    }
    codes = owned["encoder"].module(torch.zeros(2, 3, 4, 4))
    assert codes.shape == (2, 5)
    assert owned["joint"].module(torch.zeros(2, 11 + 5)).shape == (2, 1)


def test_networks_without_width_are_refused():
    with pytest.raises(ValueError, match="width must be positive, found 0"):
        BiGAN(width=0)
