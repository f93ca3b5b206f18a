"""The textbooks' networks, layer by layer beside the books' own tables."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from ganbench import ImageSpec
from ganbench.default_plugins.architectures.textbook.bricks import BricksDCGAN
from ganbench.default_plugins.architectures.textbook.cdcgan import CDCGAN
from ganbench.default_plugins.architectures.textbook.eyeglasses import EyeglassesCGAN
from ganbench.default_plugins.architectures.textbook.faces import FacesWGAN
from ganbench.default_plugins.architectures.textbook.stacks import FromPoint
from ganbench.default_plugins.conditionings import (
    Concat,
    EmbedMul,
    Unconditional,
)
from ganbench.models.networks import build

Layer = tuple[str, tuple[int, ...], int]
"""What it is, the shape of what it makes of one image, its parameters."""

DIGITS, BRICKS, FACES = ImageSpec(1, 28, 10), ImageSpec(1, 64), ImageSpec(3, 64)
BLOND, GLASSES = ImageSpec(3, 64, 2), ImageSpec(3, 256, 2)
NOTEBOOK = EmbedMul(spread=None, plane_std=1.0)


def players_of(architecture, conditioning, image, d_norm):
    torch.manual_seed(0)
    return build(architecture, conditioning, conditioning, image, g_norm="batch", d_norm=d_norm)


def layers_of(module: nn.Module, *inputs: Tensor) -> list[Layer]:
    """Those that do something, in the order in which they do it; the textbooks' convolutions from
    1×1 maps to others and to one output are linear layers here."""
    found: list[Layer] = []

    def seen(layer: nn.Module, given: object, made: Tensor) -> None:
        name = type(layer).__name__.removesuffix("2d")
        name = "ConvTranspose" if isinstance(layer, FromPoint) else name
        found.append((name, tuple(made.shape[1:]), count(layer)))

    for layer in module.modules():
        does = count(layer) or type(layer).__module__.startswith("torch")
        if does and not list(layer.children()) and not isinstance(layer, nn.Identity):
            layer.register_forward_hook(seen)
    module(*inputs)
    return found


def count(module: nn.Module) -> int:
    return sum(parameter.numel() for parameter in module.parameters())


def tables(architecture, conditioning, image, d_norm) -> list[list[Layer]]:
    """What the generator and the discriminator do, without computing it."""
    with torch.device("meta"):
        generator, discriminator = players_of(architecture, conditioning, image, d_norm)
        labels = torch.zeros(2, dtype=torch.long) if image.num_classes else None
        latents = torch.empty(2, architecture.latent_dim)
        images = torch.empty(2, image.channels, image.resolution, image.resolution)
        return [layers_of(generator, latents, labels), layers_of(discriminator, images, labels)]


def leaky(*shape: int) -> Layer:
    return ("LeakyReLU", shape, 0)


def dropped(*shape: int) -> Layer:
    return ("Dropout", shape, 0)


def conv(*shape: int, weights: int, bias: bool = False, kind: str = "Conv") -> Layer:
    return (kind, shape, weights + (shape[0] if bias else 0))


def up(*shape: int, weights: int, bias: bool = False) -> Layer:
    return conv(*shape, weights=weights, bias=bias, kind="ConvTranspose")


def normed(*shape: int, kind: str = "BatchNorm") -> Layer:
    return (kind, shape, 2 * shape[0])


def test_cdcgan_is_the_notebooks() -> None:
    g, d = tables(CDCGAN(), NOTEBOOK, DIGITS, "batch")
    assert g == [
        ("Embedding", (128,), 10 * 128),
        up(256, 4, 4, weights=128 * 256 * 4 * 4), normed(256, 4, 4), leaky(256, 4, 4),
        conv(256, weights=128 * 256, bias=True, kind="Linear"), ("Tanh", (256,), 0),
        up(128, 7, 7, weights=256 * 128 * 3 * 3), normed(128, 7, 7), leaky(128, 7, 7),
        up(64, 14, 14, weights=128 * 64 * 4 * 4), normed(64, 14, 14), leaky(64, 14, 14),
        up(1, 28, 28, weights=64 * 4 * 4), ("Tanh", (1, 28, 28), 0),
    ]  # fmt: skip
    assert d == [
        ("Embedding", (28 * 28,), 10 * 28 * 28),
        conv(64, 14, 14, weights=2 * 64 * 4 * 4), leaky(64, 14, 14), dropped(64, 14, 14),
        conv(128, 7, 7, weights=64 * 128 * 4 * 4), normed(128, 7, 7), leaky(128, 7, 7),
        dropped(128, 7, 7),
        conv(256, 4, 4, weights=128 * 256 * 3 * 3), normed(256, 4, 4), leaky(256, 4, 4),
        ("Linear", (1,), 256 * 4 * 4),
    ]  # fmt: skip
    assert total(g) == 986_496
    assert total(d) == 440_736


def total(layers: list[Layer]) -> int:
    """Each layer counts once, however often it is seen: activations, which have no parameters."""
    return sum(parameters for _, _, parameters in layers)


def bricks_generator(grown) -> list[Layer]:
    return [
        up(512, 4, 4, weights=100 * 512 * 16), normed(512, 4, 4), leaky(512, 4, 4),
        *grown(512, 256, 8), normed(256, 8, 8), leaky(256, 8, 8),
        *grown(256, 128, 16), normed(128, 16, 16), leaky(128, 16, 16),
        *grown(128, 64, 32), normed(64, 32, 32), leaky(64, 32, 32),
        *grown(64, 1, 64), ("Tanh", (1, 64, 64), 0),
    ]  # fmt: skip


def transposed(before: int, after: int, side: int) -> list[Layer]:
    return [up(after, side, side, weights=before * after * 16)]


def enlarged(before: int, after: int, side: int) -> list[Layer]:
    return [
        ("Upsample", (before, side, side), 0),
        ("ZeroPad", (before, side + 3, side + 3), 0),
        conv(after, side, side, weights=before * after * 16),
    ]


@pytest.mark.parametrize(
    ("upsampling", "grown"), [("transposed", transposed), ("nearest", enlarged)]
)
def test_bricks_dcgan_is_the_books(upsampling: str, grown) -> None:
    g, d = tables(BricksDCGAN(upsampling=upsampling), Unconditional(), BRICKS, "batch")
    assert g == bricks_generator(grown)
    assert d == [
        conv(64, 32, 32, weights=16 * 64), leaky(64, 32, 32), dropped(64, 32, 32),
        conv(128, 16, 16, weights=64 * 128 * 16), normed(128, 16, 16), leaky(128, 16, 16),
        dropped(128, 16, 16),
        conv(256, 8, 8, weights=128 * 256 * 16), normed(256, 8, 8), leaky(256, 8, 8),
        dropped(256, 8, 8),
        conv(512, 4, 4, weights=256 * 512 * 16), normed(512, 4, 4), leaky(512, 4, 4),
        dropped(512, 4, 4),
        ("Linear", (1,), 512 * 4 * 4),
    ]  # fmt: skip
    assert total(g) == 3_574_656  # the trainable ones in the book's tables 4-1 and 4-2
    assert total(d) == 2_763_520


def faces_tables(latent: int, seen: int, widths: tuple[int, int, int, int]) -> list[list[Layer]]:
    a, b, c, d = widths
    generator = [
        up(d, 4, 4, weights=latent * d * 16), normed(d, 4, 4), leaky(d, 4, 4),
        up(c, 8, 8, weights=d * c * 16), normed(c, 8, 8), leaky(c, 8, 8),
        up(b, 16, 16, weights=c * b * 16), normed(b, 16, 16), leaky(b, 16, 16),
        up(a, 32, 32, weights=b * a * 16), normed(a, 32, 32), leaky(a, 32, 32),
        up(3, 64, 64, weights=a * 3 * 16, bias=True), ("Tanh", (3, 64, 64), 0),
    ]  # fmt: skip
    critic = [
        conv(a, 32, 32, weights=seen * a * 16, bias=True), leaky(a, 32, 32),
        conv(b, 16, 16, weights=a * b * 16, bias=True), leaky(b, 16, 16), dropped(b, 16, 16),
        conv(c, 8, 8, weights=b * c * 16, bias=True), leaky(c, 8, 8), dropped(c, 8, 8),
        conv(d, 4, 4, weights=c * d * 16, bias=True), leaky(d, 4, 4), dropped(d, 4, 4),
        ("Linear", (1,), d * 16 + 1),
    ]  # fmt: skip
    return [generator, critic]


def test_faces_wgan_is_the_books() -> None:
    found = tables(FacesWGAN(), Unconditional(), FACES, "none")
    assert found == faces_tables(128, 3, (64, 128, 256, 512))
    assert list(map(total, found)) == [3_806_083, 2_764_737]


def test_conditional_faces_wgan_is_the_books() -> None:
    """32 latents and 2 labels; 3 colours and 2 label maps."""
    architecture = FacesWGAN(latent_dim=32, widths=(64, 128, 128, 128))
    found = tables(architecture, Concat(), BLOND, "none")
    assert found == faces_tables(32 + 2, 3 + 2, (64, 128, 128, 128))
    assert list(map(total, found)) == [728_963, 662_977]


def test_eyeglasses_cgan_is_the_books() -> None:
    """Seven convolutions a player; the critic's last is the linear head."""
    g, d = tables(EyeglassesCGAN(), Concat(), GLASSES, "instance")
    channels = (102, 1024, 512, 256, 128, 64, 32)
    expected: list[Layer] = []
    for level, (before, after) in enumerate(pairwise(channels)):
        side = 4 * 2**level
        expected += [
            up(after, side, side, weights=before * after * 16),
            normed(after, side, side),
            ("ReLU", (after, side, side), 0),
        ]
    expected += [up(3, 256, 256, weights=32 * 3 * 16, bias=True), ("Tanh", (3, 256, 256), 0)]
    assert g == expected
    channels = (16, 32, 64, 128, 256, 512)
    expected = [conv(16, 128, 128, weights=5 * 16 * 16, bias=True), leaky(16, 128, 128)]
    for level, (before, after) in enumerate(pairwise(channels)):
        side = 64 // 2**level
        expected += [
            conv(after, side, side, weights=before * after * 16),
            normed(after, side, side, kind="InstanceNorm"),
            leaky(after, side, side),
        ]
    assert d == [*expected, ("Linear", (1,), 512 * 4 * 4 + 1)]
    assert sum(name == "ConvTranspose" for name, *_ in g) == 7
    assert sum(name in ("Conv", "Linear") for name, *_ in d) == 7


@pytest.mark.parametrize(
    ("architecture", "conditioning", "image", "d_norm"),
    [
        (CDCGAN(), NOTEBOOK, DIGITS, "batch"),
        (BricksDCGAN(), Unconditional(), BRICKS, "batch"),
        (BricksDCGAN(upsampling="nearest"), Unconditional(), BRICKS, "batch"),
        (FacesWGAN(), Unconditional(), FACES, "none"),
        (FacesWGAN(latent_dim=32, widths=(64, 128, 128, 128)), Concat(), BLOND, "none"),
        (EyeglassesCGAN(), Concat(), GLASSES, "instance"),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_no_layer_is_left_out_of_the_tables(architecture, conditioning, image, d_norm) -> None:
    with torch.device("meta"):
        players = players_of(architecture, conditioning, image, d_norm)
    found = tables(architecture, conditioning, image, d_norm)
    assert list(map(total, found)) == list(map(count, players))
