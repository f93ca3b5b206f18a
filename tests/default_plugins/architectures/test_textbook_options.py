"""Kernels, strides and batch norms of the textbooks' networks, as files say them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from ganbench import ImageSpec
from ganbench.default_plugins.architectures.textbook.bricks import BricksDCGAN
from ganbench.default_plugins.architectures.textbook.cdcgan import CDCGAN
from ganbench.default_plugins.architectures.textbook.eyeglasses import EyeglassesCGAN
from ganbench.default_plugins.architectures.textbook.faces import FacesWGAN
from ganbench.default_plugins.conditionings import Unconditional
from ganbench.errors import ConfigError
from ganbench.models.networks import BatchNorm, build

SMALL = {"widths": (4, 8)}


def players(architecture, resolution: int, channels: int = 1):
    image = ImageSpec(channels, resolution)
    assert architecture.unsupported(image) is None
    with torch.device("meta"):
        none = Unconditional()
        return build(
            architecture, none, none, image, g_norm="batch", d_norm=architecture.d_norms[0]
        )


def shapes(architecture, resolution: int) -> tuple[torch.Size, torch.Size]:
    generator, discriminator = players(architecture, resolution)
    images = generator(torch.empty(2, architecture.latent_dim, device="meta"))
    return images.shape, discriminator(images).logits.shape


@pytest.mark.parametrize(
    ("architecture", "resolution"),
    [
        (BricksDCGAN(**SMALL, g_kernel=3), 16),
        (BricksDCGAN(**SMALL, g_kernel=3, upsampling="nearest"), 16),
        (BricksDCGAN(**SMALL, d_kernel=5, g_kernel=6), 16),
        (BricksDCGAN(**SMALL, strides=(4, 2)), 32),
        (BricksDCGAN(widths=(4, 8, 8), strides=(1, 2, 3), d_kernel=5, g_kernel=3), 24),
        (BricksDCGAN(**SMALL, strides=(1, 2), d_kernel=3, g_kernel=3, upsampling="nearest"), 8),
        (FacesWGAN(**SMALL, d_kernel=3, g_kernel=5), 16),
        (FacesWGAN(**SMALL, strides=(2, 4)), 32),
        (EyeglassesCGAN(width=2, d_kernel=3, g_kernel=5), 16),
        (EyeglassesCGAN(width=2, strides=(2, 3, 1), d_kernel=3, g_kernel=3), 24),
        (CDCGAN(g_kernels=(4, 4, 4, 4)), 32),
        (CDCGAN(d_kernels=(5, 5, 5)), 28),
        (CDCGAN(g_strides=(1, 2, 2), g_kernels=(4, 3, 4, 4)), 16),
        (CDCGAN(d_strides=(2, 2, 1)), 28),
    ],
)
def test_kernels_and_strides_give_the_sizes_that_are_said(architecture, resolution):
    images, logits = shapes(architecture, resolution)
    assert images == (2, 1, resolution, resolution)
    assert logits == (2,)


@pytest.mark.parametrize("kernel", [3, 4, 5])
@pytest.mark.parametrize("upsampling", ["transposed", "nearest"])
def test_a_kernel_counts_its_side_squared(kernel, upsampling):
    generator, discriminator = players(
        BricksDCGAN(**SMALL, g_kernel=kernel, d_kernel=kernel, upsampling=upsampling), 16
    )
    sides = {
        module.kernel_size
        for net in (generator.backbone, discriminator.backbone)
        for name, module in net.named_modules()
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d) and name != "convs.0"
    }
    assert sides == {(kernel, kernel)}


def test_a_kernel_of_3_after_upsampling_is_a_plain_convolution():
    """Each value twice in both directions, and around it what one of padding 1 sees."""
    torch.manual_seed(0)
    architecture = BricksDCGAN(widths=(1,), g_kernel=3, upsampling="nearest", latent_dim=2)
    backbone = architecture.generator(ImageSpec(1, 8), 2, lambda channels: _Same())
    maps = torch.randn(3, 1, 4, 4)
    layer = backbone.to_image[0]
    doubled = maps.repeat_interleave(2, 2).repeat_interleave(2, 3)
    expected = nn.functional.conv2d(doubled, layer[-1].weight, padding=1)
    torch.testing.assert_close(layer(maps), expected)


class _Same(nn.Module):
    def forward(self, h, condition=None):
        return h


@pytest.mark.parametrize(
    ("architecture", "resolution"),
    [
        (CDCGAN(bn_momentum=0.2, bn_eps=1e-3), 28),
        (BricksDCGAN(**SMALL, bn_momentum=0.2, bn_eps=1e-3), 16),
        (FacesWGAN(**SMALL, bn_momentum=0.2, bn_eps=1e-3), 16),
        (EyeglassesCGAN(width=2, bn_momentum=0.2, bn_eps=1e-3), 16),
    ],
)
def test_batch_norms_go_by_the_numbers_that_are_said(architecture, resolution):
    nets = players(architecture, resolution)
    norms = [part for net in nets for part in net.modules() if isinstance(part, BatchNorm)]
    assert norms
    assert {(norm.momentum, norm.eps) for norm in norms} == {(0.2, 1e-3)}


def test_leaks_are_the_critic_s_from_the_image_on():
    _, critic = players(FacesWGAN(widths=(4, 8, 8), leaks=(0.2, 0.3, 0.1)), 32)
    found = [part for part in critic.modules() if isinstance(part, nn.LeakyReLU)]
    assert [part.negative_slope for part in found] == [0.2, 0.3, 0.1]


@pytest.mark.parametrize(
    ("architecture", "resolution", "why"),
    [
        (BricksDCGAN(**SMALL, strides=(2, 3)), 16, "its 2 widths build images of 24×24, and"),
        (BricksDCGAN(**SMALL, strides=(2, 2, 2)), 32, "it has 2 widths and 3 strides; give one"),
        (EyeglassesCGAN(strides=(2, 2)), 32, "its 2 widths build images of 16×16, and these are"),
        (CDCGAN(g_kernels=(4, 4, 4, 4)), 28, "it builds images of 32×32, and these are 28 wide"),
        (CDCGAN(d_kernels=(31, 1, 1)), 28, "d_kernels and d_strides leave nothing of images"),
    ],
)
def test_sizes_that_do_not_come_out_are_refused(architecture, resolution, why):
    said = architecture.unsupported(ImageSpec(1, resolution))
    assert said is not None
    assert said.startswith(why)


@pytest.mark.parametrize(
    ("name", "options", "why"),
    [
        ("bricks-dcgan", {"g_kernel": 1}, "g_kernel must be at least as wide as the widest stride"),
        ("faces-wgan", {"strides": [4, 8]}, "d_kernel must be .* stride, which is 8; found 4"),
        ("faces-wgan", {"strides": [1, 2]}, "d_kernel must be odd where a stride is 1, found 4"),
        ("faces-wgan", {"strides": [0, 2]}, r"every stride must be positive, found \[0, 2\]"),
        ("faces-wgan", {"leaks": [0.2]}, "leaks has 1 numbers and widths 4; give one for each"),
        ("eyeglasses-cgan", {"bn_eps": 0}, "bn_eps must be positive, found 0"),
        ("bricks-dcgan", {"bn_momentum": 1.5}, "bn_momentum must be above 0 and up to 1, found"),
        (
            "cdcgan",
            {"g_kernels": [4, 0, 4, 4]},
            r"g_kernels must be positive, found \[4, 0, 4, 4\]",
        ),
        ("cdcgan", {"prior": "cauchy"}, "prior: .*'normal' or 'uniform'"),
    ],
)
def test_bad_numbers_are_refused(plugins, name, options, why):
    with pytest.raises(ConfigError, match=f"architecture '{name}': {why}"):
        plugins.build("architecture", name, options)
