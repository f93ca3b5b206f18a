"""Conditional accuracy counts the samples that are not what was asked for."""

from __future__ import annotations

import pytest
import torch

from ganbench import LabeledImages, TrialResult, Unavailable
from ganbench.default_plugins.datasets.image_folder import ImageFolder
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.metrics.conditional import ConditionalAccuracy
from ganbench.evaluation.evaluate import evaluate


def first(data: LabeledImages, count: int) -> LabeledImages:
    return LabeledImages(data.images[:count], data.labels[:count])


def test_conditional_accuracy_of_real_digits(judged, mnist_test):
    fake = first(mnist_test, 500)
    found = ConditionalAccuracy().compute(judged(MNIST(), fake, fake))
    assert found["cond-accuracy"] == pytest.approx(0.995, abs=0.005)
    assert 0.9 <= found["cond-accuracy-worst"] <= found["cond-accuracy"]


def test_conditional_accuracy_counts_what_is_not_as_asked(judged, mnist_test):
    """Every 4 is asked for as a 9: that class is all wrong, and the others as right as before."""
    fake = first(mnist_test, 500)
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


def test_every_class_is_kept_and_the_worst_is_named(judged, mnist_test):
    fake = first(mnist_test, 500)
    swapped = LabeledImages(fake.images, fake.labels.masked_fill(fake.labels == 4, 9))
    values, *_ = evaluate([ConditionalAccuracy()], judged(MNIST(), fake, swapped))
    mean, worst = values
    assert set(mean.classes) == set("012356789")
    assert mean.classes["9"] == worst.value == min(mean.classes.values())
    assert (mean.which, worst.which) == ("", "9")
    flat = TrialResult(metrics=(mean, worst)).plain()["metrics"]
    assert flat[0]["classes"] == mean.classes
    assert flat[1]["which"] == "9"
    assert "which" not in flat[0]
    assert "classes" not in flat[1]


def test_conditional_accuracy_without_labels_is_a_reason(judged, mnist_test):
    fake = LabeledImages(mnist_test.images[:10], None)
    values, *_ = evaluate([ConditionalAccuracy()], judged(MNIST(), fake, fake))
    assert [v.value for v in values] == [None, None]
    assert {v.reason for v in values} == {"the generator is not told a class"}


def test_conditional_accuracy_without_a_judge_is_a_reason(judged, tmp_path):
    fake = LabeledImages(torch.zeros(4, 1, 8, 8, dtype=torch.uint8), torch.tensor([0, 1, 0, 1]))
    folder = ImageFolder(path=str(tmp_path), channels=1, resolution=8)
    with pytest.raises(Unavailable, match="'image-folder' has no judge"):
        ConditionalAccuracy().compute(judged(folder, fake, fake))
