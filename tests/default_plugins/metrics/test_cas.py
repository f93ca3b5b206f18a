"""The classification accuracy score: what samples teach, the same way every time."""

from __future__ import annotations

import math

import pytest
import torch

from ganbench import ImageSpec, LabeledImages, Unavailable
from ganbench.default_plugins.datasets.image_folder import ImageFolder
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.metrics.classifier_accuracy import (
    ClassificationAccuracyScore,
    accuracy,
    new_classifier,
    train,
)
from ganbench.evaluation.evaluate import evaluate
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.evaluations import CLASSES, KitEvaluation, KitPictures

PICTURES = KitPictures()


@parametrize_with_checks(ClassificationAccuracyScore)
def test_cas_conforms(check):
    check()


def cas(images: torch.Tensor, labels: torch.Tensor | None, dataset=PICTURES, **options) -> float:
    seen = KitEvaluation(dataset, LabeledImages(images, labels), None)
    return ClassificationAccuracyScore(**options).compute(seen)["cas"]


@pytest.fixture
def pictures(tmp_path) -> LabeledImages:
    return PICTURES.load("train", tmp_path)


@pytest.mark.parametrize(("channels", "resolution"), [(1, 8), (3, 16), (3, 32)])
def test_real_images_teach_all_there_is(tmp_path, channels, resolution):
    dataset = KitPictures(channels=channels, resolution=resolution)
    train = dataset.load("train", tmp_path)
    assert cas(train.images, train.labels, dataset) > 0.95


def test_labels_that_mean_nothing_teach_chance(pictures):
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(0))
    found = cas(pictures.images, pictures.labels[order], epochs=2)
    assert found == pytest.approx(1 / CLASSES, abs=0.2)


def test_labels_that_are_swapped_teach_what_is_wrong(pictures):
    assert cas(pictures.images, (pictures.labels + 1) % CLASSES) < 0.05


def test_class_that_is_missing_is_not_learnt(pictures):
    kept = pictures.labels != 2
    found = cas(pictures.images[kept], pictures.labels[kept])
    assert found == pytest.approx(1 - 1 / CLASSES, abs=0.03)


def test_points_teach_too(judged, tmp_path):
    ring = Ring(train_size=1000, test_size=500)
    points = ring.load("train", tmp_path)
    found = ClassificationAccuracyScore().compute(judged(ring, points, points))
    assert found["cas"] > 0.95


def test_real_digits(judged, mnist_train):
    digits = LabeledImages(mnist_train.images[:1500], mnist_train.labels[:1500])
    found = ClassificationAccuracyScore().compute(judged(MNIST(), digits, digits))
    assert found["cas"] == pytest.approx(0.94, abs=0.03)


def test_score_is_the_same_every_time_and_leaves_randomness_alone(pictures):
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    once = weights(pictures, seed=0)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(2)
    assert torch.equal(weights(pictures, seed=0), once)
    assert not torch.equal(weights(pictures, seed=1), once)


def weights(data: LabeledImages, seed: int) -> torch.Tensor:
    net = new_classifier(PICTURES.image_spec(), seed)
    train(net, data, 1, 64, seed)
    return torch.cat([p.detach().flatten() for p in net.parameters()])


def test_order_of_samples_has_no_part_in_it(pictures):
    order = torch.randperm(len(pictures), generator=torch.Generator().manual_seed(3))
    moved = LabeledImages(pictures.images[order], pictures.labels[order])
    assert torch.equal(weights(moved, seed=0), weights(pictures, seed=0))


@pytest.mark.parametrize("off", [torch.inference_mode, torch.no_grad])
def test_training_works_where_gradients_are_switched_off(pictures, off):
    with off():
        assert cas(pictures.images, pictures.labels) > 0.95


def test_one_step_is_a_training(pictures):
    found = cas(pictures.images[:1], pictures.labels[:1], epochs=1)
    assert 0 <= found <= 1


@pytest.mark.parametrize("resolution", [1, 2, 7, 8, 9, 28, 64])
def test_networks_fit_every_resolution(resolution):
    net = new_classifier(ImageSpec(3, resolution, 5), seed=0)
    assert net(torch.zeros(2, 3, resolution, resolution)).shape == (2, 5)


def test_images_without_labels_are_a_reason(pictures):
    with pytest.raises(Unavailable, match="the generator is not told a class"):
        cas(pictures.images, None)
    with pytest.raises(Unavailable, match="'kit-pictures' has no labels"):
        cas(pictures.images, None, KitPictures(labelled=False))


def test_no_test_set_is_a_reason(judged, tmp_path, pictures):
    folder = ImageFolder(path=str(tmp_path), channels=1, resolution=8)
    seen = judged(folder, pictures, pictures)
    seen.image = PICTURES.image_spec()
    with pytest.raises(Unavailable, match="'image-folder' has no test split"):
        ClassificationAccuracyScore().compute(seen)


@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
def test_points_that_are_not_finite_are_a_reason(judged, tmp_path, bad):
    ring = Ring(train_size=100)
    points = ring.load("train", tmp_path)
    images = points.images.clone()
    images[3, 1] = bad
    (value,), *_ = evaluate(
        [ClassificationAccuracyScore()],
        judged(ring, points, LabeledImages(images, points.labels)),
    )
    assert (value.value, value.reason) == (None, "the samples are not finite")


def test_classifier_that_diverged_has_no_accuracy(pictures):
    net = new_classifier(PICTURES.image_spec(), seed=0)
    with torch.no_grad():
        next(net.parameters()).fill_(math.nan)
    with pytest.raises(Unavailable, match="diverged"):
        accuracy(net, pictures)


@pytest.mark.parametrize("option", ["epochs", "batch_size"])
def test_bad_options_are_refused(option):
    with pytest.raises(ValueError, match=f"{option} must be positive, found 0"):
        ClassificationAccuracyScore(**{option: 0})


def test_protocol_says_what_was_trained_and_tested(judged, tmp_path):
    ring = Ring(train_size=100, test_size=100)
    points = ring.load("train", tmp_path)
    (spelled,) = evaluate([ClassificationAccuracyScore(epochs=1)], judged(ring, points, points))[
        1
    ].values()
    assert (spelled["epochs"], spelled["epoch"], spelled["tested_on"]) == (1, "last", "test")
    assert set(spelled["real"]) == {"train", "test"}
