"""Strided convolutions, stacked: what the textbooks' networks are made of."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import NormFactory
from ganbench.default_plugins.architectures.convolutions import Conv2d, ConvTranspose2d
from ganbench.default_plugins.architectures.layouts import Rows

LEAK = 0.2
SMALLEST = 4  # the side from which a generator grows, and at which a discriminator ends
Upsampling = Literal["transposed", "nearest"]


def twice(before: int, after: int, *, bias: bool, upsampling: Upsampling) -> nn.Module:
    """Return layers that map (N, before, S, S) to (N, after, 2S, 2S)."""
    if upsampling == "transposed":
        return ConvTranspose2d(before, after, 4, stride=2, padding=1, bias=bias)
    return nn.Sequential(
        nn.Upsample(scale_factor=2),
        nn.ZeroPad2d((1, 2, 1, 2)),  # as Keras pads an even kernel to keep the size
        Conv2d(before, after, 4, bias=bias),
    )


class FromPoint(nn.ConvTranspose2d):
    """A transposed convolution of a 1×1 map, from (N, Z) to (N, channels, size, size).

    It is done as the one matrix product that it is: CPUs have no fast kernel for it otherwise.
    """

    def __init__(self, latent_dim: int, channels: int, size: int) -> None:
        super().__init__(latent_dim, channels, size, bias=False)

    def forward(self, z: Tensor) -> Tensor:
        _, channels, *sides = self.weight.shape
        if self.weight.is_contiguous(memory_format=torch.channels_last):
            weight = self.weight.permute(2, 3, 1, 0).flatten(0, 2)
            return F.linear(z, weight).unflatten(1, (*sides, channels)).permute(0, 3, 1, 2)
        return (z @ self.weight.flatten(1)).unflatten(1, (channels, *sides))


def half(
    before: int, after: int, *, bias: bool, norm: NormFactory | None = None, dropout: float = 0.0
) -> Iterator[nn.Module]:
    """Yield layers that map (N, before, 2S, 2S) to (N, after, S, S)."""
    yield Conv2d(before, after, 4, stride=2, padding=1, bias=bias)
    if norm is not None:
        yield norm(after)
    yield nn.LeakyReLU(LEAK, inplace=True)
    if dropout:
        yield nn.Dropout(dropout)


class Generator(nn.Module):
    """A transposed convolution to 4×4, and one more for every doubling; norms between them."""

    def __init__(
        self,
        channels: Sequence[int],  # of the maps, from the smallest; the last are the image's
        latent_dim: int,
        norm: NormFactory,
        *,
        leak: float = LEAK,  # 0: plain rectifiers
        bias: bool = False,  # of the last layer, the only one that no norm follows
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        *hidden, last = pairwise(channels)
        self.convs = nn.ModuleList(
            [
                FromPoint(latent_dim, channels[0], SMALLEST),
                *(twice(a, b, bias=False, upsampling=upsampling) for a, b in hidden),
            ]
        )
        self.norms = nn.ModuleList(norm(count) for count in channels[:-1])
        self.activation = nn.LeakyReLU(leak, inplace=True) if leak else nn.ReLU(inplace=True)
        self.to_image = nn.Sequential(twice(*last, bias=bias, upsampling=upsampling), nn.Tanh())

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        h = z
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = self.activation(norm(conv(h), condition))
        return self.to_image(h)


class Discriminator(nn.Module):
    """Layers down to 4×4, flattened: a head on these is the textbooks' last convolution."""

    def __init__(self, layers: Iterator[nn.Module], channels: int) -> None:
        super().__init__()
        self.feature_dim = channels * SMALLEST**2
        self.layers = nn.Sequential(*layers, Rows())

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def without_bias(head: nn.Module) -> None:
    """Take away what the last layer of a discriminator adds to its one output."""
    for part in head.modules():
        if isinstance(part, nn.Linear):
            part.register_parameter("bias", None)


def check_widths(widths: Sequence[int], **positive: int) -> None:
    """Raise ValueError where there are no widths, or where one of these is not positive."""
    if not widths:
        raise ValueError("widths is empty; give one for every halving of the image's side")
    for name, value in (*(("every width", width) for width in widths), *positive.items()):
        if value < 1:
            raise ValueError(f"{name} must be positive, found {value}")


def check_dropout(dropout: float) -> None:
    """Raise ValueError for a share of dropped values that is not from 0 to below 1."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be from 0 to below 1, found {dropout}")


def other_size(widths: Sequence[int], resolution: int) -> str | None:
    """Return why that many halvings do not lead to this size, or None."""
    side = SMALLEST * 2 ** len(widths)
    if resolution != side:
        return (
            f"its {len(widths)} widths build images of {side}×{side}, and these are {resolution} "
            f"wide; give one width for every halving down to {SMALLEST}"
        )
    return None
