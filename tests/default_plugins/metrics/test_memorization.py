"""Distances to training images: of copies, of real test images and of noise."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from ganbench import LabeledImages, Moments, Unavailable
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.metrics import memorization
from ganbench.default_plugins.metrics.memorization import Memorization, authentic, principal, rank_z
from ganbench.default_plugins.metrics.neighbours import nearest
from ganbench.evaluation.evaluate import evaluate
from ganbench.evaluation.trial_evaluation import TrialEvaluation
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(Memorization(num_samples=80, num_test=40))
def test_conforms(check):
    check()


def normal(count: int, width: int, seed: int) -> Tensor:
    return torch.randn(count, width, generator=torch.Generator().manual_seed(seed))


def test_rank_z_by_hand():
    """Samples 1, 3, 3 and test 2, 3, 5, 9: pairs of which the sample is farther 0 + 1½ + 1½."""
    found = rank_z(torch.tensor([1.0, 3, 3]), torch.tensor([9.0, 2, 5, 3]))
    assert found == pytest.approx((3 - 5.5) / math.sqrt(12 * 8 / 12), rel=1e-12)


def test_rank_z_of_one_distribution_is_standard_normal():
    generator = torch.Generator().manual_seed(7)
    z = torch.tensor(
        [
            rank_z(torch.rand(50, generator=generator), torch.rand(70, generator=generator))
            for _ in range(400)
        ]
    )
    assert z.mean().item() == pytest.approx(0, abs=0.15)
    assert z.std().item() == pytest.approx(1, abs=0.12)


def test_rank_z_has_the_sign_of_what_is_farther():
    near, far = torch.rand(100), 1 + torch.rand(80)
    assert rank_z(near, far) < -11
    assert rank_z(far, near) > 11


def test_authentic_by_definition():
    samples, train = normal(60, 5, seed=7), normal(80, 5, seed=8)
    to_train = (samples.double()[:, None] - train.double()[None]).square().sum(2).sqrt().tolist()
    own = (train.double()[:, None] - train.double()[None]).square().sum(2).sqrt().tolist()
    expected = []
    for row in to_train:
        x = row.index(min(row))
        expected.append(min(row) > min(d for j, d in enumerate(own[x]) if j != x))
    distances, indices = nearest(samples, train)
    assert authentic(distances[:, 0], indices[:, 0], train).tolist() == expected
    assert 0.2 < sum(expected) / 60 < 0.9


@pytest.mark.parametrize(
    ("width", "mutual"), [(1, 2 / 3), (2, 6 * math.pi / (8 * math.pi + 3 * math.sqrt(3)))]
)
def test_authentic_share_of_one_distribution_is_known(width, mutual):
    """All but the pairs of points that are nearest to each other (Clark & Evans, 1955)."""
    generator = torch.Generator().manual_seed(9)
    samples, train = (torch.rand(5000, width, generator=generator) for _ in range(2))
    distances, indices = nearest(samples, train)
    share = authentic(distances[:, 0], indices[:, 0], train).double().mean().item()
    assert share == pytest.approx(1 - mutual, abs=0.025)


def test_principal_directions_hold_the_most_variance():
    scales = torch.logspace(0, -3, 80)
    train = normal(500, 80, seed=9) * scales
    basis = principal(train)
    assert basis.shape == (80, 64)
    torch.testing.assert_close(basis.T @ basis, torch.eye(64), rtol=0, atol=1e-5)
    variances = torch.linalg.eigvalsh(Moments.of([train]).covariance)[-64:].sum()
    assert (train @ basis).double().var(0).sum().item() == pytest.approx(variances.item(), rel=1e-5)
    assert torch.equal(principal(train[:, :64]), torch.eye(64))


@dataclass(kw_only=True)
class FewDigits(MNIST):
    """Every so many-th digit."""

    def load(self, split, root):
        whole = super().load(split, root)
        step = 20 if split == "train" else 10
        return LabeledImages(whole.images[::step], whole.labels[::step])


class OnlyTrain(FewDigits):
    splits = ("train",)


X = "mnist-cnn-v1"


@pytest.fixture(scope="module")
def train(mnist_root) -> LabeledImages:
    return FewDigits().load("train", mnist_root)


@pytest.fixture(scope="module")
def others(mnist_train) -> Tensor:
    """Digits of the training set that are not in `train`."""
    return mnist_train.images[7::40]


@pytest.fixture
def seen(plugins, mnist_root, train):
    def seen(images: Tensor, dataset=None, directory=None) -> TrialEvaluation:
        return TrialEvaluation(
            dataset or FewDigits(),
            train,
            LabeledImages(images, None),
            plugins,
            mnist_root,
            directory=directory,
        )

    return seen


@pytest.fixture
def numbers(seen):
    def numbers(images: Tensor, **options):
        return Memorization(features=X, num_test=500, **options).compute(seen(images))

    return numbers


def test_copies_are_found_out(numbers, train):
    found = numbers(train.images[:300])
    for space in ("-l1", "-l2", f"@{X}"):
        assert found[f"nn-ratio{space}"] == 0
        assert found[f"copied{space}"] == 1
    assert found[f"auth-pct@{X}"] == 0
    assert found[f"c-t@{X}"] < -10


def test_the_test_set_is_the_reference(numbers, mnist_root):
    found = numbers(FewDigits().load("test", mnist_root).images, num_samples=1000)
    for space in ("-l1", "-l2", f"@{X}"):
        assert found[f"nn-ratio{space}"] == pytest.approx(1, abs=0.06)
        assert 0 <= found[f"copied{space}"] <= 0.03
    assert found[f"auth-pct@{X}"] == pytest.approx(66, abs=6)
    assert abs(found[f"c-t@{X}"]) < 3


def test_the_very_test_images_have_ratio_one(seen, mnist_root):
    test = seen(torch.zeros(1, 1, 28, 28, dtype=torch.uint8)).reals("test", 500).images
    found = Memorization(features=X, num_test=500, num_samples=500).compute(seen(test))
    for space in ("-l1", "-l2", f"@{X}"):
        assert found[f"nn-ratio{space}"] == pytest.approx(1, abs=1e-6)
        assert found[f"copied{space}"] == pytest.approx(0.01)
    assert found[f"c-t@{X}"] == pytest.approx(0, abs=0.05)


def test_half_copies_lie_between(numbers, train, others):
    found = numbers(torch.cat([train.images[:300], others[:300]]))
    for space in ("-l1", "-l2", f"@{X}"):
        assert found[f"copied{space}"] == pytest.approx(0.5, abs=0.02)
    assert found[f"auth-pct@{X}"] == pytest.approx(33, abs=4)
    assert -20 < found[f"c-t@{X}"] < -4


def test_noise_is_farther_than_test_images(numbers, others):
    noise = 60 * torch.randn(300, 1, 28, 28, generator=torch.Generator().manual_seed(10))
    found = numbers((others[:300] + noise).clamp(0, 255).to(torch.uint8))
    for space in ("-l1", "-l2", f"@{X}"):
        assert found[f"nn-ratio{space}"] > 1.2
        assert found[f"copied{space}"] == 0
    assert found[f"auth-pct@{X}"] > 95
    assert found[f"c-t@{X}"] > 5


def test_what_real_data_decides_is_remembered(numbers, others, monkeypatch):
    before = numbers(others[:60])
    monkeypatch.setattr(memorization, "k_means", None)
    assert numbers(others[:60]) == before
    with pytest.raises(TypeError):
        numbers(others[:60], seed=1)


def test_without_a_test_set_only_authenticity_is_known(seen, others):
    values, *_ = evaluate([Memorization(features=X)], seen(others[:50], OnlyTrain()))
    found = {v.column.name: v for v in values}
    authentic = found.pop(f"auth-pct@{X}")
    assert authentic.value == pytest.approx(66, abs=20)
    assert len(found) == 7
    assert {v.value for v in found.values()} == {None}
    assert {v.reason for v in found.values()} == {"data set 'mnist' has no test split"}


def test_without_features_pixels_are_compared(seen, others):
    """An extractor that has none here leaves its own columns empty."""
    ring = Ring(train_size=60, test_size=40)
    values, *_ = evaluate([Memorization(features=X)], points_of(seen, ring))
    found = {v.column.name: v for v in values}
    assert found["nn-ratio-l1"].value == 0
    assert all(("1×28×28" in v.reason) == name.endswith(X) for name, v in found.items())


def points_of(seen, ring: Ring, images: Tensor | None = None) -> TrialEvaluation:
    evaluation = seen(torch.zeros(1))
    train = ring.load("train", evaluation._root)
    return TrialEvaluation(
        ring,
        train,
        LabeledImages(train.images if images is None else images, None),
        evaluation._registry,
        evaluation._root,
    )


def test_points_are_compared(seen):
    ring = Ring(train_size=2000, test_size=500)
    metric = Memorization(features="pixels")
    found = metric.compute(points_of(seen, ring, ring.load("test", None).images))
    assert found["nn-ratio-l1"] == found["nn-ratio-l2"] == 1
    assert found["nn-ratio@pixels"] == 1
    assert found["auth-pct@pixels"] == pytest.approx(38, abs=7)  # in the plane
    copied = metric.compute(points_of(seen, ring))
    assert copied["copied-l1"] == copied["copied-l2"] == copied["copied@pixels"] == 1


@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
def test_samples_that_are_not_finite_are_a_reason(seen, bad):
    images = torch.rand(40, 2, 1, 1)
    images[3, 1] = bad
    ring = Ring(train_size=60, test_size=40)
    values, *_ = evaluate([Memorization(features="pixels")], points_of(seen, ring, images))
    assert {v.reason for v in values} == {"the samples are not finite"}


def test_a_test_set_of_training_images_tells_nothing(judged, train):
    class Leaky(FewDigits):
        def load(self, split, root):
            return train

    images = train.images[:50]
    seen = judged(Leaky(), train, LabeledImages(images, None))
    found = Memorization(features=X, num_test=100).compute(seen)
    assert "half of the test images are training images" in str(found["nn-ratio-l1"])
    assert found[f"auth-pct@{X}"] == 0


def test_few_samples_have_no_c_t(numbers, others):
    found = numbers(others[:19])
    assert isinstance(found[f"c-t@{X}"], Unavailable)
    assert "needs 20 samples in one of 3 cells" in str(found[f"c-t@{X}"])
    assert found["nn-ratio-l1"] == pytest.approx(1, abs=0.4)


@pytest.mark.parametrize(("count", "rows"), [(40, 16), (3, 3)])
def test_picture_has_samples_and_what_is_nearest_to_them(
    seen, train, tmp_path, monkeypatch, count, rows
):
    kept = []
    monkeypatch.setattr(memorization, "save_neighbours", lambda *a, **how: kept.append((a, how)))
    metric = Memorization(features=X, num_samples=count, num_test=10)
    metric.compute(seen(train.images[:count], directory=tmp_path))
    ((samples, reals, distances, indices, path), how) = kept.pop()
    assert path == tmp_path / "nearest.png"
    assert len(samples) == rows
    assert distances.shape == indices.shape == (rows, 5)
    assert torch.equal(reals.images[indices[:, 0]], samples.images)  # copies
    assert distances[:, 0].eq(0).all()
    by_hand = (samples.images[0].float() - reals.images[indices[0, 1]].float()).abs().mean()
    assert distances[0, 1] == pytest.approx(float(by_hand), rel=1e-5)
    assert how["class_names"] == FewDigits().class_names()


def test_points_have_no_picture(seen, tmp_path):
    evaluation = points_of(seen, Ring(train_size=60, test_size=40))
    evaluation.directory = tmp_path
    Memorization(features="pixels").compute(evaluation)
    assert not list(tmp_path.iterdir())


def test_features_must_be_named(seen, others):
    with pytest.raises(Unavailable, match="no feature extractor is named"):
        Memorization().compute(seen(others[:5]))


def test_columns_have_no_direction():
    assert {column.direction for column in Memorization(features="x").columns} == {"none"}


@pytest.mark.parametrize("option", ["num_samples", "num_test"])
def test_options_are_checked(option):
    with pytest.raises(ValueError, match=f"{option} must be positive, found 0"):
        Memorization(**{option: 0})
