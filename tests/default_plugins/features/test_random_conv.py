"""Random convolutions are the same everywhere, and closed forms say what they compute."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from ganbench import ImageSpec, Moments
from ganbench.default_plugins.features.random_conv import Pyramid, RandomConv
from ganbench.default_plugins.metrics.frechet import frechet_distance
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.networks import random_pixels

PINNED = {0: 0.309063, 63: 0.251943, 64: 0.063484, 127: 0.12666, 128: 0.250555, 255: 0.06542}


@parametrize_with_checks(RandomConv, RandomConv(seed=7, width=5, depth=2), RandomConv(depth=9))
def test_conforms(check):
    check()


def test_features_are_as_ever(tmp_path):
    image = (torch.arange(3 * 8 * 8) * 37 % 256).byte().view(1, 3, 8, 8)
    found = RandomConv().load(ImageSpec(3, 8), tmp_path)(image)
    assert found.embedding.shape == (1, 256)
    assert found.probabilities is None
    picked = {i: found.embedding[0, i].item() for i in PINNED}
    assert picked == pytest.approx(PINNED, abs=1e-5)
    assert found.embedding.norm().item() == pytest.approx(3.2502, abs=1e-3)


def test_one_level_is_a_convolution_a_rectifier_and_a_mean(tmp_path):
    images = random_pixels(3, ImageSpec(2, 6))
    weights = np.random.RandomState(5).standard_normal((4, 2, 3, 3)) * math.sqrt(2 / 18)
    values = images.double() / 127.5 - 1
    expected = F.conv2d(values, torch.from_numpy(weights), padding=1).relu().mean((2, 3))
    found = RandomConv(seed=5, width=4, depth=1).load(ImageSpec(2, 6), tmp_path)(images)
    torch.testing.assert_close(found.embedding.double(), expected, atol=1e-6, rtol=1e-5)


def test_weights_have_the_variance_that_keeps_signals(tmp_path):
    net = Pyramid(3, 64, 3)
    net.draw(0)
    for weight in net.parameters():
        assert weight.std().item() == pytest.approx(math.sqrt(2 / weight[0].numel()), rel=0.05)
        assert weight.mean().item() == pytest.approx(0, abs=0.01)


def test_deeper_and_other_seeds_are_other_features(tmp_path):
    image = ImageSpec(1, 16)
    images = random_pixels(4, image)
    usual = RandomConv().load(image, tmp_path)(images).embedding
    deeper = RandomConv(depth=5).load(image, tmp_path)(images).embedding
    torch.testing.assert_close(deeper[:, :256], usual)  # the first levels are the same
    other = RandomConv(seed=1).load(image, tmp_path)(images).embedding
    assert (other - usual).abs().max() > 0.01


def test_options_are_checked():
    for wrong in ({"seed": -1}, {"seed": 2**32}):
        with pytest.raises(ValueError, match="seed must be from 0 to 4294967295, found"):
            RandomConv(**wrong)
    with pytest.raises(ValueError, match="width must be positive, found 0"):
        RandomConv(width=0)
    with pytest.raises(ValueError, match="depth must be positive, found -1"):
        RandomConv(depth=-1)


@pytest.mark.parametrize("image", [ImageSpec(2, 1), ImageSpec(3, 3)], ids=str)
def test_tiny_images_are_refused(image):
    assert RandomConv().unsupported(ImageSpec(5, 4)) is None
    assert RandomConv().unsupported(image) == (
        f"it sees images of 4×4 and more, and these are {image}"
    )


def test_label_carries_options(plugins):
    assert plugins.extractor("random-conv(seed=3,width=8)") == RandomConv(seed=3, width=8)


def test_blur_is_seen_and_another_half_is_not(mnist_test, tmp_path):
    extract = RandomConv().load(ImageSpec(1, 28), tmp_path)
    one, half = mnist_test.images[:2000:2], mnist_test.images[1:2000:2]
    blurred = F.avg_pool2d(half.float(), 3, 1, 1).round().byte()
    real, floor, blur = (Moments.of([extract(x).embedding]) for x in (one, half, blurred))
    assert frechet_distance(real, blur) > 5 * frechet_distance(real, floor)
