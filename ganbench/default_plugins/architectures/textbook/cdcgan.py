"""The conditional DCGAN that a course builds for MNIST."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl
from ganbench.default_plugins.architectures.convolutions import Conv2d, ConvTranspose2d
from ganbench.default_plugins.architectures.layouts import Rows
from ganbench.default_plugins.architectures.priors import LATER, Prior
from ganbench.default_plugins.architectures.textbook.options import TextbookArchitecture
from ganbench.default_plugins.architectures.textbook.stacks import (
    LEAK,
    FromPoint,
    check_dropout,
    check_widths,
    without_bias,
)

PADDING = 1  # of every layer but the one that makes the first map


class _Generator(nn.Module):
    sees_noise = True

    def __init__(
        self,
        image: ImageSpec,
        latent_dim: int,
        noise_dim: int,
        norm: NormFactory,
        widths: Sequence[int],
        again: bool,
        kernels: Sequence[int],
        strides: Sequence[int],
    ) -> None:
        super().__init__()
        self.noise_dim = noise_dim
        first, *later, last = kernels
        self.convs = nn.ModuleList(
            (
                FromPoint(latent_dim, widths[0], first),
                *(
                    ConvTranspose2d(before, after, kernel, stride, PADDING, bias=False)
                    for (before, after), kernel, stride in zip(
                        pairwise(widths), later, strides, strict=False
                    )
                ),
            )
        )
        self.norms = nn.ModuleList(norm(channels) for channels in widths)
        # A 1×1 convolution of a 1×1 map.
        self.again = nn.Sequential(nn.Linear(noise_dim, widths[0]), nn.Tanh()) if again else None
        self.activation = nn.LeakyReLU(LEAK, inplace=True)
        self.to_image = nn.Sequential(
            ConvTranspose2d(widths[-1], image.channels, last, strides[-1], PADDING, bias=False),
            nn.Tanh(),
        )

    def forward(self, z: Tensor, condition: Tensor | None, noise: Tensor | None = None) -> Tensor:
        noise = z[:, : self.noise_dim] if noise is None else noise
        h = z
        for level, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            h = self.activation(norm(conv(h), condition))
            if self.again is not None and not level:
                h = h + self.again(noise)[:, :, None, None]
        return self.to_image(h)


class _Discriminator(nn.Module):
    def __init__(
        self,
        image: ImageSpec,
        norm: NormFactory,
        widths: Sequence[int],
        dropout: float,
        kernels: Sequence[int],
        strides: Sequence[int],
    ) -> None:
        super().__init__()
        self.feature_dim = widths[-1] * _reduced(image.resolution, kernels, strides) ** 2
        first, second, third = (
            Conv2d(before, after, kernel, stride, PADDING, bias=False)
            for before, after, kernel, stride in zip(
                (image.channels, *widths), widths, kernels, strides, strict=False
            )
        )
        self.layers = nn.Sequential(
            first,
            nn.LeakyReLU(LEAK, inplace=True),
            nn.Dropout2d(dropout),
            second,
            norm(widths[1]),
            nn.LeakyReLU(LEAK, inplace=True),
            nn.Dropout2d(dropout),
            third,
            norm(widths[2]),
            nn.LeakyReLU(LEAK, inplace=True),
            Rows(),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


def _enlarged(kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Return the side of the images that a generator of these makes."""
    side, *later = kernels
    for kernel, stride in zip(later, strides, strict=True):
        side = (side - 1) * stride - 2 * PADDING + kernel
    return side


def _reduced(side: int, kernels: Sequence[int], strides: Sequence[int]) -> int:
    """Return the side of the last map that a discriminator makes of images; 0: of none."""
    for kernel, stride in zip(kernels, strides, strict=True):
        side = max(0, (side + 2 * PADDING - kernel) // stride + 1) if side else 0
    return side


@dataclass(kw_only=True)
class CDCGAN(TextbookArchitecture):
    """Three layers to 28×28 from uniform noise, which enters twice: the course's networks."""

    name = "cdcgan"
    latent_dim: int = 128
    prior: Prior = field(default="uniform", metadata=LATER)
    noise_again: bool = True  # added to the first feature map, by a 1×1 convolution and tanh
    dropout: float = 0.3  # of whole channels in the discriminator
    # Sides of G's kernels, the first of which makes a map of its side from the latent, and of D's
    g_kernels: tuple[int, int, int, int] = field(default=(4, 3, 4, 4), metadata=LATER)
    d_kernels: tuple[int, int, int] = field(default=(4, 4, 3), metadata=LATER)
    # Of G's layers after the first, and of D's
    g_strides: tuple[int, int, int] = field(default=(2, 2, 2), metadata=LATER)
    d_strides: tuple[int, int, int] = field(default=(2, 2, 2), metadata=LATER)
    width: int = field(default=64, metadata=LATER)  # next to the image; doubled at every layer

    def __post_init__(self) -> None:
        super().__post_init__()
        check_widths([self.width])
        check_dropout(self.dropout)
        for name in ("g_kernels", "d_kernels", "g_strides", "d_strides"):
            if min(getattr(self, name)) < 1:
                raise ValueError(f"{name} must be positive, found {list(getattr(self, name))}")

    def unsupported(self, image: ImageSpec) -> str | None:
        side = _enlarged(self.g_kernels, self.g_strides)
        if image.resolution != side:
            return f"it builds images of {side}×{side}, and these are {image.resolution} wide"
        if not _reduced(side, self.d_kernels, self.d_strides):
            return f"d_kernels and d_strides leave nothing of images that are {side} wide"
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return self.normed(
            _Generator(
                image,
                latent_dim,
                self.latent_dim,
                norm,
                self._widths()[::-1],
                self.noise_again,
                self.g_kernels,
                self.g_strides,
            )
        )

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return self.normed(
            _Discriminator(
                image, norm, self._widths(), self.dropout, self.d_kernels, self.d_strides
            )
        )

    def finish_head(self, head: nn.Module) -> None:
        without_bias(head)

    def _widths(self) -> tuple[int, int, int]:
        return self.width, 2 * self.width, 4 * self.width


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(CDCGAN)
