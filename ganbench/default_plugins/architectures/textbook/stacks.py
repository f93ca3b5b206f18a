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
from ganbench.default_plugins.architectures.textbook.options import SMALLEST

LEAK = 0.2
Upsampling = Literal["transposed", "nearest"]


def margins(kernel: int, stride: int) -> tuple[int, int]:
    """Return what pads maps and what pads a transposed convolution's result, so that sides fit."""
    uneven = (kernel - stride) % 2
    return (kernel - stride + uneven) // 2, uneven


def enlarged(
    before: int, after: int, kernel: int, stride: int, *, bias: bool, upsampling: Upsampling
) -> nn.Module:
    """Return layers that map (N, before, S, S) to (N, after, stride · S, stride · S)."""
    if upsampling == "transposed":
        padding, uneven = margins(kernel, stride)
        return ConvTranspose2d(
            before, after, kernel, stride, padding, output_padding=uneven, bias=bias
        )
    left, right = (kernel - 1) // 2, kernel // 2
    return nn.Sequential(
        nn.Upsample(scale_factor=stride),
        nn.ZeroPad2d((left, right, left, right)),  # as Keras pads to keep the size
        Conv2d(before, after, kernel, bias=bias),
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


def reduced(
    before: int,
    after: int,
    kernel: int,
    stride: int,
    *,
    bias: bool,
    norm: NormFactory | None = None,
    leak: float = LEAK,
    dropout: float = 0.0,
) -> Iterator[nn.Module]:
    """Yield layers that map (N, before, stride · S, stride · S) to (N, after, S, S)."""
    padding, _ = margins(kernel, stride)
    yield Conv2d(before, after, kernel, stride, padding, bias=bias)
    if norm is not None:
        yield norm(after)
    yield nn.LeakyReLU(leak, inplace=True)
    if dropout:
        yield nn.Dropout(dropout)


class Generator(nn.Module):
    """A transposed convolution to 4×4, and one more for every stride; norms between them."""

    def __init__(
        self,
        channels: Sequence[int],  # of the maps, from the smallest; the last are the image's
        latent_dim: int,
        norm: NormFactory,
        *,
        kernel: int,
        strides: Sequence[int],  # from the smallest map on
        leak: float = LEAK,  # 0: plain rectifiers
        bias: bool = False,  # of the last layer, the only one that no norm follows
        upsampling: Upsampling = "transposed",
    ) -> None:
        super().__init__()
        *hidden, (last, image) = pairwise(channels)
        self.convs = nn.ModuleList(
            [
                FromPoint(latent_dim, channels[0], SMALLEST),
                *(
                    enlarged(a, b, kernel, stride, bias=False, upsampling=upsampling)
                    for (a, b), stride in zip(hidden, strides, strict=False)
                ),
            ]
        )
        self.norms = nn.ModuleList(norm(count) for count in channels[:-1])
        self.activation = nn.LeakyReLU(leak, inplace=True) if leak else nn.ReLU(inplace=True)
        to_image = enlarged(last, image, kernel, strides[-1], bias=bias, upsampling=upsampling)
        self.to_image = nn.Sequential(to_image, nn.Tanh())

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


def check_widths(widths: Sequence[int]) -> None:
    """Raise ValueError where there are no widths, or where one is not positive."""
    if not widths:
        raise ValueError("widths is empty; give one for every halving of the image's side")
    for width in widths:
        if width < 1:
            raise ValueError(f"every width must be positive, found {width}")


def check_dropout(dropout: float) -> None:
    """Raise ValueError for a share of dropped values that is not from 0 to below 1."""
    if not 0 <= dropout < 1:
        raise ValueError(f"dropout must be from 0 to below 1, found {dropout}")
