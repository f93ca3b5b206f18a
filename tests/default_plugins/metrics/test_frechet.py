"""The Fréchet distance against closed forms and other formulas, and what is made of it."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganbench import Evaluation, LabeledImages, Metric, Moments, MomentSums, Unavailable
from ganbench.contracts.images import ImageSpec
from ganbench.default_plugins.datasets.mixtures import Grid, Ring
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.metrics.frechet import (
    FID,
    FIDInfinity,
    IntraFID,
    frechet_distance,
    intercept,
    rank,
)
from ganbench.evaluation.evaluate import evaluate

NOT_DIVERSE = pytest.mark.parametrize("shape", [(300, 40), (20, 40)], ids=["full", "deficient"])


def normal(count: int, dim: int, seed: int, scale: float = 1.0, shift: float = 0.0) -> Tensor:
    """Correlated Gaussian features, float64."""
    generator = torch.Generator().manual_seed(seed)
    mix = torch.randn(dim, dim, generator=generator, dtype=torch.float64) / math.sqrt(dim)
    points = torch.randn(count, dim, generator=generator, dtype=torch.float64)
    return scale * points @ mix + shift


def distance(a: Tensor, b: Tensor) -> float:
    return frechet_distance(Moments.of([a]), Moments.of([b]))


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    found = Moments.of([features])
    return found.mean, found.covariance


def centred(features: Tensor) -> Tensor:
    return (features - features.mean(0)) / math.sqrt(len(features) - 1)


def test_moments_are_numpys():
    features = normal(50, 7, seed=0).float()
    mean, covariance = moments(features)
    exact = features.double().numpy()
    assert mean.dtype == covariance.dtype == torch.float64
    np.testing.assert_allclose(mean, exact.mean(0), rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(covariance, np.cov(exact, rowvar=False), rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("dim", [8, 64, 256])
def test_frechet_distance_is_torchmetrics_at_full_rank(dim):
    from torchmetrics.image import fid

    a, b = normal(900, dim, seed=1), normal(700, dim, seed=2, scale=1.3, shift=0.2)
    theirs = fid._compute_fid(*moments(a), *moments(b)).item()
    assert theirs > 1
    assert distance(a, b) == pytest.approx(theirs, rel=1e-9)


@pytest.mark.parametrize("counts", [(200, 200), (200, 300), (300, 200), (399, 20)])
def test_frechet_distance_of_few_samples_is_exact(counts):
    """tr (S1 S2)^½ is the nuclear norm of A Bᵀ, with S1 = AᵀA and S2 = BᵀB."""
    a, b = normal(counts[0], 400, seed=3), normal(counts[1], 400, seed=4, scale=0.7, shift=0.1)
    root = torch.linalg.svdvals(centred(a) @ centred(b).T).sum()
    traces = centred(a).square().sum() + centred(b).square().sum()
    exact = (a.mean(0) - b.mean(0)).square().sum() + traces - 2 * root
    assert distance(a, b) == pytest.approx(exact.item(), abs=1e-9)


@pytest.mark.parametrize("shape", [(300, 40), (20, 40), (1500, 256), (399, 400)], ids=str)
def test_frechet_distance_to_itself_is_zero(shape):
    """The last two have eigenvalues a million times smaller than the largest; their squares are
    what the trace is computed from."""
    features = normal(*shape, seed=5)
    assert distance(features, features) == pytest.approx(0, abs=1e-10)


def test_frechet_distance_keeps_directions_of_little_variance():
    """Standard deviations from 1 to 1e-9, of all of which the distance is the sum of squares."""
    spread = torch.logspace(0, -9, 60, dtype=torch.float64)
    real = Moments(9, torch.zeros_like(spread), spread.square().diag())
    fake = Moments(9, torch.zeros_like(spread), 4 * spread.square().diag())
    assert frechet_distance(real, fake) == pytest.approx(spread.square().sum().item(), rel=1e-12)


def test_frechet_distance_to_few_distinct_images_is_exact():
    """A collapsed generator: the rank is far below the number of samples."""
    a = normal(1000, 128, seed=3)
    b = a[:20].repeat(50, 1)
    root = torch.linalg.svdvals(centred(a) @ centred(b).T).sum()
    traces = centred(a).square().sum() + centred(b).square().sum()
    exact = (a.mean(0) - b.mean(0)).square().sum() + traces - 2 * root
    assert distance(a, b) == pytest.approx(exact.item(), abs=1e-9)
    assert distance(b, a) == pytest.approx(exact.item(), abs=1e-9)


@pytest.mark.parametrize(("count", "dim", "expected"), [(90, 30, 30), (20, 30, 19), (31, 30, 30)])
def test_rank_of_a_covariance(count, dim, expected):
    assert rank(moments(normal(count, dim, seed=1))[1]) == expected


def test_rank_of_no_variance_is_none():
    assert rank(torch.zeros(5, 5, dtype=torch.float64)) == 0


@pytest.mark.parametrize("split", ["batches", "order", "shards"])
def test_frechet_distance_does_not_depend_on(split):
    a, b = Moments.of([normal(500, 30, seed=1)]), normal(400, 30, seed=2, shift=0.3)
    sums = MomentSums()
    if split == "batches":
        parts = b.split(37)
    elif split == "order":
        parts = [b[torch.randperm(400, generator=torch.Generator().manual_seed(3))]]
    else:
        parts = [b[shard::3] for shard in range(3)]
    for part in parts:
        shard = MomentSums()
        shard.add(part)
        sums.merge(shard)
    whole = frechet_distance(a, Moments.of([b]))
    assert frechet_distance(a, sums.moments()) == pytest.approx(whole, rel=1e-11)


@NOT_DIVERSE
def test_frechet_distance_is_symmetric(shape):
    a, b = normal(*shape, seed=6), normal(*shape, seed=7, scale=2)
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-10)


def test_frechet_distance_of_diagonal_gaussians():
    """Each axis on its own: (m1 - m2)² + (s1 - s2)²."""
    mean1, mean2 = torch.tensor([[0.0, 1.0, -2.0], [0.5, 1.0, 1.0]], dtype=torch.float64)
    std1, std2 = torch.tensor([[1.0, 0.5, 3.0], [2.0, 0.5, 1.0]], dtype=torch.float64)
    exact = (0.25 + 9) + (1 + 4)
    one, other = (Moments(9, m, s.square().diag()) for m, s in ((mean1, std1), (mean2, std2)))
    assert frechet_distance(one, other) == pytest.approx(exact, rel=1e-12)


def test_frechet_distance_to_a_point_is_exact_both_ways():
    features, point = normal(200, 10, seed=8), torch.full((50, 10), 0.25)
    mean, covariance = moments(features)
    exact = (mean - 0.25).square().sum().item() + covariance.trace().item()
    assert distance(features, point) == pytest.approx(exact, rel=1e-12)
    assert distance(point, features) == pytest.approx(exact, rel=1e-12)
    assert distance(point, point + 1) == pytest.approx(10, rel=1e-12)


def test_frechet_distance_survives_directions_without_variance():
    """Classifier features are often all zero in some coordinates."""
    a, b = normal(200, 8, seed=9), normal(300, 8, seed=10)
    padded = [torch.cat([x, torch.zeros(len(x), 5, dtype=x.dtype)], 1) for x in (a, b)]
    assert distance(*padded) == pytest.approx(distance(a, b), rel=1e-10)


def subset(data: LabeledImages, start: int, count: int) -> LabeledImages:
    part = slice(start, start + count)
    return LabeledImages(data.images[part], data.labels[part])


@pytest.fixture(scope="module")
def mnist_fid(plugins, mnist_train, tmp_path_factory):
    """FID of digits against 2,000 of the training set."""
    from ganbench.evaluation.trial_evaluation import TrialEvaluation

    train, root = subset(mnist_train, 0, 2000), tmp_path_factory.mktemp("root")

    def fid(images: Tensor) -> float:
        fake = LabeledImages(images, None)
        seen = TrialEvaluation(MNIST(), train, fake, plugins, root)
        return FID(features="mnist-cnn-v1").compute(seen)["fid@mnist-cnn-v1"]

    return fid


@pytest.fixture(scope="module")
def digits(mnist_test) -> LabeledImages:
    return subset(mnist_test, 0, 1000)


def test_fid_sees_what_is_wrong_with_images(mnist_fid, digits):
    real = mnist_fid(digits.images)
    noise = 20 * torch.randn(digits.images.shape, generator=torch.Generator().manual_seed(0))
    broken = {
        "blurred": avg_pool2d(digits.images.float(), 3, 1, padding=1).round().to(torch.uint8),
        "noisy": (digits.images + noise).clamp(0, 255).to(torch.uint8),
        "one class": digits.images[digits.labels == 3],
        "black": torch.zeros_like(digits.images),
    }
    assert 0 < real < 0.5
    for name, images in broken.items():
        assert mnist_fid(images) > 3 * real, name


def test_fid_does_not_depend_on_the_order_of_samples(mnist_fid, digits):
    order = torch.randperm(len(digits), generator=torch.Generator().manual_seed(1))
    assert mnist_fid(digits.images[order]) == pytest.approx(mnist_fid(digits.images), rel=1e-5)


METRICS = pytest.mark.parametrize("metric", [FID, FIDInfinity, IntraFID])


@METRICS
@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
def test_features_that_are_not_finite_are_a_reason(judged, tmp_path, metric, bad):
    ring = Ring(train_size=100)
    train = ring.load("train", tmp_path)
    images = train.images.clone()
    images[3, 1] = bad
    seen = judged(ring, train, LabeledImages(images, train.labels))
    values, *_ = evaluate([metric(features="pixels")], seen)
    assert {v.value for v in values} == {None}
    assert {v.reason for v in values} == {"the features of the samples are not finite"}


@METRICS
def test_one_sample_is_a_reason(judged, tmp_path, metric):
    ring = Ring(train_size=100)
    train = ring.load("train", tmp_path)
    seen = judged(ring, train, subset(train, 0, 1))
    with pytest.raises(Unavailable, match=r"at least (two|30) samples"):
        metric(features="pixels").compute(seen)


@METRICS
def test_no_extractor_is_a_reason(judged, tmp_path, metric):
    train = Ring(train_size=100).load("train", tmp_path)
    with pytest.raises(Unavailable, match="no feature extractor is named"):
        metric().compute(judged(Ring(train_size=100), train, train))


def test_fid_of_points_is_the_distance_of_their_gaussians(judged, tmp_path):
    grid = Grid(train_size=5000)
    train = grid.load("train", tmp_path)
    seen = judged(grid, train, LabeledImages(0.5 * train.images, None))
    points = train.images.flatten(1).double()
    exact = 0.25 * (points.mean(0).square().sum() + points.var(0).sum()).item()
    assert FID(features="pixels").compute(seen)["fid@pixels"] == pytest.approx(exact, rel=1e-5)


def test_fid_column_names_its_features():
    (column,) = FID(features="inception").columns
    assert column.name == "fid@inception"
    assert column.direction == "min"


@pytest.mark.parametrize("count", [3, 15])
def test_line_is_fitted_as_numpy_fits_it(count):
    x, y = torch.rand(2, count, generator=torch.Generator().manual_seed(count)).double()
    (_, constant), covariance = np.polyfit(x.numpy(), y.numpy(), 1, cov="unscaled")
    slope = np.polyfit(x.numpy(), y.numpy(), 1)[0]
    residuals = y.numpy() - constant - slope * x.numpy()
    error = math.sqrt(covariance[1, 1] * (residuals**2).sum() / (count - 2))
    assert intercept(x, y) == pytest.approx((constant, error), rel=1e-9)


def test_line_through_points_on_it_has_no_error():
    x = torch.linspace(0.1, 1, 7, dtype=torch.float64)
    assert intercept(x, 3 - 2 * x) == pytest.approx((3, 0), abs=1e-12)


class Gaussians:
    """Samples of one Gaussian beside the exact moments of another: an Evaluation for FID."""

    DIM = 32
    device = torch.device("cpu")
    TRUTH = DIM * (0.8 - 1) ** 2 + DIM * 0.1**2

    def __init__(self, count: int, seed: int) -> None:
        generator = torch.Generator().manual_seed(seed)
        self.embedding = 0.1 + 0.8 * torch.randn(count, self.DIM, generator=generator)
        self.fake = LabeledImages(self.embedding.view(count, self.DIM, 1, 1), None)

    def features(self, extractor: str) -> Gaussians:
        return self

    def real(self, extractor: str) -> Moments:
        zeros = torch.zeros(self.DIM, dtype=torch.float64)
        return Moments(10**9, zeros, torch.eye(self.DIM, dtype=torch.float64))


def gaussian(metric: Metric, count: int, seed: int) -> list[float]:
    seen: Evaluation = Gaussians(count, seed)
    return list(metric.compute(seen).values())


def test_extrapolation_finds_the_distance_that_infinitely_many_samples_have():
    for seed in range(6):
        (fid,) = gaussian(FID(features="x"), 600, seed)
        found, error = gaussian(FIDInfinity(features="x"), 600, seed)
        assert fid - Gaussians.TRUTH > 0.25  # the bias
        assert abs(found - Gaussians.TRUTH) < 0.7 * (fid - Gaussians.TRUTH)
        assert abs(found - Gaussians.TRUTH) < 6 * error  # parts within parts err together


def test_bias_that_is_left_is_a_small_part_of_the_bias():
    seeds = range(10)
    left = [gaussian(FIDInfinity(features="x"), 1000, s)[0] - Gaussians.TRUTH for s in seeds]
    bias = [gaussian(FID(features="x"), 1000, s)[0] - Gaussians.TRUTH for s in seeds]
    assert abs(sum(left)) < 0.1 * sum(bias)


def test_extrapolation_depends_on_its_seed_and_a_little_only():
    one, other = (gaussian(FIDInfinity(features="x", seed=s), 2000, 0)[0] for s in (0, 1))
    assert one != other
    assert one == pytest.approx(other, abs=0.1)


def test_extrapolation_needs_full_rank():
    with pytest.raises(Unavailable, match="in 32 dimensions needs at least 128 samples, found 127"):
        gaussian(FIDInfinity(features="x"), 127, 0)
    assert math.isfinite(gaussian(FIDInfinity(features="x"), 128, 0)[0])


def test_two_points_are_no_fit():
    with pytest.raises(ValueError, match="points must be at least 3, found 2"):
        FIDInfinity(points=2)


def test_intra_fid_sees_the_class_that_is_off(judged, tmp_path):
    ring = Ring(train_size=800)
    train = ring.load("train", tmp_path)
    images = train.images.clone()
    images[train.labels == 3] += torch.tensor([0.3, 0.4]).view(2, 1, 1)
    seen = judged(ring, train, LabeledImages(images, train.labels))
    found = IntraFID(features="pixels").compute(seen)
    assert found["intra-fid-worst@pixels"] == pytest.approx(0.25, rel=1e-5)
    assert found["intra-fid@pixels"] == pytest.approx(0.25 / 8, rel=1e-5)
    classes = found["intra-fid@pixels"].classes
    assert len(classes) == 8
    assert classes[found["intra-fid-worst@pixels"].which] == found["intra-fid-worst@pixels"]


def test_intra_fid_sees_classes_that_are_mixed_up_where_fid_does_not(judged, tmp_path):
    ring = Ring(train_size=800)
    train = ring.load("train", tmp_path)
    seen = judged(ring, train, LabeledImages(train.images, (train.labels + 4) % 8))
    assert FID(features="pixels").compute(seen)["fid@pixels"] == pytest.approx(0, abs=1e-9)
    opposite = 4 * ring.mixture().centers[0].square().sum().item()
    found = IntraFID(features="pixels").compute(seen)["intra-fid@pixels"]
    assert found == pytest.approx(opposite, rel=0.01)


def test_intra_fid_names_the_classes_that_have_too_few(judged, tmp_path):
    ring = Ring(train_size=800)
    train = ring.load("train", tmp_path)
    kept = (train.labels != 2) & (train.labels != 5)
    seen = judged(ring, train, LabeledImages(train.images[kept], train.labels[kept]))
    with pytest.raises(Unavailable, match=r"each class, and 2 of 8 have fewer: 2, 5$"):
        IntraFID(features="pixels").compute(seen)


def test_intra_fid_without_labels_is_a_reason(judged, tmp_path):
    train = Ring(train_size=100).load("train", tmp_path)
    seen = judged(Ring(train_size=100), train, LabeledImages(train.images, None))
    with pytest.raises(Unavailable, match="the generator is not told a class"):
        IntraFID(features="pixels").compute(seen)


@pytest.mark.parametrize(
    ("classes", "reason"), [(0, "'ring' has no labels"), (201, "201 classes would take hours")]
)
def test_intra_fid_of_no_and_of_too_many_classes_is_a_reason(judged, tmp_path, classes, reason):
    train = Ring(train_size=100).load("train", tmp_path)
    seen = judged(Ring(train_size=100), train, train)
    seen.image = ImageSpec(2, 1, classes)
    with pytest.raises(Unavailable, match=reason):
        IntraFID(features="pixels").compute(seen)
