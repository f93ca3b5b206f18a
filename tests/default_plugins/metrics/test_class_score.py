"""The class score against closed forms and another implementation; who may call it IS."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from ganbench import Features, LabeledImages, Unavailable
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.metrics.class_score import InceptionScore, class_score
from ganbench.default_plugins.metrics.shuffles import shuffled
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(InceptionScore, InceptionScore(features="inception", splits=3))
def test_class_score_conforms(check):
    check()


@pytest.mark.parametrize("classes", [1, 2, 10, 1008])
def test_sure_classes_that_are_equally_many_score_their_number(classes):
    assert class_score(torch.eye(classes).repeat(3, 1)) == pytest.approx(classes, rel=1e-12)


def test_one_answer_to_everything_scores_one():
    assert class_score(torch.tensor([0.2, 0.3, 0.5]).repeat(50, 1)) == pytest.approx(1, rel=1e-12)
    assert class_score(torch.eye(4)[:1].repeat(50, 1)) == pytest.approx(1, rel=1e-12)


def test_half_sure_of_two_classes():
    """(.9, .1) and (.1, .9) as often: exp(log 2 - H(.9))."""
    p = torch.tensor([[0.9, 0.1], [0.1, 0.9]], dtype=torch.float64)
    entropy = -0.9 * math.log(0.9) - 0.1 * math.log(0.1)
    assert class_score(p) == pytest.approx(2 * math.exp(-entropy), rel=1e-13)


def probable(count: int, classes: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    logits = 3 * torch.randn(count, classes, generator=generator, dtype=torch.float64)
    return logits.softmax(1)


class Samples:
    """Samples and what a classifier says of them: an Evaluation for class scores."""

    def __init__(self, probabilities: Tensor | None, count: int = 0) -> None:
        count = count if probabilities is None else len(probabilities)
        images = torch.arange(count, dtype=torch.float32).view(-1, 1, 1, 1)
        self.fake = LabeledImages(images, None)
        self._features = Features(images.flatten(1), probabilities)

    def features(self, extractor: str) -> Features:
        return self._features


def test_score_is_torchmetrics_on_the_same_permutation(monkeypatch):
    """Theirs is over logits, shuffled by torch's own generator, with ddof 1."""
    from torchmetrics.image.inception import InceptionScore as Reference

    probabilities = probable(1000, 20)
    seen = Samples(probabilities)
    order = shuffled(seen.fake, 7)

    class Given:
        features, splits = [probabilities.log()], 10

    monkeypatch.setattr(torch, "randperm", lambda count: order)
    mean, spread = Reference.compute(Given)
    found = InceptionScore(features="x", seed=7).compute(seen)
    assert found["class-score@x"] == pytest.approx(mean.item(), rel=1e-9)
    assert found["class-score-sd@x"] == pytest.approx(spread.item() * math.sqrt(0.9), rel=1e-9)


def test_only_inception_gives_an_inception_score():
    names = [c.name for c in InceptionScore(features="inception").columns]
    assert names == ["is@inception", "is-sd@inception"]
    for other in ("mnist-cnn-v1", "inception(resize=clean)", "my-inception"):
        names = [c.name for c in InceptionScore(features=other).columns]
        assert names == [f"class-score@{other}", f"class-score-sd@{other}"]


def test_samples_sorted_by_class_are_shuffled_before_they_are_split():
    found = InceptionScore(features="x").compute(Samples(torch.eye(10).repeat_interleave(100, 0)))
    assert found["class-score@x"] == pytest.approx(9.6, abs=0.3)


def test_one_split_sees_all_samples_at_once():
    probabilities = probable(90, 5)
    found = InceptionScore(features="x", splits=1).compute(Samples(probabilities))
    assert found["class-score@x"] == pytest.approx(class_score(probabilities), rel=1e-12)
    assert str(found["class-score-sd@x"]) == "one split has no spread; raise splits"


def test_splits_may_differ_by_one_sample():
    found = InceptionScore(features="x").compute(Samples(probable(25, 5)))
    assert 1 < found["class-score@x"] < 5


@pytest.mark.parametrize("count", [0, 1, 19])
def test_too_few_samples_are_a_reason(count):
    with pytest.raises(Unavailable, match=f"10 splits needs at least 20 samples, found {count}"):
        InceptionScore(features="x").compute(Samples(probable(count, 3)))


@pytest.mark.parametrize("bad", [math.nan, math.inf], ids=str)
def test_probabilities_that_are_not_finite_are_a_reason(bad):
    probabilities = probable(40, 3)
    probabilities[5, 1] = bad
    with pytest.raises(Unavailable, match="class probabilities of the samples are not finite"):
        InceptionScore(features="x").compute(Samples(probabilities))


def test_extractor_without_classes_is_a_reason():
    with pytest.raises(Unavailable, match="'pixels' knows no classes"):
        InceptionScore(features="pixels").compute(Samples(None, 40))


def test_no_extractor_is_a_reason():
    with pytest.raises(Unavailable, match="no feature extractor is named"):
        InceptionScore().compute(Samples(probable(40, 3)))


def test_no_splits_are_refused():
    with pytest.raises(ValueError, match="splits must be positive, found 0"):
        InceptionScore(splits=0)


def test_score_of_real_digits_is_near_ten(judged, mnist_test):
    digits = LabeledImages(mnist_test.images[:1000], None)
    seen = judged(MNIST(), digits, digits)
    found = InceptionScore(features="mnist-cnn-v1").compute(seen)
    assert found["class-score@mnist-cnn-v1"] == pytest.approx(9.2, abs=0.4)
