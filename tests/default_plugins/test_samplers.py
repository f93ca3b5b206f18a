"""What the built-in samplers draw, and DDLS, against closed forms."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from helpers import methods
from torch import Tensor

from ganbench import Sampling, SamplingMethod, Unavailable, truncated
from ganbench.default_plugins.architectures import MLP
from ganbench.default_plugins.samplers import Plain, Rejection, Truncation
from ganbench.models import latents

(DDLS,) = methods.plugins("ddls")


def normal(count: int, rng: torch.Generator) -> Tensor:
    return torch.randn(count, 2, generator=rng)


def uniform(count: int, rng: torch.Generator) -> Tensor:
    return torch.rand(count, 1, generator=rng, dtype=torch.float64)


def toy(prior: Any, logits: Any = None) -> Sampling:
    """G gives its latents as they are, and D says `logits(points, labels)` of them."""

    def score(points: Tensor, labels: Tensor | None, *, track_inputs: bool = False) -> Any:
        return SimpleNamespace(logits=logits(points.flatten(), labels))

    return Sampling(prior, lambda z, y: z, lambda z, y: z, 200, score)


def drawn(sampler: SamplingMethod, model: Sampling, count: int, labels: Any = None) -> Tensor:
    return sampler.draw(model, labels, count, torch.Generator().manual_seed(1))


def test_plain_draws_the_prior() -> None:
    expected = normal(50, torch.Generator().manual_seed(1))
    assert torch.equal(drawn(Plain(), toy(normal), 50), expected)


# Truncation


@pytest.mark.parametrize("psi", [0.5, 1.0, 2.0])
def test_truncation_gives_a_normal_between_its_bounds(psi: float) -> None:
    points = drawn(Truncation(psi=psi), toy(normal), 20_000)
    assert points.abs().max() <= psi
    density = math.exp(-psi * psi / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * psi * density / math.erf(psi / math.sqrt(2))
    assert points.mean().item() == pytest.approx(0, abs=0.02)
    assert points.var().item() == pytest.approx(variance, rel=0.03)
    inner = math.erf(psi / 2 / math.sqrt(2)) / math.erf(psi / math.sqrt(2))
    assert (points.abs() < psi / 2).double().mean().item() == pytest.approx(inner, abs=0.015)


def test_truncation_gives_the_latents_of_sample_truncation() -> None:
    architecture = MLP(latent_dim=3)
    expected = latents.draw(architecture, 40, seed=5, truncation=0.6)
    rng = latents.stream(5, "samples")
    assert torch.equal(truncated(architecture.latents, 40, rng, 0.6), expected)


@pytest.mark.parametrize(
    ("psi", "why"),
    [
        (0.0, "greater than 0, found 0"),
        (-1.0, "greater than 0"),
        (1e-4, "keeps 0.00% of this prior"),
    ],
)
def test_truncation_refuses_what_cannot_be_drawn(psi: float, why: str) -> None:
    reason = Truncation(psi=psi).unsupported(normal)
    assert reason is not None
    assert why in reason
    assert Truncation(psi=0.7).unsupported(normal) is None


# Rejection: fakes are uniform on [0, 1], and D knows that real ones have the density 2x there


def ratio(points: Tensor, labels: Tensor | None) -> Tensor:
    """Return the log of the densities' ratio, 2x, and of label 1 that of its mirror image."""
    mirrored = torch.zeros_like(points).bool() if labels is None else labels == 1
    return (2 * torch.where(mirrored, 1 - points, points)).log()


def test_an_image_is_kept_with_its_ratio_over_the_largest() -> None:
    x = torch.linspace(0.001, 1, 500, dtype=torch.float64)
    chances = Rejection(percentile=None).chances(ratio(x, None) - math.log(2))
    assert (chances - x).abs().max() < 1e-9


def test_a_percentile_of_a_batch_is_kept_less_often_than_not() -> None:
    x = torch.linspace(0, 1, 100_001, dtype=torch.float64)[1:]
    chances = Rejection(percentile=80).chances(ratio(x, None) - math.log(2))
    expected = x / (x + 4 * (1 - x))  # the sigmoid of logit(x) - logit(0.8)
    assert (chances - expected).abs().max() < 1e-4
    assert (chances < 0.5).double().mean().item() == pytest.approx(0.8, abs=1e-3)
    assert chances.mean().item() == pytest.approx(4 / 9 * math.log(4) - 1 / 3, abs=1e-4)


@pytest.mark.parametrize(("percentile", "below_half"), [(None, 0.25), (80.0, 0.1493)])
def test_rejection_draws_the_density_that_d_knows(
    percentile: float | None, below_half: float
) -> None:
    """Of those kept by percentile, ∫ x / (4 - 3x) from 0 to ½ over the same from 0 to 1."""
    points = drawn(Rejection(percentile=percentile), toy(uniform, ratio), 20_000).flatten()
    assert (points < 0.5).double().mean().item() == pytest.approx(below_half, abs=0.01)
    if percentile is None:  # the distribution function is x²
        quantiles = np.quantile(points.numpy(), [0.1, 0.5, 0.9])
        assert quantiles == pytest.approx(np.sqrt([0.1, 0.5, 0.9]), abs=0.01)


def test_each_image_follows_the_density_of_its_label() -> None:
    labels = torch.arange(10_000) % 2
    sampler = Rejection(percentile=None)
    points = drawn(sampler, toy(uniform, ratio), 10_000, labels).flatten()
    assert points[labels == 0].mean().item() == pytest.approx(2 / 3, abs=0.01)
    assert points[labels == 1].mean().item() == pytest.approx(1 / 3, abs=0.01)


def test_where_d_finds_all_alike_the_first_draws_are_kept() -> None:
    points = drawn(Rejection(percentile=None), toy(uniform, lambda x, y: 0 * x), 4000)
    assert points.mean().item() == pytest.approx(0.5, abs=0.02)


def test_rejection_gives_up_where_d_accepts_next_to_nothing() -> None:
    asked = []

    def logits(points: Tensor, labels: Tensor | None) -> Tensor:
        asked.append(len(points))
        return torch.full_like(points, 0.0 if len(asked) > 1 else 900.0)

    sampler = Rejection(percentile=None, burn_in=10, most_tries=3)
    with pytest.raises(Unavailable, match="accepted 0 of 600 images, so that 2 would take too"):
        drawn(sampler, toy(uniform, logits), 2)
    assert asked == [10, 200, 200, 200]


@pytest.mark.parametrize(
    "options", [{"percentile": 120.0}, {"percentile": -1.0}, {"burn_in": 0}, {"most_tries": 0}]
)
def test_wrong_options_of_rejection_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"expected (null, or 0 to 100, found|1 or more)"):
        Rejection(**options)


# DDLS


@pytest.mark.parametrize("steps", [0, 3, 40])
def test_langevin_steps_move_a_normal_as_their_closed_form_says(steps: int) -> None:
    """D says 3x, so that the energy is of a normal around 3; each step is linear in x."""

    def prior(count: int, rng: torch.Generator) -> Tensor:
        return torch.randn(count, 1, generator=rng)

    h, shrink = 0.1, 1 - 0.1 / 2
    model = toy(prior, lambda x, y: 3 * x)
    points = drawn(DDLS(steps=steps, step_size=h), model, 20_000)
    variance = shrink ** (2 * steps) + h * sum(shrink ** (2 * i) for i in range(steps))
    assert points.mean().item() == pytest.approx(3 * (1 - shrink**steps), abs=0.03)
    assert points.var().item() == pytest.approx(variance, rel=0.04)
