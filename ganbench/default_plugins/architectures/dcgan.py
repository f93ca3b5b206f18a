"""Strided convolutions and their transposes."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import ImageSpec, NormFactory
from ganbench.default_plugins.architectures.convolutions import Conv2d, ConvTranspose2d
from ganbench.default_plugins.architectures.layouts import Flatten, unflatten
from ganbench.default_plugins.architectures.priors import WithPrior
from ganbench.default_plugins.architectures.sizes import check_positive, halvings

LEAK = 0.2


def _kernel(size: int) -> int:
    """Return the kernel that maps `size` to its half, rounded up, and back, at stride 2."""
    return 4 if size % 2 == 0 else 3


def initialise(module: nn.Module, std: float | None) -> None:
    """Draw weights from Normal(0, std), as in DCGAN; None keeps PyTorch's own initialisation."""
    if std is None:
        return
    for part in module.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(part.weight, std=std)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


class _Upsampled(nn.Module):
    """Nearest-neighbour enlargement to a size, then a 3x3 convolution."""

    def __init__(self, in_channels: int, out_channels: int, size: int) -> None:
        super().__init__()
        self.size = size
        self.conv = Conv2d(in_channels, out_channels, 3, padding=1)

    def forward(self, h: Tensor) -> Tensor:
        return self.conv(F.interpolate(h, size=self.size))


class _DCGANGenerator(nn.Module):
    def __init__(
        self,
        channels: list[int],  # one per size
        sizes: list[int],  # from the smallest up
        latent_dim: int,
        norm: NormFactory,
        upsampling: str,
    ) -> None:
        super().__init__()
        self.start = (channels[0], sizes[0], sizes[0])
        self.project = nn.Linear(latent_dim, channels[0] * sizes[0] ** 2)
        self.norms = nn.ModuleList(norm(c) for c in channels[:-1])
        self.ups = nn.ModuleList(
            self._up(upsampling, before, after, size)
            for (before, after), size in zip(pairwise(channels), sizes[1:], strict=True)
        )

    @staticmethod
    def _up(upsampling: str, before: int, after: int, size: int) -> nn.Module:
        if upsampling == "nearest":
            return _Upsampled(before, after, size)
        return ConvTranspose2d(before, after, _kernel(size), stride=2, padding=1)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        h = unflatten(self.project(z), self.start, self.ups)
        for norm, up in zip(self.norms, self.ups, strict=True):
            h = up(F.relu(norm(h, condition)))
        return h.tanh()


class _DCGANDiscriminator(nn.Module):
    def __init__(
        self, channels: list[int], sizes: list[int], norm: NormFactory, dropout: float
    ) -> None:
        super().__init__()
        self.feature_dim = channels[-1] * sizes[-1] ** 2
        self.layers = nn.Sequential(*self._layers(channels, sizes, norm, dropout), Flatten())

    @staticmethod
    def _layers(
        channels: list[int], sizes: list[int], norm: NormFactory, dropout: float
    ) -> Iterator[nn.Module]:
        for level, (before, after) in enumerate(pairwise(channels)):
            yield Conv2d(before, after, _kernel(sizes[level]), stride=2, padding=1)
            if level:  # no normalisation of the first layer (Radford et al., 2016)
                yield norm(after)
            yield nn.LeakyReLU(LEAK, inplace=True)
            if dropout:
                yield nn.Dropout2d(dropout)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


@dataclass(kw_only=True)
class DCGAN(WithPrior):
    """Strided convolutions down, transposed ones up, any size 28 to 256 (Radford et al., 2016)."""

    name = "dcgan"
    latent_dim: int = 100
    width: int = 64  # channels next to the image; doubled at every halving
    g_width: int | None = None  # of the generator, where it differs
    max_width: int = 512
    smallest: int = 4  # halving goes on until a side is at most this
    upsampling: Literal["transposed", "nearest"] = "transposed"
    dropout: float = 0.0  # of whole channels in the discriminator
    init_std: float | None = 0.02  # null: PyTorch's own initialisation

    def __post_init__(self) -> None:
        check_positive(latent_dim=self.latent_dim, width=self.width, g_width=self.g_width)
        check_positive(max_width=self.max_width, smallest=self.smallest, init_std=self.init_std)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, found {self.dropout}")

    def unsupported(self, image: ImageSpec) -> str | None:
        if not 28 <= image.resolution <= 256:
            return f"it builds sizes from 28 to 256, and these images are {image.resolution} wide"
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        sizes = halvings(image.resolution, self.smallest)
        channels = [image.channels, *self._widths(len(sizes) - 1, self.g_width or self.width)]
        net = _DCGANGenerator(channels[::-1], sizes[::-1], latent_dim, norm, self.upsampling)
        initialise(net, self.init_std)
        return net

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        sizes = halvings(image.resolution, self.smallest)
        channels = [image.channels, *self._widths(len(sizes) - 1, self.width)]
        net = _DCGANDiscriminator(channels, sizes, norm, self.dropout)
        initialise(net, self.init_std)
        return net

    def _widths(self, levels: int, width: int) -> list[int]:
        return [min(width * 2**level, self.max_width) for level in range(levels)]
