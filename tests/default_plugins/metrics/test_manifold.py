"""Precision, recall, density and coverage, and the distances and neighbours they are made of."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganbench import LabeledImages, Unavailable
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.metrics import manifold, neighbours
from ganbench.default_plugins.metrics.manifold import (
    DensityCoverage,
    PrecisionRecall,
    Sides,
    density_coverage,
    precision_recall,
    squared_radii,
)
from ganbench.default_plugins.metrics.neighbours import drawn, nearest, squared_distances
from ganbench.evaluation.evaluate import evaluate
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(
    PrecisionRecall, DensityCoverage, PrecisionRecall(k=1), DensityCoverage(k=10)
)
def test_conforms(check):
    check()


def normal(count: int, width: int, seed: int, scale: float = 1.0) -> Tensor:
    return scale * torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def sides(real: Tensor, fake: Tensor, k: int, rows: int | None = None) -> Sides:
    return Sides(real, fake, squared_radii(real, k, rows))


def exact(a: Tensor, b: Tensor) -> Tensor:
    return (a.double()[:, None] - b.double()[None]).square().sum(2).sqrt()


def direct_radii(points: Tensor, k: int) -> list[float]:
    """One by one, each point left out of its own neighbours."""
    distances = exact(points, points)
    return [
        sorted(d for j, d in enumerate(row) if j != i)[k - 1]
        for i, row in enumerate(distances.tolist())
    ]


def direct(real: Tensor, fake: Tensor, k: int) -> tuple[float, float, float, float]:
    """Precision, recall, density, coverage, as they are defined."""
    distances = exact(real, fake).tolist()
    of_real, of_fake = direct_radii(real, k), direct_radii(fake, k)
    n, m = range(len(real)), range(len(fake))
    return (
        sum(any(distances[i][j] <= of_real[i] for i in n) for j in m) / len(fake),
        sum(any(distances[i][j] <= of_fake[j] for j in m) for i in n) / len(real),
        sum(distances[i][j] < of_real[i] for i in n for j in m) / (k * len(fake)),
        sum(any(distances[i][j] < of_real[i] for j in m) for i in n) / len(real),
    )


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("width", [2, 7, 100])
@pytest.mark.parametrize("scale", [0.7, 1.0, 1.3])
def test_values_are_those_of_the_definition(k, width, scale):
    real, fake = normal(61, width, seed=1), normal(57, width, seed=2, scale=scale)
    found = sides(real, fake, k)
    values = (
        *precision_recall(found, squared_radii(fake, k)),
        *density_coverage(found, k),
    )
    assert values == pytest.approx(direct(real, fake, k), abs=1e-12)


@pytest.mark.parametrize("k", [1, 4])
def test_radii_are_those_of_the_definition(k):
    points = normal(50, 9, seed=3)
    torch.testing.assert_close(
        squared_radii(points, k).double().sqrt(),
        torch.tensor(direct_radii(points, k), dtype=torch.float64),
        rtol=1e-6,
        atol=0,
    )


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_values_do_not_depend_on_chunks(rows):
    real, fake = normal(200, 5, seed=4), normal(150, 5, seed=5)
    whole, chunked = sides(real, fake, 3), sides(real, fake, 3, rows)
    assert torch.equal(whole.radii, chunked.radii)
    radii = squared_radii(fake, 3)
    assert precision_recall(whole, radii) == precision_recall(chunked, radii, rows)
    assert density_coverage(whole, 3) == density_coverage(chunked, 3, rows)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_coverage_of_real_by_real_is_known(k):
    """1 - ∏ (N - i) / (2N - i), i = 1…k (Naeem et al., 2020); the density is 1."""
    count, repeats = 500, 12
    expected = 1 - math.prod((count - i) / (2 * count - i) for i in range(1, k + 1))
    found = torch.tensor(
        [
            density_coverage(sides(normal(count, 4, i), normal(count, 4, 100 + i), k), k)
            for i in range(repeats)
        ]
    )
    density, coverage = found.mean(0)
    error = 3 * found.std(0) / repeats**0.5
    assert expected == pytest.approx(1 - 2**-k, abs=0.01)
    assert coverage.item() == pytest.approx(expected, abs=error[1].item())
    assert density.item() == pytest.approx(1, abs=error[0].item())
    assert (error < 0.05).all()


def test_tight_cluster_among_wide_reals_is_precise_and_recalls_little():
    """The other way round in torch-fidelity before 0.4 (its issue 58)."""
    wide, tight = normal(300, 8, seed=6), normal(300, 8, seed=7, scale=0.1)
    precision, recall = precision_recall(sides(wide, tight, 3), squared_radii(tight, 3))
    assert precision > 0.95
    assert recall < 0.05
    precision, recall = precision_recall(sides(tight, wide, 3), squared_radii(wide, 3))
    assert precision < 0.05
    assert recall > 0.95


def test_samples_far_away_score_nothing():
    real, fake = normal(100, 3, seed=8), normal(100, 3, seed=9) + 100
    assert precision_recall(sides(real, fake, 3), squared_radii(fake, 3)) == (0, 0)
    assert density_coverage(sides(real, fake, 3), 3) == (0, 0)


def test_the_real_set_itself_scores_one():
    real = normal(400, 96, seed=10)
    found = sides(real, real, 5)
    assert precision_recall(found, found.radii) == (1, 1)
    assert density_coverage(found, 5) == (1, 1)


def test_balls_of_duplicates_hold_copies_when_closed_and_nothing_when_open():
    real = normal(10, 6, seed=11).repeat_interleave(4, 0)
    fake = real[::4].repeat(4, 1)
    found = sides(real, fake, 3)
    assert not found.radii.any()
    assert precision_recall(found, squared_radii(fake, 3)) == (1, 1)
    assert density_coverage(found, 3) == (0, 0)


@pytest.mark.parametrize("offset", [0.0, 30.0])
def test_squared_distances_are_exact_to_float32(offset):
    a, b = normal(40, 300, seed=12) + offset, normal(30, 300, seed=13) + offset
    torch.testing.assert_close(
        squared_distances(a, b).double(), exact(a, b).square(), rtol=1e-6, atol=0
    )


def test_squared_distances_of_pixels_are_whole_numbers():
    a, b = (
        torch.randint(256, (9, 200), generator=torch.Generator().manual_seed(i)) for i in (1, 2)
    )
    expected = (a[:, None] - b[None]).square().sum(2)
    assert torch.equal(squared_distances(a, b), expected.float())


def test_vectors_that_differ_by_rounding_have_no_distance():
    a = normal(50, 96, seed=14)
    assert not squared_distances(a, a * (1 + 1e-7)).diagonal().any()
    assert squared_distances(a, a * (1 + 1e-5)).diagonal().all()


@pytest.mark.parametrize("k", [1, 3])
@pytest.mark.parametrize("pairs", [10, 500, 10**6])
def test_nearest_are_found_in_chunks(monkeypatch, k, pairs):
    monkeypatch.setattr(neighbours, "PAIRS", pairs)
    a, b = normal(30, 6, seed=15), normal(45, 6, seed=16)
    distances, indices = nearest(a, b, k)
    expected = exact(a, b).topk(k, largest=False)
    assert torch.equal(indices, expected.indices)
    torch.testing.assert_close(distances.double(), expected.values, rtol=1e-6, atol=0)


def test_what_is_drawn_does_not_depend_on_order_or_copies():
    images = torch.arange(50, dtype=torch.uint8).repeat(10).view(-1, 1, 1, 1)
    order = torch.randperm(500, generator=torch.Generator().manual_seed(17))
    before = images[drawn(LabeledImages(images, None), 100, 0)]
    after = images[order][drawn(LabeledImages(images[order], None), 100, 0)]
    other = images[drawn(LabeledImages(images, None), 100, 1)]
    assert torch.equal(before, after)
    assert not torch.equal(before, other)
    assert 36 <= len(before.unique()) <= 50  # 45 on average; 10 if copies stayed together


def points(judged, tmp_path, count: int, fake: Tensor | None = None):
    ring = Ring(train_size=count)
    train = ring.load("train", tmp_path)
    return judged(ring, train, LabeledImages(train.images if fake is None else fake, None))


@pytest.mark.parametrize("metric", [PrecisionRecall, DensityCoverage])
def test_sides_are_of_one_size(judged, tmp_path, metric, monkeypatch):
    found: list[Sides] = []
    of_metric = metric._sides
    monkeypatch.setattr(metric, "_sides", lambda *a: found.append(of_metric(*a)) or found[-1])
    fake = Ring(train_size=70).load("train", tmp_path).images
    metric(features="pixels").compute(points(judged, tmp_path, 300, fake))
    metric(features="pixels").compute(points(judged, tmp_path, 50, fake))
    metric(features="pixels", num_samples=20).compute(points(judged, tmp_path, 50, fake))
    assert [(len(s.real), len(s.fake), len(s.radii)) for s in found] == [
        (70, 70, 70),
        (50, 50, 50),
        (20, 20, 20),
    ]


def test_balls_of_real_ones_are_remembered(judged, tmp_path, monkeypatch):
    metric = DensityCoverage(features="pixels", k=7)
    before = metric.compute(points(judged, tmp_path, 90))
    monkeypatch.setattr(manifold, "squared_radii", None)
    assert metric.compute(points(judged, tmp_path, 90)) == before
    with pytest.raises(TypeError):
        DensityCoverage(features="pixels", k=8).compute(points(judged, tmp_path, 90))


@pytest.mark.parametrize("metric", [PrecisionRecall(features="pixels", k=4)], ids=["k=4"])
@pytest.mark.parametrize("count", [1, 4])
def test_too_few_samples_are_a_reason(judged, tmp_path, metric, count):
    with pytest.raises(Unavailable, match=f"at least 5 samples .* found {count}"):
        metric.compute(points(judged, tmp_path, 30, torch.rand(count, 2, 1, 1)))
    with pytest.raises(Unavailable, match=f"at least 5 samples .* found {count}"):
        metric.compute(points(judged, tmp_path, count, torch.rand(30, 2, 1, 1)))


@pytest.mark.parametrize("metric", [PrecisionRecall, DensityCoverage])
@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
def test_features_that_are_not_finite_are_a_reason(judged, tmp_path, metric, bad):
    fake = torch.rand(20, 2, 1, 1)
    fake[3, 1] = bad
    seen = points(judged, tmp_path, 50, fake)
    values, *_ = evaluate([metric(features="pixels")], seen)
    assert {v.reason for v in values} == {"the features of the samples are not finite"}
    assert {v.value for v in values} == {None}


def test_features_must_be_named(judged, tmp_path):
    with pytest.raises(Unavailable, match="no feature extractor is named"):
        PrecisionRecall().compute(points(judged, tmp_path, 20))


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"k": 0}, "k must be positive, found 0"),
        ({"num_samples": 0}, "num_samples must be positive, found 0"),
        ({"k": 5, "num_samples": 5}, "num_samples must be more than k = 5, found 5"),
    ],
)
@pytest.mark.parametrize("metric", [PrecisionRecall, DensityCoverage])
def test_options_are_checked(metric, options, problem):
    with pytest.raises(ValueError, match=problem):
        metric(**options)


def test_columns_name_their_features():
    names = [c.name for m in (PrecisionRecall, DensityCoverage) for c in m(features="x").columns]
    assert names == ["precision@x", "recall@x", "density@x", "coverage@x"]
    assert PrecisionRecall().protocol()["inside"] == "distance <= radius"
    assert DensityCoverage().protocol()["inside"] == "distance < radius"


def test_real_digits_score_as_real_ones_do(judged, mnist_train, mnist_test):
    train = LabeledImages(mnist_train.images[::60], mnist_train.labels[::60])
    seen = judged(MNIST(), train, LabeledImages(mnist_test.images[::10], None))
    found = PrecisionRecall(features="mnist-cnn-v1").compute(seen)
    found |= DensityCoverage(features="mnist-cnn-v1").compute(seen)
    assert found["precision@mnist-cnn-v1"] == pytest.approx(0.87, abs=0.05)
    assert found["recall@mnist-cnn-v1"] == pytest.approx(0.87, abs=0.05)
    assert found["density@mnist-cnn-v1"] == pytest.approx(1, abs=0.1)
    assert found["coverage@mnist-cnn-v1"] == pytest.approx(1 - 2**-5, abs=0.02)
