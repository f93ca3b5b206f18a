"""Draws from priors, and the ways between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch

from ganbench.default_plugins.architectures import DCGAN, MLP
from ganbench.errors import ConfigError
from ganbench.models.latents import draw, draw_each, fractions, natural_path, slerp, walk
from ganbench.util.random_streams import stream


@dataclass(kw_only=True)
class Uniform(MLP):
    low: float = -1.0

    def latents(self, count, generator, device="cpu"):
        shape = (count, self.latent_dim)
        return torch.rand(shape, generator=generator, device=device) * (1 - self.low) + self.low


NORMAL, UNIFORM = DCGAN(latent_dim=20), Uniform(latent_dim=20)


def test_draws_are_the_prior_own():
    assert torch.equal(draw(NORMAL, 7, 3), torch.randn(7, 20, generator=stream(3, "samples")))
    assert torch.equal(draw(NORMAL, 7, 3), draw(NORMAL, 7, 3))
    assert not torch.equal(draw(NORMAL, 7, 3), draw(NORMAL, 7, 4))
    assert draw(UNIFORM, 50, 0).abs().max() <= 1


@pytest.mark.parametrize("limit", [0.02, 0.5, 1.5])
def test_truncated_draws_are_those_of_a_truncated_normal(limit):
    found = draw(NORMAL, 500, 0, truncation=limit)
    assert found.abs().max() <= limit
    density = math.exp(-(limit**2) / 2) / math.sqrt(2 * math.pi)
    variance = 1 - 2 * limit * density / math.erf(limit / math.sqrt(2))
    assert found.std().item() == pytest.approx(math.sqrt(variance), rel=0.03)
    assert found.mean().item() == pytest.approx(0, abs=0.05 * limit)


def test_a_wide_truncation_changes_nothing():
    assert torch.equal(draw(NORMAL, 9, 0, truncation=50.0), draw(NORMAL, 9, 0))
    assert torch.equal(draw(UNIFORM, 9, 0, truncation=1.0), draw(UNIFORM, 9, 0))


@pytest.mark.parametrize("limit", [0.0, -1.0, math.inf, math.nan])
def test_truncations_are_positive_numbers(limit):
    with pytest.raises(ConfigError, match="expected a truncation greater than 0, found"):
        draw(NORMAL, 2, 0, truncation=limit)


def test_a_truncation_that_the_prior_does_not_reach_is_refused():
    with pytest.raises(ConfigError, match=r"a truncation of 0.5 keeps 0.00% .* above 0.6"):
        draw(Uniform(latent_dim=20, low=0.6), 2, 0, truncation=0.5)
    with pytest.raises(ConfigError, match=r"a truncation of 0.001 keeps"):
        draw(NORMAL, 2, 0, truncation=0.001)


def test_numbered_latents_do_not_depend_on_their_number():
    few, many = (draw_each(NORMAL, range(count), 0, "sheet") for count in (3, 8))
    assert torch.equal(few, many[:3])
    assert len(many.unique(dim=0)) == 8


def test_a_normal_prior_is_walked_along_a_sphere_and_others_straight():
    assert natural_path(NORMAL) == "slerp"
    assert natural_path(UNIFORM) == "lerp"
    assert natural_path(MLP(latent_dim=1)) == "lerp"  # there is no sphere on a line


def test_slerp_on_the_circle_is_the_angle():
    a, b = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    for weight in (0.25, 0.5, 0.8):
        angle, norm = weight * math.pi / 2, 1 + weight
        expected = [norm * math.cos(angle), norm * math.sin(angle)]
        assert slerp(a, b, weight)[0].tolist() == pytest.approx(expected, rel=1e-6)


def test_slerp_keeps_the_norm_of_draws():
    a, b = draw(NORMAL, 40, 0), draw(NORMAL, 40, 1)
    for weight in (0.1, 0.5):
        expected = torch.lerp(a.norm(dim=1), b.norm(dim=1), weight)
        torch.testing.assert_close(slerp(a, b, weight).norm(dim=1), expected)
        assert (torch.lerp(a, b, weight).norm(dim=1) < expected).all()  # what a line would do


@pytest.mark.parametrize("end", [[1.0, 2.0], [2.0, 4.0], [-1.0, -2.0], [0.0, 0.0]])
def test_slerp_between_parallel_ends_is_straight(end):
    a, b = torch.tensor([[1.0, 2.0]]), torch.tensor([end])
    torch.testing.assert_close(slerp(a, b, 0.25), torch.lerp(a, b, 0.25))


@pytest.mark.parametrize("path", ["slerp", "lerp"])
def test_walks_begin_and_end_exactly_at_their_ends(path):
    a, b = draw(NORMAL, 5, 0), draw(NORMAL, 5, 1)
    found = walk(a, b, 7, path)
    assert found.shape == (7, 5, 20)
    assert torch.equal(found[0], a)
    assert torch.equal(found[-1], b)
    assert found.isfinite().all()


def test_fractions_are_even():
    assert fractions(2) == [0.0, 1.0]
    assert fractions(5) == [0.0, 0.25, 0.5, 0.75, 1.0]
