"""Progressive growing for ganbench, and what D was told beside it: the spread of a batch."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import (
    Architecture,
    ImageSpec,
    Loss,
    NormFactory,
    Regularizer,
    Step,
    Terms,
    hookimpl,
)


class Conv(nn.Module):
    """A convolution that keeps the size, whose weights are scaled as they are used."""

    def __init__(self, before: int, after: int, kernel: int = 3, gain: float = 2.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale = (gain / (before * kernel**2)) ** 0.5

    def forward(self, h: Tensor) -> Tensor:
        kernel = self.weight.shape[-1]
        return F.conv2d(h, self.weight * self.scale, self.bias, padding=kernel // 2)


class Linear(nn.Module):
    """A linear layer, likewise."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before))
        self.bias = nn.Parameter(torch.zeros(after))
        self.scale = (2 / before) ** 0.5

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias)


def pixel_norm(h: Tensor) -> Tensor:
    """Return features (N, C, ...) scaled to one length at each place."""
    return h * (h.square().mean(1, keepdim=True) + 1e-8).rsqrt()


def normed(conv: nn.Module, h: Tensor) -> Tensor:
    """Return a layer of G: convolution, leaky ReLU and pixel norm."""
    return pixel_norm(F.leaky_relu(conv(h), 0.2))


def spread(h: Tensor, group: int) -> Tensor:
    """Return how far maps (N, C, H, W) of a group of images differ, as one more map (N, 1, H, W).

    Where a batch is not made of whole groups, it is one.
    """
    group = group if len(h) % group == 0 else len(h)
    groups = h.unflatten(0, (group, -1))  # of every (N / group)-th image, as published
    deviations = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    return deviations.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, *h.shape[2:])


class Growing(nn.Module):
    """Knows how much of each size counts, from how far the training is."""

    def __init__(self, doublings: int) -> None:
        super().__init__()
        self.doublings = doublings
        self.register_buffer("progress", torch.ones(()))  # whoever trains fills it

    def share(self, doubling: int) -> Tensor:
        """Return how far a doubling, from 1 on, is faded in: from 0 to 1 in its turn."""
        position = self.progress * (2 * self.doublings + 1)
        return (position - (2 * doubling - 1)).clamp(0, 1)


class Generator(Growing):
    """Two layers at each size, and an image of each, which fades into the next one's."""

    def __init__(
        self, image: ImageSpec, latent_dim: int, sizes: list[int], widths: list[int]
    ) -> None:
        super().__init__(len(sizes) - 1)
        self.start = (widths[-1], sizes[-1], sizes[-1])
        self.project = Linear(latent_dim, widths[-1] * sizes[-1] ** 2)
        self.first = Conv(widths[-1], widths[-1])
        self.layers = nn.ModuleList()
        for before, after in pairwise(widths[::-1]):
            self.layers.append(nn.ModuleList([Conv(before, after), Conv(after, after)]))
        self.to_image = nn.ModuleList(
            Conv(width, image.channels, 1, gain=1.0) for width in widths[::-1]
        )

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        h = self.project(pixel_norm(z)).view(-1, *self.start)
        h = normed(self.first, pixel_norm(F.leaky_relu(h, 0.2)))
        image = self.to_image[0](h)
        for number, (layers, to_image) in enumerate(
            zip(self.layers, self.to_image[1:], strict=True), start=1
        ):
            h = F.interpolate(h, scale_factor=2.0)
            for layer in layers:
                h = normed(layer, h)
            larger = F.interpolate(image, scale_factor=2.0)
            image = larger.lerp(to_image(h), self.share(number))
        return image.tanh()


class Discriminator(Growing):
    """G's mirror image: what a size makes of images fades in over the next smaller one's."""

    def __init__(self, image: ImageSpec, sizes: list[int], widths: list[int], group: int) -> None:
        super().__init__(len(sizes) - 1)
        self.group = group
        self.feature_dim = widths[-1]
        self.from_image = nn.ModuleList(Conv(image.channels, width, 1) for width in widths)
        self.layers = nn.ModuleList(
            nn.ModuleList([Conv(before, before), Conv(before, after)])
            for before, after in pairwise(widths)
        )
        self.conv = Conv(widths[-1] + 1, widths[-1])
        self.last = Linear(widths[-1] * sizes[-1] ** 2, widths[-1])

    def forward(self, images: Tensor) -> Tensor:
        h = F.leaky_relu(self.from_image[0](images), 0.2)
        for number, (layers, from_image) in enumerate(
            zip(self.layers, self.from_image[1:], strict=True)
        ):
            for layer in layers:
                h = F.leaky_relu(layer(h), 0.2)
            images = F.avg_pool2d(images, 2)
            smaller = F.leaky_relu(from_image(images), 0.2)
            h = smaller.lerp(F.avg_pool2d(h, 2), self.share(self.doublings - number))
        h = F.leaky_relu(self.conv(torch.cat([h, spread(h, self.group)], 1)), 0.2)
        return F.leaky_relu(self.last(h.flatten(1)), 0.2)


def _sizes(resolution: int) -> list[int]:
    """Halve `resolution` down to 4 to 7, as far as it is even; return all sizes, its own first."""
    sizes = [resolution]
    while sizes[-1] > 7 and sizes[-1] % 2 == 0:
        sizes.append(sizes[-1] // 2)
    return sizes


@dataclass(kw_only=True)
class Progressive(Architecture):
    """Sizes are faded in, from the smallest to the image's own (Karras et al., 2018)."""

    name = "progressive"
    g_norms = ()
    d_norms = ("none",)
    per_sample = False
    latent_dim: int = 512
    width: int = 128  # channels next to the image; doubled at every halving
    max_width: int = 512
    group: int = 4  # images whose spread D is told

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} must be positive, found {value}")

    def unsupported(self, image: ImageSpec) -> str | None:
        sizes = _sizes(image.resolution)
        if len(sizes) == 1 or not 4 <= sizes[-1] <= 7:
            return (
                "it builds sizes of 4 to 7 times a power of two from 8 up (8, 16, 28, 32, 64, "
                f"...), and these images are {image.resolution} wide"
            )
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Generator(image, latent_dim, *self._pyramid(image))

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return Discriminator(image, *self._pyramid(image), self.group)

    def _pyramid(self, image: ImageSpec) -> tuple[list[int], list[int]]:
        sizes = _sizes(image.resolution)
        return sizes, [min(self.width * 2**level, self.max_width) for level in range(len(sizes))]


# Minibatch standard deviation by itself, for points


class PointGenerator(nn.Module):
    """A perceptron."""

    def __init__(self, image: ImageSpec, latent_dim: int, hidden: list[int]) -> None:
        super().__init__()
        self.shape = (image.channels, image.resolution, image.resolution)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise([latent_dim, *hidden]))
        self.last = nn.Linear(hidden[-1], image.channels * image.resolution**2)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        for layer in self.layers:
            z = F.relu(layer(z))
        return self.last(z).tanh().view(-1, *self.shape)


class PointDiscriminator(nn.Module):
    """A perceptron whose last layer is told how far the features of a group differ."""

    def __init__(self, image: ImageSpec, hidden: list[int], group: int) -> None:
        super().__init__()
        self.group, self.feature_dim = group, hidden[-1]
        sizes = [image.channels * image.resolution**2, *hidden]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))
        self.last = nn.Linear(hidden[-1] + 1, hidden[-1])

    def forward(self, images: Tensor) -> Tensor:
        h = images.flatten(1)
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.2)
        told = spread(h[:, :, None, None], self.group).flatten(1)
        return F.leaky_relu(self.last(torch.cat([h, told], 1)), 0.2)


@dataclass(kw_only=True)
class SpreadMLP(Architecture):
    """Perceptrons for points, with the minibatch standard deviation in D (Karras et al., 2018)."""

    name = "spread-mlp"
    g_norms = ()
    d_norms = ("none", "spectral")
    per_sample = False
    latent_dim: int = 16
    width: int = 128
    depth: int = 3  # hidden layers; D has one more, which is told the spread
    group: int = 4  # points whose spread D is told; 1: none

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} must be positive, found {value}")

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return PointGenerator(image, latent_dim, [self.width] * self.depth)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return PointDiscriminator(image, [self.width] * self.depth, self.group)


@dataclass(kw_only=True)
class Drift(Regularizer):
    """Keep D's logits of reals from drifting away from zero (Karras et al., 2018)."""

    name = "drift"
    weight: float = 1e-3

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"weight must not be negative, found {self.weight}")

    def discriminator_loss(self, step: Step) -> Terms:
        return {"drift": self.weight * step.real.logits.square().mean()}


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    for architecture in (Progressive, SpreadMLP):
        register(architecture)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(Drift)
