"""Checkerboards are seen where they were planted, in untrained generators, and nowhere else."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from ganbench import ImageSpec, Window
from ganbench.default_plugins.architectures.textbook.bricks import BricksDCGAN
from ganbench.default_plugins.conditionings import Unconditional
from ganbench.models.networks import build
from ganbench.training.diagnosis import Evidence, checkerboard, diagnose

TRAINED = [Window(i + 1.0, 100 * (i + 1), 1.0, 1.0, 1.0, {"real": 0.6}, {}) for i in range(8)]


def kinds(images: Tensor, real: Tensor) -> list[str]:
    seen = [checkerboard(found) for found in (images, real)]
    evidence = Evidence(windows=TRAINED, checkerboard=seen[0], real_checkerboard=seen[1])
    return [finding.kind for finding in diagnose(evidence)]


def smooth(count: int = 32, side: int = 32) -> Tensor:
    coarse = torch.rand(count, 1, 4, 4, generator=torch.Generator().manual_seed(0)) * 2 - 1
    return torch.nn.functional.interpolate(coarse, (side, side), mode="bicubic").clamp(-1, 1)


def checks(side: int = 32) -> Tensor:
    return (-1.0) ** (torch.arange(side)[:, None] + torch.arange(side))


@pytest.mark.parametrize("pattern", [checks(), checks()[:1].expand(32, -1)])
def test_a_pattern_of_two_pixels_is_seen_and_measured(pattern):
    images = smooth() * 0.5 + 0.1 * pattern
    amplitude, stands_out = checkerboard(images)
    assert amplitude == pytest.approx(0.1, rel=0.1)
    assert stands_out > 100
    assert kinds(images, smooth()) == ["checkerboard"]


@pytest.mark.parametrize(
    "images",
    [
        smooth(),
        torch.rand(64, 3, 32, 32) * 2 - 1,
        smooth() * 0.5 + 0.005 * checks(),  # no eye sees it
        torch.zeros(8, 1, 32, 32),
    ],
)
def test_smooth_and_noisy_images_have_none(images):
    assert kinds(images, smooth()) == []


def test_images_whose_data_have_the_pattern_too_are_left_alone():
    real = smooth() * 0.5 + 0.1 * checks()
    assert kinds(real, real) == []


@pytest.mark.parametrize("kernel", [3, 4])
def test_transposed_convolutions_begin_with_checkerboards_and_upsampling_without(kernel):
    def samples(**options) -> Tensor:
        torch.manual_seed(0)
        architecture = BricksDCGAN(widths=(8, 16, 16), g_kernel=kernel, latent_dim=32, **options)
        none, image = Unconditional(), ImageSpec(1, 32)
        generator, _ = build(architecture, none, none, image, g_norm="batch", d_norm="batch")
        with torch.no_grad():
            return generator(torch.randn(32, 32))

    assert kinds(samples(), smooth()) == ["checkerboard"]
    assert kinds(samples(upsampling="nearest"), smooth()) == []


@pytest.mark.parametrize("shape", [(4, 1, 28, 27), (4, 1, 4, 4), (0, 1, 32, 32)])
def test_of_odd_tiny_and_no_images_nothing_is_said(shape):
    assert kinds(torch.zeros(shape), smooth()) == []


def test_bytes_are_measured_as_what_they_stand_for():
    images = smooth() * 0.5 + 0.1 * checks()
    as_bytes = ((images + 1) * 127.5).round().to(torch.uint8)
    assert checkerboard(as_bytes)[0] == pytest.approx(checkerboard(images)[0], rel=0.05)
