"""Bands and filters against published ones, moves of images against their closed form, the kit."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
import torch
from ganbench_stylegan3 import (
    Band,
    FourierFeatures,
    Magnitude,
    StyleGAN3,
    bands,
    downsampled,
    kaiser_beta,
    low_pass,
    upsampled,
)
from torch import Tensor

from ganbench import ImageSpec
from ganbench.testing import parametrize_with_checks

TINY = {"latent_dim": 4, "style_dim": 4, "layers": 3, "critical": 1, "margin": 2, "width": 2,
        "max_width": 4}  # fmt: skip


@parametrize_with_checks(StyleGAN3(**TINY), StyleGAN3(**TINY, kind="r"))
def test_conformance(check):
    check()


def test_layers_of_256_pixels_are_the_published_ones():
    """Rates and channels as published networks name them, such as L9_148_362: 128 and a margin."""
    found = bands(256, 14, 2)
    rates = [16, 16, 16, 32, 32, 64, 64, 128, 128, 128, 256, 256, 256, 256]
    assert [band.rate for band in found] == rates
    method = StyleGAN3()
    assert [method.channels(band, 256) for band in found] == [512] * 9 + [362, 256, 181, 128, 128]
    turning = StyleGAN3(kind="r", width=64)
    widths = [1024] * 7 + [724, 512, 362, 256, 181, 128, 128]
    assert [turning.channels(band, 256) for band in found] == widths


def test_bands_grow_from_the_first_to_all_that_a_rate_can_hold():
    found = bands(256, 14, 2)
    assert found[0].cutoff == 2
    assert found[0].half_width == pytest.approx(8 - 2)  # half its rate, which is more than 2^2.1
    for band in found[-2:]:
        assert band.cutoff == 128
        assert band.half_width == pytest.approx(128 * (2**0.3 - 1))
    growth = [after.cutoff / before.cutoff for before, after in pairwise(found[:12])]
    assert growth == pytest.approx([64 ** (1 / 12)] * 11)


def response(taps: Tensor, rate: int, frequency: float) -> float:
    """How much of a wave passes a filter."""
    places = (torch.arange(len(taps), dtype=torch.float64) - (len(taps) - 1) / 2) / rate
    return float((taps.double() * (2 * math.pi * frequency * places).cos()).sum())


def test_filters_pass_what_is_below_the_band_and_stop_what_is_above():
    """As far as 49 dB, which 24 taps allow where it takes 4 cycles to either side."""
    taps = low_pass(24, Band(8.0, 4.0, 16), 64)
    assert float(taps.sum()) == pytest.approx(1, abs=1e-6)
    assert torch.equal(taps, taps.flip(0))
    assert response(taps, 64, 8.0) == pytest.approx(0.5, abs=0.01)
    for frequency in (1.0, 2.5, 4.0):
        assert response(taps, 64, frequency) == pytest.approx(1.0, abs=0.005)
    for frequency in (12.0, 14.0, 25.0, 32.0):
        assert abs(response(taps, 64, frequency)) < 0.005


MIDDLE = 2.285 * 11 * math.pi / 2 + 7.95  # decibels, between 21 and 50


@pytest.mark.parametrize(
    ("taps", "half_width", "beta"),
    [
        (12, 0.0, 0.0),  # no attenuation to speak of
        (12, 1.0, 0.5842 * (MIDDLE - 21) ** 0.4 + 0.07886 * (MIDDLE - 21)),
        (24, 2.0, 0.1102 * (2.285 * 23 * math.pi + 7.95 - 8.7)),
    ],
)
def test_window_is_kaisers(taps, half_width, beta):
    assert kaiser_beta(taps, half_width, 8) == pytest.approx(beta)


def test_round_filters_are_round():
    taps = low_pass(24, Band(8.0, 4.0, 16), 64, radial=True)
    assert taps.shape == (24, 24)
    assert float(taps.sum()) == pytest.approx(1, abs=1e-5)
    torch.testing.assert_close(taps, taps.T)
    turned = [
        float((taps.double() * wave).sum())
        for wave in (along(angle, 8.0) for angle in (0.0, math.pi / 8, math.pi / 4))
    ]
    assert turned == pytest.approx([turned[0]] * 3, abs=0.01)
    assert turned[0] == pytest.approx(0.5, abs=0.05)


def along(angle: float, frequency: float) -> Tensor:
    """A wave in a direction, at the places of 24 by 24 taps at 64 a side."""
    line = (torch.arange(24, dtype=torch.float64) - 11.5) / 64
    y, x = torch.meshgrid(line, line, indexing="ij")
    return (2 * math.pi * frequency * (math.cos(angle) * x + math.sin(angle) * y)).cos()


def test_resampling_keeps_slow_waves_where_they_are():
    """At twice the rate and back, away from the border, where zeros lie beyond the maps."""
    band, side = Band(5.0, 3.0, 16), 48
    x = (torch.arange(side) + 0.5) / 16
    wave = torch.sin(2 * math.pi * 1.5 * x).expand(1, 2, side, side)
    taps = low_pass(12, band, 32)
    larger = upsampled(wave, taps, 2)
    finer = (torch.arange(2 * side) + 0.5) / 32
    expected = torch.sin(2 * math.pi * 1.5 * finer).expand_as(larger)
    inner = slice(16, -16)
    assert (larger - expected)[..., inner, inner].abs().max() < 0.03
    again = downsampled(larger, taps, 2)
    assert (again - wave)[..., inner, inner].abs().max() < 0.06


def features_of(bias: list[float]) -> Tensor:
    torch.manual_seed(0)
    net = FourierFeatures(3, Band(2.0, 2.0, 8), 2, 4)
    with torch.no_grad():
        net.affine.bias.copy_(torch.tensor(bias))
        return net(torch.zeros(1, 4))[0]


def test_inputs_move_and_turn_as_their_style_says():
    still = features_of([1.0, 0.0, 0.0, 0.0])
    right = features_of([1.0, 0.0, 1 / 8, 0.0])
    torch.testing.assert_close(right[..., 1:], still[..., :-1], atol=1e-4, rtol=0)
    down = features_of([2.0, 0.0, 0.0, 2 / 8])  # a length of two counts for nothing
    torch.testing.assert_close(down[:, 1:], still[:, :-1], atol=1e-4, rtol=0)
    turned = features_of([0.0, 1.0, 0.0, 0.0])
    torch.testing.assert_close(turned, still.rot90(-1, (1, 2)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("kind", ["t", "r"])
def test_images_move_with_their_input(kind):
    """By a pixel to the right, of which layers of lower rates have but a part."""
    torch.manual_seed(0)
    method = StyleGAN3(latent_dim=4, style_dim=4, layers=6, width=4, max_width=8, kind=kind)
    generator = method.generator(ImageSpec(1, 32), 4, None).eval()
    images = []
    with torch.no_grad():
        styles = generator.styles(torch.randn(4, 4), None)
        for shift in (0.0, 1 / 32):
            generator.input.affine.bias.copy_(torch.tensor([1.0, 0.0, shift, 0.0]))
            images.append(generator.synthesise(styles))
    still, moved = images
    error = (moved[..., 1:] - still[..., :-1]).square().mean()
    unmoved = (moved - still).square().mean()
    assert error < 0.01 * unmoved


def test_magnitudes_are_forgotten_by_half_in_twenty_thousand_images():
    layer = Magnitude()
    h = 3 * torch.ones(200, 2, 1, 1)
    for _ in range(100):
        layer(h)
    assert layer.square.item() == pytest.approx((1 + 9) / 2, rel=1e-4)
    layer.eval()
    torch.testing.assert_close(layer(h), h / 5**0.5, rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"margin": -1}, "margin must not be negative, found -1"),
        ({"width": 0}, "width must be positive, found 0"),
        ({"layers": 2}, "of 2 layers, 2 cannot be critical; use fewer"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        StyleGAN3(**wrong)


def test_odd_sizes_are_refused_with_a_sentence():
    assert "these images are 33 wide" in (StyleGAN3().unsupported(ImageSpec(3, 33)) or "")
    assert StyleGAN3().unsupported(ImageSpec(3, 48)) is None
