"""Divergences against their conjugates, distances against closed forms, and the conformance kit."""

from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from ganbench_divergences import (
    ACTIVATIONS,
    CONJUGATES,
    FGAN,
    WGANLP,
    Divergence,
    FisherGAN,
    WGANDiv,
)
from torch import Tensor

from ganbench import DiscriminatorOutput, Scored, Step
from ganbench.testing import parametrize_with_checks

EXPONENTIAL = {"logits_are_unbounded": "exponentials of logits leave float32"}


@parametrize_with_checks(FGAN, WGANLP, WGANDiv, FisherGAN)
def test_conformance(check):
    check()


@parametrize_with_checks(FGAN(divergence="kl"), expected_failures=EXPONENTIAL)
def test_conformance_but_for_extremes(check):
    check()


@pytest.mark.integration
@parametrize_with_checks(FGAN(divergence="pearson"), FGAN(saturating=True))
def test_conformance_of_others(check):
    """All divergences are held to their definitions below."""
    check()


@pytest.mark.integration
@parametrize_with_checks(FGAN(divergence="hellinger"), expected_failures=EXPONENTIAL)
def test_conformance_of_others_but_for_extremes(check):
    check()


# f and f* as functions of u and t, from the definitions
GENERATORS = {
    "kl": lambda u: u * math.log(u),
    "reverse-kl": lambda u: -math.log(u),
    "pearson": lambda u: (u - 1) ** 2,
    "neyman": lambda u: (1 - u) ** 2 / u,
    "hellinger": lambda u: (math.sqrt(u) - 1) ** 2,
    "js": lambda u: -(u + 1) * math.log((1 + u) / 2) + u * math.log(u),
    "gan": lambda u: u * math.log(u) - (u + 1) * math.log(u + 1),
}


def logit(value: float) -> Scored:
    logits = torch.tensor([value], dtype=torch.float64)
    return Scored(
        torch.zeros(1, 1, 1, 1), None, lambda x, y: DiscriminatorOutput(logits, logits[:, None])
    )


@pytest.mark.parametrize("divergence", get_args(Divergence))
@pytest.mark.parametrize("ratio", [0.4, 1.0, 2.5])
def test_the_best_logit_attains_the_divergence(divergence, ratio):
    """max over v of u · g(v) - f*(g(v)) is f(u), on a fine grid of v."""
    grid = torch.linspace(-5, 7, 12_001, dtype=torch.float64)
    values = ratio * ACTIVATIONS[divergence](grid) - CONJUGATES[divergence](grid)
    assert values.max().item() == pytest.approx(GENERATORS[divergence](ratio), abs=1e-5)
    if ratio == 1:
        best = grid[values.argmax()].item()
        assert best == pytest.approx(FGAN(divergence=divergence).boundary, abs=2e-3)


def test_kl_and_pearson_by_hand():
    step = Step(logit(0.7), logit(-0.4), torch.zeros(1, 2), 0, lambda *a: None, lambda z, y: z)
    terms = FGAN(divergence="kl").discriminator_loss(step)
    assert terms["real"].item() == pytest.approx(-0.7)
    assert terms["fake"].item() == pytest.approx(math.exp(-1.4))
    terms = FGAN(divergence="pearson").discriminator_loss(step)
    assert terms["fake"].item() == pytest.approx(0.04 - 0.4)
    assert FGAN(divergence="pearson").generator_loss(step)["adversarial"].item() == 0.4


def test_js_is_that_of_goodfellow_but_for_constants():
    step = Step(logit(0.7), logit(-0.4), torch.zeros(1, 2), 0, lambda *a: None, lambda z, y: z)
    terms = FGAN().discriminator_loss(step)
    assert terms["real"].item() == pytest.approx(math.log1p(math.exp(-0.7)) - math.log(2))
    assert terms["fake"].item() == pytest.approx(math.log1p(math.exp(-0.4)) - math.log(2))
    saturating = FGAN(saturating=True).generator_loss(step)
    assert saturating["adversarial"].item() == pytest.approx(-terms["fake"].item())


def linear(weight: Tensor):
    def judge(images: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        logits = images.flatten(1) @ weight
        return DiscriminatorOutput(logits, images.flatten(1))

    return judge


def linear_step(slope: float) -> Step:
    judge = linear(torch.tensor([0.6 * slope, 0.8 * slope]))

    def score(images, labels, *, track_inputs=False):
        return Scored(images, labels, judge, track_inputs=track_inputs)

    real, fake = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, -0.5]])
    pair = (score(x.view(1, 2, 1, 1), None) for x in (real, fake))
    return Step(*pair, torch.zeros(1, 2), 0, score, lambda z, y: z)


@pytest.mark.parametrize("slope", [0.5, 1.0, 3.0])
def test_penalties_of_a_linear_critic_are_those_of_its_slope(slope):
    step = linear_step(slope)
    distance = slope * (-0.4 - 0.6)
    terms = WGANLP(weight=7.0).discriminator_loss(step)
    assert terms["distance"].item() == pytest.approx(distance)
    expected = 7 * max(0.0, slope - 1) ** 2
    assert terms["gradient_penalty"].item() == pytest.approx(expected, abs=1e-5)
    terms = WGANDiv(weight=2.0, power=6.0).discriminator_loss(step)
    assert terms["gradient_power"].item() == pytest.approx(2 * slope**6, rel=1e-4)
    assert WGANDiv().generator_loss(step)["adversarial"].item() == pytest.approx(0.4 * slope)


def test_the_multiplier_follows_the_second_moment():
    """Logits 0.6 and -0.4 of slope 1: Ω = (0.36 + 0.16) / 2 = 0.26."""
    fisher, step, multiplier = FisherGAN(rho=0.1), linear_step(1.0), 0.0
    for _ in range(3):
        term = fisher.discriminator_loss(step)["second_moment"]
        assert term.item() == pytest.approx(-multiplier * 0.74 + 0.05 * 0.74**2, rel=1e-5)
        multiplier -= 0.1 * 0.74
        assert float(fisher.multiplier) == pytest.approx(multiplier, rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: WGANLP(weight=-1.0), r"weight must not be negative, found -1\.0"),
        (lambda: WGANDiv(power=1.0), r"power must be above 1, found 1\.0"),
        (lambda: FisherGAN(rho=-1.0), r"rho must not be negative, found -1\.0"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
