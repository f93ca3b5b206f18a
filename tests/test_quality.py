"""The Fréchet distance against closed forms and other formulas, and what FID and accuracy see."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ganbench import LabeledImages, Moments, Unavailable
from ganbench.default_plugins.conditional import ConditionalAccuracy
from ganbench.default_plugins.frechet import FID, frechet_distance
from ganbench.default_plugins.image_folder import ImageFolder
from ganbench.default_plugins.mixtures import Grid, Ring
from ganbench.default_plugins.mnist import MNIST
from ganbench.evaluation import evaluate

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


def test_frechet_distance_is_torchmetrics_at_full_rank():
    fid = pytest.importorskip("torchmetrics.image.fid")
    a, b = normal(900, 64, seed=1), normal(700, 64, seed=2, scale=1.3, shift=0.2)
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


@NOT_DIVERSE
def test_frechet_distance_to_itself_is_zero(shape):
    features = normal(*shape, seed=5)
    assert distance(features, features) == pytest.approx(0, abs=1e-10)


@NOT_DIVERSE
def test_frechet_distance_is_symmetric(shape):
    a, b = normal(*shape, seed=6), normal(*shape, seed=7, scale=2)
    assert distance(a, b) == pytest.approx(distance(b, a), rel=1e-10)


def test_frechet_distance_of_diagonal_gaussians():
    """Each axis on its own: (m1 - m2)² + (s1 - s2)²."""
    mean1, mean2 = torch.tensor([0.0, 1.0, -2.0]), torch.tensor([0.5, 1.0, 1.0])
    std1, std2 = torch.tensor([1.0, 0.5, 3.0]), torch.tensor([2.0, 0.5, 1.0])
    exact = (0.25 + 9) + (1 + 4)
    found = frechet_distance(mean1, std1.square().diag(), mean2, std2.square().diag())
    assert found == pytest.approx(exact, rel=1e-12)


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
    from ganbench.evaluation import TrialEvaluation

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


@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
def test_fid_of_features_that_are_not_finite_is_a_reason(judged, tmp_path, bad):
    ring = Ring(train_size=100)
    train = ring.load("train", tmp_path)
    images = train.images.clone()
    images[3, 1] = bad
    seen = judged(ring, train, LabeledImages(images, None))
    (value,), _ = evaluate([FID(features="pixels")], seen)
    assert value.value is None
    assert value.reason == "the features of the samples are not finite"


def test_fid_of_one_sample_is_a_reason(judged, tmp_path):
    ring = Ring(train_size=100)
    train = ring.load("train", tmp_path)
    seen = judged(ring, train, LabeledImages(train.images[:1], None))
    with pytest.raises(Unavailable, match="at least two samples"):
        FID(features="pixels").compute(seen)


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


def test_conditional_accuracy_of_real_digits(judged, mnist_test):
    fake = subset(mnist_test, 0, 500)
    found = ConditionalAccuracy().compute(judged(MNIST(), fake, fake))
    assert found["cond-accuracy"] == pytest.approx(0.995, abs=0.005)
    assert 0.9 <= found["cond-accuracy-worst"] <= found["cond-accuracy"]


def test_conditional_accuracy_counts_what_is_not_as_asked(judged, mnist_test):
    """Every 4 is asked for as a 9: that class is all wrong, and the others as right as before."""
    fake = subset(mnist_test, 0, 500)
    fours = fake.labels == 4
    true = ConditionalAccuracy().compute(judged(MNIST(), fake, fake))["cond-accuracy"]
    swapped = LabeledImages(fake.images, fake.labels.masked_fill(fours, 9))
    found = ConditionalAccuracy().compute(judged(MNIST(), fake, swapped))
    wrong = fours.double().mean().item()
    assert wrong > 0.05
    assert found["cond-accuracy"] == pytest.approx(true - wrong, abs=0.005)
    assert found["cond-accuracy-worst"] == pytest.approx(
        (fake.labels == 9).sum().item() / ((fake.labels == 9) | fours).sum().item(), abs=0.03
    )


def test_conditional_accuracy_without_labels_is_a_reason(judged, mnist_test):
    fake = LabeledImages(mnist_test.images[:10], None)
    values, _ = evaluate([ConditionalAccuracy()], judged(MNIST(), fake, fake))
    assert [v.value for v in values] == [None, None]
    assert {v.reason for v in values} == {"the generator is not told a class"}


def test_conditional_accuracy_without_a_judge_is_a_reason(judged, tmp_path):
    fake = LabeledImages(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]))
    folder = ImageFolder(path=str(tmp_path), channels=1, resolution=8)
    with pytest.raises(Unavailable, match="'image-folder' has no judge"):
        ConditionalAccuracy().compute(judged(folder, fake, fake))
