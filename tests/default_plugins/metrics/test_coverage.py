"""Modes reached and reverse KL, on mixtures whose answer is known and on real digits."""

from __future__ import annotations

import math
from types import SimpleNamespace

import pytest
import torch

from ganbench import LabeledImages, Mixture
from ganbench.default_plugins.datasets.mixtures import Grid, Ring
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.metrics.coverage import (
    ModeCoverage,
    reverse_kl,
    reverse_kl_floor,
)
from ganbench.evaluation.evaluate import evaluate

WITHIN_3_STD = 1 - math.exp(-4.5)  # of a Gaussian in the plane: 98.89 %
BOTH = pytest.mark.parametrize(
    ("mixture", "modes"), [(Ring(), 8), (Grid(), 25)], ids=["ring", "grid"]
)


def uniform(count: int) -> torch.Tensor:
    return torch.full((count,), 1 / count, dtype=torch.float64)


@pytest.mark.parametrize(
    ("shares", "reference", "nats"),
    [
        ([0.25] * 4, [0.25] * 4, 0.0),
        ([1.0, 0, 0, 0], [0.25] * 4, math.log(4)),
        ([0.5, 0.5, 0, 0], [0.25] * 4, math.log(2)),
        ([0.75, 0.25], [0.5, 0.5], 0.75 * math.log(1.5) + 0.25 * math.log(0.5)),
        ([0.25, 0.75], [0.5, 0.5], 0.75 * math.log(1.5) + 0.25 * math.log(0.5)),
        ([0.5, 0.5], [0.75, 0.25], 0.5 * math.log(2 / 3) + 0.5 * math.log(2)),
        ([0.5, 0.5, 0.0], [0.5, 0.5, 0.0], 0.0),  # a class the data has not got
    ],
)
def test_reverse_kl_in_closed_form(shares, reference, nats):
    found = reverse_kl(torch.tensor(shares), torch.tensor(reference))
    assert found == pytest.approx(nats, abs=1e-12)


def test_reverse_kl_floor_is_the_mean_of_perfect_samples():
    modes, count, repeats = 25, 2500, 4000
    generator = torch.Generator().manual_seed(0)
    drawn = torch.multinomial(
        uniform(modes).expand(repeats, modes), count, replacement=True, generator=generator
    )
    counts = torch.zeros(repeats, modes, dtype=torch.float64)
    counts.scatter_add_(1, drawn, torch.ones_like(drawn, dtype=torch.float64))
    mean = sum(reverse_kl(row / count, uniform(modes)) for row in counts) / repeats
    assert reverse_kl_floor(modes, count) == pytest.approx((modes - 1) / (2 * count), rel=1e-12)
    assert mean == pytest.approx(reverse_kl_floor(modes, count), rel=0.03)


@BOTH
def test_mixture_itself_covers_every_mode(judged, tmp_path, mixture, modes):
    real = mixture.load("test", tmp_path)
    assert len(real) == 10_000
    found = ModeCoverage().compute(judged(mixture, real, real))
    assert found["modes"] == modes
    assert found["high-quality"] == pytest.approx(WITHIN_3_STD, abs=0.004)
    assert found["reverse-kl-floor"] == pytest.approx((modes - 1) / 2 / 9889, rel=0.005)
    assert 0.2 < found["reverse-kl"] / found["reverse-kl-floor"] < 3


@BOTH
def test_collapse_to_one_mode_is_seen(judged, tmp_path, mixture, modes):
    real = mixture.load("test", tmp_path)
    collapsed = LabeledImages(real.images[real.labels == 2], None)
    found = ModeCoverage().compute(judged(mixture, real, collapsed))
    assert found["modes"] == found["modes-20pct"] == 1
    assert found["reverse-kl"] == pytest.approx(math.log(modes), abs=1e-9)


def test_samples_between_modes_are_of_no_quality(judged, tmp_path):
    ring = Ring()
    real = ring.load("test", tmp_path)
    centre = LabeledImages(torch.zeros(100, 2, 1, 1), None)
    values, *_ = evaluate([ModeCoverage()], judged(ring, real, centre))
    found = {v.column.name: v.value for v in values}
    assert found["modes"] == 0
    assert found["high-quality"] == 0
    assert found["reverse-kl"] is None
    assert found["reverse-kl-floor"] is None
    assert all(v.reason for v in values if v.value is None)


def test_high_quality_ends_at_three_standard_deviations(judged, tmp_path):
    ring = Ring()
    real = ring.load("test", tmp_path)
    first, std = ring.mixture().centers[0], ring.mixture().std
    ways = torch.tensor([[2.99, 0.0], [0.0, -2.99], [3.01, 0.0], [2.5, 2.5]])
    fake = LabeledImages((first + std * ways).view(-1, 2, 1, 1), None)
    assert ModeCoverage().compute(judged(ring, real, fake))["high-quality"] == 0.5
    tight = ModeCoverage(max_deviations=2.0).compute(judged(ring, real, fake))
    assert tight["high-quality"] == 0


def test_points_that_are_not_finite_are_of_no_quality(judged, tmp_path):
    ring = Ring()
    real = ring.load("test", tmp_path)
    points = real.images[:100].clone()
    points[:50] = math.nan
    found = ModeCoverage().compute(judged(ring, real, LabeledImages(points, None)))
    assert found["high-quality"] == pytest.approx(0.5 * WITHIN_3_STD, abs=0.03)


@BOTH
def test_centres_are_distinct(mixture, modes):
    centers = mixture.mixture().centers
    assert centers.shape == (modes, 2)
    apart = torch.pdist(centers.double()).min().item()
    assert apart > 20 * mixture.mixture().std
    assert isinstance(mixture.mixture(), Mixture)


@pytest.fixture(scope="module")
def digits(mnist_test) -> LabeledImages:
    return LabeledImages(mnist_test.images[:2000], mnist_test.labels[:2000])


def test_real_digits_cover_every_class(judged, mnist_train, digits):
    """Their reverse KL is near the floor: the test set's shares are nearly the training set's."""
    found = ModeCoverage().compute(judged(MNIST(), mnist_train, digits))
    assert found["modes"] == 10
    assert found["reverse-kl-floor"] == pytest.approx(9 / 4000, rel=1e-12)
    assert found["reverse-kl"] == pytest.approx(found["reverse-kl-floor"], abs=0.003)
    assert "high-quality" not in found


def test_a_missing_digit_is_not_covered(judged, mnist_train, digits):
    without = digits.images[digits.labels != 7]
    found = ModeCoverage().compute(judged(MNIST(), mnist_train, LabeledImages(without, None)))
    share = (mnist_train.labels == 7).double().mean().item()
    assert found["modes"] == 9
    assert found["reverse-kl"] == pytest.approx(-math.log(1 - share), abs=0.01)


def test_a_class_is_covered_from_a_tenth_of_its_share():
    """Of a data set whose three classes make up 60, 30 and 10 %."""
    shares = torch.tensor([0.6, 0.3, 0.1], dtype=torch.float64)

    def modes(*counts: int) -> float:
        classes = torch.arange(3).repeat_interleave(torch.tensor(counts))
        data = SimpleNamespace(mixture=lambda: None)
        seen = SimpleNamespace(dataset=data, classes=lambda: classes, class_shares=lambda: shares)
        return ModeCoverage().compute(seen)["modes"]

    assert modes(600, 300, 100) == 3
    assert modes(957, 32, 11) == 3
    assert modes(960, 29, 11) == 2
    assert modes(962, 29, 9) == 1


def test_a_class_that_the_data_has_not_got_is_no_mode():
    shares = torch.tensor([0.5, 0.5, 0.0], dtype=torch.float64)
    data = SimpleNamespace(mixture=lambda: None)
    classes = torch.tensor([0, 1])
    seen = SimpleNamespace(dataset=data, classes=lambda: classes, class_shares=lambda: shares)
    found = ModeCoverage().compute(seen)
    assert found["modes"] == 2
    assert found["reverse-kl"] == pytest.approx(0, abs=1e-12)
