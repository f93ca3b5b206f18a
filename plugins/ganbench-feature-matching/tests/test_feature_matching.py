"""Distances of mean features by hand, and the conformance kit."""

import pytest
import torch
from ganbench_feature_matching import FeatureMatching

from ganbench import DiscriminatorOutput, Scored, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(FeatureMatching)
def test_conformance(check):
    check()


def step_with_features(real, fake):
    """A step whose features are these tensors, (N, F) each."""
    scored = [
        Scored(
            torch.zeros(len(features), 1, 1, 1),
            None,
            lambda images, labels, features=features: DiscriminatorOutput(features[:, 0], features),
        )
        for features in (real, fake)
    ]
    return Step(*scored, torch.zeros(len(real), 2), 0, lambda *a, **k: None, lambda z, y: z)


def matched(real, fake, **options):
    """The value of the term, and its gradient at the features of the fakes."""
    real, fake = torch.tensor(real), torch.tensor(fake, requires_grad=True)
    terms = FeatureMatching(**options).generator_loss(step_with_features(real, fake))
    (gradient,) = torch.autograd.grad(terms["feature_matching"], fake)
    return terms["feature_matching"].item(), gradient


def test_equal_means_are_matched_whatever_the_samples():
    value, gradient = matched([[1.0, 4.0], [3.0, -4.0]], [[2.0, 1.0], [2.0, -1.0]])
    assert value == pytest.approx(0)
    torch.testing.assert_close(gradient, torch.zeros(2, 2))


@pytest.mark.parametrize("weight", [1.0, 0.25])
def test_it_is_the_squared_distance_of_the_means(weight):
    real, fake = [[1.0, 0.0, 2.0], [3.0, 0.0, 4.0]], [[0.0, 1.0, 3.0], [1.0, 3.0, 3.0]]
    value, gradient = matched(real, fake, weight=weight)
    gap = torch.tensor([2.0 - 0.5, 0.0 - 2.0, 3.0 - 3.0])
    assert value == pytest.approx(weight * (1.5**2 + 2**2))
    torch.testing.assert_close(gradient, (-2 * weight * gap / 2).expand(2, 3))


@pytest.mark.parametrize("count", [1, 2, 64])
def test_it_does_not_grow_with_the_batch(count):
    value, gradient = matched([[1.0, -1.0]] * count, [[0.0, 1.0]] * count)
    assert value == pytest.approx(1 + 4)
    torch.testing.assert_close(gradient.sum(0), torch.tensor([-2.0, 4.0]))


def test_it_sums_over_features():
    value, _ = matched([[1.0] * 10], [[0.5] * 10])
    assert value == pytest.approx(10 * 0.25)


def test_the_discriminator_is_left_alone():
    step = step_with_features(torch.randn(4, 3), torch.randn(4, 3))
    assert FeatureMatching().discriminator_loss(step) == {}


def test_negative_weight_is_refused():
    with pytest.raises(ValueError, match=r"weight must not be negative, found -1\.0"):
        FeatureMatching(weight=-1.0)
