"""Energies against their closed forms, and the conformance kit."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from ganbench_energy import BEGAN, EBGAN, pulled_away
from torch import Tensor, nn

from ganbench import DiscriminatorOutput, ImageSpec, Scored, Shapes, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(EBGAN, EBGAN(repelling=0.1), BEGAN)
def test_conformance(check):
    check()


class Half(nn.Module):
    """Decodes every image to half of itself: its error is half of it."""

    def forward(self, features: Tensor) -> Tensor:
        return features.view(-1, 1, 1, 2) / 2


def scored(*pairs: tuple[float, float]) -> Scored:
    images = torch.tensor(pairs).view(-1, 1, 1, 2)
    return Scored(images, None, lambda x, y: DiscriminatorOutput(x.sum((1, 2, 3)), x.flatten(1)))


def step_of(real: Scored, fake: Scored) -> Step:
    step = Step(real, fake, torch.zeros(2, 2), 0, lambda *a: None, lambda z, y: z)
    return replace(step, own={"decoder": Half()})


REAL = scored((0.4, 0.0), (0.8, -0.4))  # squared errors 0.02, 0.1; absolute 0.1, 0.3
FAKE = scored((1.0, 1.0), (0.2, 0.6))  # squared errors 0.25, 0.05; absolute 0.5, 0.2


def test_energies_of_fakes_count_below_the_margin_alone():
    step = step_of(REAL, FAKE)
    terms = EBGAN(margin=0.2).discriminator_loss(step)
    assert terms["real"].item() == pytest.approx((0.02 + 0.1) / 2)
    assert terms["fake"].item() == pytest.approx((0 + 0.15) / 2)
    terms = EBGAN(margin=0.2, repelling=2.0).generator_loss(step)
    assert terms["energy"].item() == pytest.approx((0.25 + 0.05) / 2)
    cosine = (0.2 + 0.6) / (2**0.5 * 0.4**0.5)
    assert terms["repelling"].item() == pytest.approx(2 * cosine**2)


def test_codes_at_right_angles_are_far_enough_apart():
    assert pulled_away(torch.eye(3)).item() == 0
    assert pulled_away(torch.ones(4, 3)).item() == pytest.approx(1)
    assert pulled_away(torch.tensor([[1.0, 0.0], [-2.0, 0.0], [0.0, 1.0]])).item() == pytest.approx(
        2 / 6
    )


def test_k_follows_the_balance_of_errors():
    """E(x) = 0.2 and E(G(z)) = 0.35 by turns of both: k rises by r (γ · 0.2 - 0.35) and so on."""
    began = BEGAN(gamma=1.0, rate=0.5)
    k = 0.0
    for real, fake, (a, b) in ((REAL, FAKE, (0.2, 0.35)), (FAKE, REAL, (0.35, 0.2))) * 2:
        terms = began.discriminator_loss(step_of(real, fake))
        assert terms["real"].item() == pytest.approx(a)
        assert terms["fake"].item() == pytest.approx(-k * b)
        k = min(1.0, max(0.0, k + 0.5 * (a - b)))
        assert float(began.k) == pytest.approx(k)
    assert began.generator_loss(step_of(REAL, FAKE))["error"].item() == pytest.approx(0.35)


def test_decoder_learns_with_d_and_makes_images():
    (owned,) = EBGAN(width=3).networks(Shapes(ImageSpec(2, 4), 5, 7)).values()
    assert owned.player == "discriminator"
    assert owned.module(torch.zeros(6, 7)).shape == (6, 2, 4, 4)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: EBGAN(margin=-1.0), r"margin must not be negative, found -1\.0"),
        (lambda: BEGAN(gamma=0.0), r"gamma must be above 0 and at most 1, found 0\.0"),
        (lambda: BEGAN(width=0), "width must be positive, found 0"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
