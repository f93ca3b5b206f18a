"""Numbers of statistically different bins, and the clusters that are the bins."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganbench import Dataset, DatasetStatus, ImageSpec, LabeledImages, Unavailable
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.metrics import bins, neighbours
from ganbench.default_plugins.metrics.bins import NDB, jensen_shannon, z_scores
from ganbench.default_plugins.metrics.neighbours import cells_of, k_means
from ganbench.evaluation.evaluate import evaluate
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(NDB, NDB(bins=8, num_samples=100))
def test_conforms(check):
    check()


def counts(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def test_z_scores_by_hand():
    """Of 100 and 50: pooled 40/150, 45/150, 65/150; shares .3 to .2, .2 to .5, .5 to .3."""
    found = z_scores(counts(30, 20, 50), counts(10, 25, 15))
    pooled = (40 / 150, 45 / 150, 65 / 150)
    errors = [math.sqrt(p * (1 - p) * (1 / 100 + 1 / 50)) for p in pooled]
    expected = [-0.1 / errors[0], 0.3 / errors[1], -0.2 / errors[2]]
    assert found.tolist() == pytest.approx(expected, rel=1e-12)
    assert found[1].item() == pytest.approx(3.7796, abs=1e-4)


def test_bins_that_are_empty_or_hold_all_are_no_different():
    assert z_scores(counts(10, 0), counts(7, 0)).tolist() == [0, 0]


def test_z_scores_of_one_distribution_are_standard_normal():
    generator = torch.Generator().manual_seed(0)
    shares = torch.full((200,), 1 / 200)
    real, fake = (
        shares.multinomial(n, replacement=True, generator=generator).bincount(minlength=200)
        for n in (60_000, 20_000)
    )
    z = z_scores(real.double(), fake.double())
    assert z.mean().item() == pytest.approx(0, abs=0.02)
    assert z.std().item() == pytest.approx(1, abs=0.15)


def test_jensen_shannon_by_hand():
    assert jensen_shannon(counts(1, 0), counts(0, 1)) == pytest.approx(math.log(2), rel=1e-12)
    assert jensen_shannon(counts(0.3, 0.7), counts(0.3, 0.7)) == 0
    assert jensen_shannon(counts(0.5, 0.5, 0), counts(1, 0, 0)) == pytest.approx(
        (math.log(4 / 3) + 0.5 * math.log(2 / 3) + 0.5 * math.log(2)) / 2, rel=1e-12
    )


def blobs(seed: int, count: int = 50, k: int = 6) -> Tensor:
    """Points about (0, 0), (0, 1), (1, 0) and so on, far apart."""
    centers = torch.cartesian_prod(torch.arange(k / 2), torch.arange(2.0))
    noise = torch.randn(k * count, 2, generator=torch.Generator().manual_seed(seed))
    return centers.repeat_interleave(count, 0) + 0.02 * noise


@pytest.mark.parametrize("seed", range(4))
def test_k_means_finds_clusters_that_are_far_apart(seed):
    points = blobs(1)
    centers = k_means(points, 6, seed)
    expected = points.double().view(6, 50, 2).mean(1)
    found = centers[nearest_order(expected, centers)]
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-12)
    assert cells_of(points, centers).bincount().tolist() == [50] * 6


def nearest_order(a: Tensor, b: Tensor) -> Tensor:
    return torch.cdist(a, b).argmin(1)


def test_k_means_ends_where_every_centre_is_the_mean_of_its_cell():
    points = torch.randn(400, 5, generator=torch.Generator().manual_seed(2))
    centers = k_means(points, 9, 0)
    cells = cells_of(points, centers)
    means = torch.stack([points[cells == i].double().mean(0) for i in range(9)])
    torch.testing.assert_close(centers, means, rtol=0, atol=1e-12)
    assert not torch.equal(centers, k_means(points, 9, 1))
    assert torch.equal(centers, k_means(points, 9, 0))


def test_k_means_has_no_more_centres_than_points_that_differ():
    points = torch.tensor([[0.0, 1], [2, 3]]).repeat(10, 1)
    assert k_means(points, 5, 0).sort(0).values.tolist() == [[0, 1], [2, 3]]
    assert len(k_means(torch.ones(4, 3), 2, 0)) == 1


def test_k_means_is_bounded_in_rounds(monkeypatch):
    found = []
    of_cells = neighbours.cells_of
    monkeypatch.setattr(neighbours, "cells_of", lambda *a: found.append(0) or of_cells(*a))
    k_means(torch.randn(3000, 2, generator=torch.Generator().manual_seed(3)), 40, 0, rounds=3)
    assert len(found) == 3


@pytest.fixture(scope="module")
def digits(mnist_train) -> LabeledImages:
    """Of the training set, in an order without writers."""
    order = torch.randperm(len(mnist_train), generator=torch.Generator().manual_seed(4))
    return LabeledImages(mnist_train.images[order], mnist_train.labels[order])


@pytest.fixture
def numbers(judged, digits):
    """Of fakes, against 4,000 digits."""
    train = LabeledImages(digits.images[:4000], None)

    def numbers(images: Tensor, **options) -> dict[str, float]:
        fake = LabeledImages(images, None)
        return NDB(bins=50, **options).compute(judged(MNIST(), train, fake))

    return numbers


def test_other_digits_are_at_the_floor(numbers, digits):
    found = numbers(digits.images[4000:8000])
    assert found["jsd-floor"] == pytest.approx(49 / 8 * (2 / 4000))
    assert found["jsd"] == pytest.approx(found["jsd-floor"], rel=0.5)
    assert 0 <= found["ndb"] <= 2
    assert found["ndb-share"] == found["ndb"] / 50


def test_the_training_set_itself_is_no_different(numbers, digits):
    found = numbers(digits.images[:4000])
    assert found["ndb"] == 0
    assert found["jsd"] == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("missing", "jsd"), [(9, 0.007), (0, 0.03)])
def test_digits_without_one_class_fill_other_bins(numbers, digits, missing, jsd):
    """Nines share their bins with fours and sevens; zeros have theirs."""
    found = numbers(digits.images[4000:14000][digits.labels[4000:14000] != missing])

    assert 2 <= found["ndb"] <= 15
    assert found["jsd"] == pytest.approx(jsd, rel=0.4)
    assert found["jsd"] > 2 * found["jsd-floor"]


def test_only_ones_fill_few_bins(numbers, digits):
    found = numbers(digits.images[4000:20000][digits.labels[4000:20000] == 1])
    assert found["ndb"] > 25
    assert found["jsd"] == pytest.approx(0.47, abs=0.06)


def test_a_higher_threshold_finds_fewer_bins(numbers, digits):
    blurred = (digits.images[4000:6000].float() * 0.7).to(torch.uint8)
    assert numbers(blurred, z_threshold=1)["ndb"] > numbers(blurred, z_threshold=4)["ndb"]


def test_bins_are_remembered(numbers, digits, monkeypatch):
    before = numbers(digits.images[4000:4500])
    monkeypatch.setattr(bins, "k_means", None)
    assert numbers(digits.images[4000:4500]) == before
    with pytest.raises(TypeError):
        numbers(digits.images[4000:4500], seed=1)


class Wide(Dataset):
    """Noise of 3 × 20 × 20 = 1,200 values."""

    name = "wide"

    def image_spec(self):
        return ImageSpec(3, 20)

    def status(self, root):
        return DatasetStatus("", True, None)

    def load(self, split, root):
        generator = torch.Generator().manual_seed(5)
        images = torch.randint(256, (60, 3, 20, 20), generator=generator)
        return LabeledImages(images.to(torch.uint8), None)


def test_a_sixth_of_the_values_of_large_images_decide(judged, tmp_path):
    train = Wide().load("train", tmp_path)
    seen = judged(Wide(), train, train)
    found = NDB(bins=4)._bins(seen)
    assert found["centers"].shape == (4, 200)
    assert len(found["values"].unique()) == 200
    assert NDB(bins=4).compute(seen)["ndb"] == 0


def test_too_few_training_images_are_a_reason(judged, tmp_path):
    train = Ring(train_size=30).load("train", tmp_path)
    with pytest.raises(Unavailable, match=r"100 bins need as many different .* found 30"):
        NDB().compute(judged(Ring(train_size=30), train, train))


@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
def test_samples_that_are_not_finite_are_a_reason(judged, tmp_path, bad):
    train = Ring(train_size=200).load("train", tmp_path)
    images = train.images.clone()
    images[3, 1] = bad
    seen = judged(Ring(train_size=200), train, LabeledImages(images, None))
    values, *_ = evaluate([NDB(bins=8)], seen)
    assert {v.reason for v in values} == {"the samples are not finite"}


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"bins": 1}, "bins must be at least 2, found 1"),
        ({"z_threshold": 0}, "z_threshold must be positive, found 0"),
        ({"num_samples": 0}, "num_samples must be positive, found 0"),
    ],
)
def test_options_are_checked(options, problem):
    with pytest.raises(ValueError, match=problem):
        NDB(**options)
