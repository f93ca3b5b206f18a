"""Clipped density and coverage against their definitions, and the scale that they are told on."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganbench import LabeledImages, Unavailable
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.metrics import clipped
from ganbench.default_plugins.metrics.clipped import (
    ClippedDensityCoverage,
    expected_coverage,
    share_of_good,
)
from ganbench.testing import parametrize_with_checks

NAMES = ("clipped-density@pixels", "clipped-coverage@pixels")


@parametrize_with_checks(ClippedDensityCoverage, ClippedDensityCoverage(k=3, num_samples=40))
def test_conforms(check):
    check()


def normal(count: int, seed: int) -> Tensor:
    return torch.randn(count, 2, 1, 1, generator=torch.Generator().manual_seed(seed))


class Cloud(Ring):
    """Points of a normal distribution."""

    def load(self, split, root):
        return LabeledImages(normal(self.train_size, 0 if split == "train" else 99), None)


def found(judged, tmp_path, fake: Tensor, count: int = 300, **options) -> tuple[float, float]:
    cloud = Cloud(train_size=count)
    seen = judged(cloud, cloud.load("train", tmp_path), LabeledImages(fake, None))
    values = ClippedDensityCoverage(features="pixels", **options).compute(seen)
    return tuple(values[name] for name in NAMES)


def direct(real: Tensor, fake: Tensor, k: int) -> tuple[float, float]:
    """Both numbers by loops over all pairs; of coverage before it is told as a share."""
    real, fake = real.flatten(1).double(), fake.flatten(1).double()
    distance = lambda a, b: (a - b).norm().item()  # noqa: E731
    n = range(len(real))
    radii = [sorted(distance(real[i], real[j]) for j in n if j != i)[k - 1] for i in n]
    ordered = sorted(radii)
    median = (ordered[(len(n) - 1) // 2] + ordered[len(n) // 2]) / 2
    narrow = [min(radius, median) for radius in radii]
    shares = [min(sum(distance(x, real[i]) <= narrow[i] for i in n), k) / k for x in fake]
    ideal = [
        min(sum(distance(real[j], real[i]) <= narrow[i] + 1e-9 for i in n if i != j), k) / k
        for j in n
    ]
    covered = [min(sum(distance(x, real[i]) < radii[i] for x in fake), k) / k for i in n]
    density = sum(shares) / len(shares) / (sum(ideal) / len(ideal))
    return min(density, 1.0), sum(covered) / len(covered)


@pytest.mark.parametrize("k", [1, 4])
def test_they_are_as_they_are_defined(judged, tmp_path, k):
    fake = 1.3 * normal(41, 5) + 0.4
    density, coverage = direct(normal(41, 0), fake, k)
    expected = expected_coverage(41, 41, k)
    exact = density, share_of_good(coverage, expected)
    assert 0.2 < exact[0] < 1
    assert 0.2 < exact[1] < 1
    assert found(judged, tmp_path, fake, 41, k=k) == pytest.approx(exact, abs=1e-6)


@pytest.mark.parametrize("k", [2, 5])
def test_the_expected_coverage_is_that_of_real_samples(k):
    """Of 40 real points and so many others of their distribution, over a thousand draws."""
    generator = torch.Generator().manual_seed(0)
    real = torch.rand(1000, 40, 1, generator=generator, dtype=torch.float64)
    radii = torch.cdist(real, real).sort(2).values[:, :, k]
    expected = expected_coverage(60, 40, k)
    assert len(expected) == 61
    assert expected[:k].tolist() == [0] * k
    for count in (k, 20, 60):
        others = torch.rand(1000, count, 1, generator=generator, dtype=torch.float64)
        inside = (torch.cdist(real, others) < radii[:, :, None]).sum(2).clamp(max=k) / k
        error = inside.mean(1).std() / 1000**0.5
        assert abs(inside.mean() - expected[count]) < 4 * error


def test_of_one_neighbour_it_is_a_closed_form():
    """1 - (N - 1) / (N - 1 + m): the chance that one of m is the nearest of all."""
    expected = expected_coverage(50, 30, 1)
    exact = [m / (29 + m) for m in range(51)]
    assert expected.tolist() == pytest.approx(exact, abs=1e-12)


def test_both_fall_with_the_share_of_bad_samples(judged, tmp_path):
    good, far = normal(600, 7), 50 + normal(600, 8)
    for share in (0.0, 0.25, 0.5, 0.75, 1.0):
        bad = round(600 * share)
        fake = torch.cat([good[bad:], far[:bad]])
        density, coverage = found(judged, tmp_path, fake, 600)
        assert density == pytest.approx(1 - share, abs=0.06)
        assert coverage == pytest.approx(1 - share, abs=0.06)


def test_an_outlier_among_real_ones_carries_no_bad_samples(judged, tmp_path):
    """Its ball is as wide as the distance to its neighbours; density counts what lies in it."""

    class Spoiled(Cloud):
        def load(self, split, root):
            images = super().load(split, root).images
            images[:6] = torch.tensor([40.0, 0.0]).view(2, 1, 1) + 30 * normal(6, 3)
            return LabeledImages(images, None)

    cloud = Spoiled(train_size=300)
    fake = torch.tensor([40.0, 0.0]).view(2, 1, 1) + 5 * normal(300, 4)
    seen = judged(cloud, cloud.load("train", tmp_path), LabeledImages(fake, None))
    density = ClippedDensityCoverage(features="pixels").compute(seen)[NAMES[0]]
    from ganbench.default_plugins.metrics.manifold import DensityCoverage

    naive = DensityCoverage(features="pixels").compute(seen)["density@pixels"]
    assert density < 0.02 < 0.5 < naive


def test_crowding_is_worth_no_more_than_one_each_and_one_mode_covers_little(judged, tmp_path):
    crowd = 0.05 * normal(300, 4)
    density, coverage = found(judged, tmp_path, crowd)
    assert density == 1
    assert coverage < 0.1


def test_what_real_ones_decide_is_remembered(judged, tmp_path, monkeypatch):
    before = found(judged, tmp_path, normal(90, 1), 90)
    monkeypatch.setattr(clipped, "ideal_density", None)
    assert found(judged, tmp_path, normal(90, 1), 90) == before
    with pytest.raises(TypeError):
        found(judged, tmp_path, normal(90, 1), 90, k=6)


def test_too_few_samples_are_a_reason(judged, tmp_path):
    with pytest.raises(Unavailable, match=r"k = 5 neighbours need at least 6 samples .* found 4"):
        found(judged, tmp_path, normal(4, 1))


def test_columns_and_protocol_say_what_was_done():
    metric = ClippedDensityCoverage(features="x")
    assert [(c.name, c.direction) for c in metric.columns] == [
        ("clipped-density@x", "max"),
        ("clipped-coverage@x", "max"),
    ]
    assert "median" in metric.protocol()["density"]
