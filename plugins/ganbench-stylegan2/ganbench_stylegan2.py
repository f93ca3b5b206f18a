"""StyleGAN2 for ganbench: backbone, path length regularization and style mixing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
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
    Scheduled,
    Step,
    Terms,
    hookimpl,
)

# Layers


def activated(h: Tensor) -> Tensor:
    """Return a leaky ReLU that keeps the size of what comes in."""
    return F.leaky_relu(h, 0.2) * 2**0.5


class Linear(nn.Module):
    """A linear layer whose weights start at size one and are scaled as they are used."""

    def __init__(self, before: int, after: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before) / rate)
        self.bias = nn.Parameter(torch.full((after,), bias / rate))
        self.scale, self.rate = rate / before**0.5, rate

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Conv(nn.Module):
    """A convolution that keeps the size, likewise."""

    def __init__(self, before: int, after: int, kernel: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None
        self.scale = (before * kernel**2) ** -0.5

    def forward(self, h: Tensor) -> Tensor:
        kernel = self.weight.shape[-1]
        return F.conv2d(h, self.weight * self.scale, self.bias, padding=kernel // 2)


class ModulatedConv(nn.Module):
    """A convolution whose weights a style scales, and whose outputs are normalised for that."""

    def __init__(
        self, before: int, after: int, kernel: int, style: int, *, demodulate: bool = True
    ) -> None:
        super().__init__()
        self.conv = Conv(before, after, kernel, bias=False)
        self.affine = Linear(style, before, bias=1.0)
        self.bias = nn.Parameter(torch.zeros(after))
        self.demodulate = demodulate

    def forward(self, h: Tensor, style: Tensor) -> Tensor:
        """Return maps before their bias."""
        scales = self.affine(style)
        made = self.conv(h * scales[:, :, None, None])
        if not self.demodulate:
            return made
        squares = (self.conv.weight * self.conv.scale).square().sum((2, 3))
        return made * (scales.square() @ squares.T + 1e-8).rsqrt()[:, :, None, None]


class StyledLayer(nn.Module):
    """A modulated convolution, noise and a bias, twice as large after it where `up`."""

    def __init__(self, before: int, after: int, style: int, *, up: bool) -> None:
        super().__init__()
        self.up = up
        self.conv = ModulatedConv(before, after, 3, style)
        self.strength = nn.Parameter(torch.zeros(()))

    def forward(self, h: Tensor, style: Tensor) -> Tensor:
        made = self.conv(upsampled(h) if self.up else h, style)
        noise = self.strength * torch.randn_like(made[:, :1])
        return activated(made + noise + self.conv.bias[:, None, None])


def _filter(channels: int, like: Tensor) -> Tensor:
    taps = torch.tensor([1.0, 3.0, 3.0, 1.0], device=like.device, dtype=like.dtype) / 8
    return torch.outer(taps, taps).expand(channels, 1, 4, 4)


def upsampled(h: Tensor) -> Tensor:
    """Return maps twice as large, filtered with 1, 3, 3, 1."""
    channels = h.shape[1]
    return F.conv_transpose2d(h, 4 * _filter(channels, h), stride=2, padding=1, groups=channels)


def downsampled(h: Tensor) -> Tensor:
    """Return maps half as large, filtered with 1, 3, 3, 1."""
    channels = h.shape[1]
    return F.conv2d(h, _filter(channels, h), stride=2, padding=1, groups=channels)


def with_spread(h: Tensor, group: int) -> Tensor:
    """Return maps (N, C, H, W) with one more: how far those of a group of images differ.

    Where a batch is not made of whole groups, it is one.
    """
    group = group if len(h) % group == 0 else len(h)
    groups = h.unflatten(0, (group, -1))  # of every (N / group)-th image, as published
    spread = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3))
    return torch.cat([h, spread.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, *h.shape[2:])], 1)


# Networks


class Mapping(nn.Module):
    """From latents, scaled to one length, to styles."""

    def __init__(self, latent_dim: int, style: int, depth: int) -> None:
        super().__init__()
        widths = [latent_dim, *[style] * depth]
        self.layers = nn.ModuleList(Linear(a, b, rate=0.01) for a, b in pairwise(widths))

    def forward(self, z: Tensor) -> Tensor:
        h = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            h = activated(layer(h))
        return h


class Generator(nn.Module):
    """A constant, styled layers from the smallest size up, and an image that each size adds to."""

    def __init__(
        self, image: ImageSpec, latent_dim: int, sizes: list[int], widths: list[int], method: Sizes
    ) -> None:
        super().__init__()
        style = method.style_dim
        self.mapping = Mapping(latent_dim, style, method.mapping_depth)
        self.constant = nn.Parameter(torch.randn(widths[-1], sizes[-1], sizes[-1]))
        self.layers = nn.ModuleList([StyledLayer(widths[-1], widths[-1], style, up=False)])
        for before, after in pairwise(widths[::-1]):
            self.layers.append(StyledLayer(before, after, style, up=True))
            self.layers.append(StyledLayer(after, after, style, up=False))
        self.to_image = nn.ModuleList(
            ModulatedConv(width, image.channels, 1, style, demodulate=False)
            for width in widths[::-1]
        )

    def styles(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """Return one style for all layers, and one for the last image, (N, L, W)."""
        return self.mapping(z)[:, None].expand(-1, len(self.layers) + 1, -1)

    def synthesise(self, styles: Tensor) -> Tensor:
        """Return images of styles (N, L, W); each image is made with the next layer's style."""
        h = self.constant.expand(len(styles), -1, -1, -1)
        image = None
        for number, layer in enumerate(self.layers):
            h = layer(h, styles[:, number])
            if number % 2 == 0:
                to_image = self.to_image[number // 2]
                added = to_image(h, styles[:, number + 1]) + to_image.bias[:, None, None]
                image = added if image is None else upsampled(image) + added
        return image.tanh()


class DownBlock(nn.Module):
    """Two convolutions and a shortcut, half as large after it."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Conv(before, before, 3), Conv(before, after, 3)
        self.shortcut = Conv(before, after, 1, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        residual = activated(self.conv2(downsampled(activated(self.conv1(h)))))
        return (residual + self.shortcut(downsampled(h))) / 2**0.5


class Discriminator(nn.Module):
    """Residual blocks down to the smallest size, where it is told the spread of a group."""

    def __init__(self, image: ImageSpec, sizes: list[int], widths: list[int], group: int) -> None:
        super().__init__()
        self.group = group
        self.feature_dim = widths[-1]
        self.from_image = Conv(image.channels, widths[0], 1)
        self.blocks = nn.Sequential(*(DownBlock(a, b) for a, b in pairwise(widths)))
        self.conv = Conv(widths[-1] + (group > 0), widths[-1], 3)
        self.last = Linear(widths[-1] * sizes[-1] ** 2, widths[-1])

    def forward(self, images: Tensor) -> Tensor:
        h = self.blocks(activated(self.from_image(images)))
        h = activated(self.conv(with_spread(h, self.group) if self.group else h))
        return activated(self.last(h.flatten(1)))


def _sizes(resolution: int) -> list[int]:
    """Halve `resolution` down to 4 to 7, as far as it is even; return all sizes, its own first."""
    sizes = [resolution]
    while sizes[-1] > 7 and sizes[-1] % 2 == 0:
        sizes.append(sizes[-1] // 2)
    return sizes


@dataclass(kw_only=True)
class Sizes(Architecture):
    """The options of the backbone, and which sizes it builds."""

    g_norms = ()
    d_norms = ("none",)
    per_sample = False
    latent_dim: int = 512
    style_dim: int = 512
    mapping_depth: int = 8
    width: int = 128  # channels next to the image; doubled at every halving
    max_width: int = 512
    group: int = 4  # images whose spread D is told; 0: none

    def __post_init__(self) -> None:
        if self.group < 0:
            raise ValueError(f"group must not be negative, found {self.group}")
        for name, value in vars(self).items():
            if name != "group" and value < 1:
                raise ValueError(f"{name} must be positive, found {value}")

    def unsupported(self, image: ImageSpec) -> str | None:
        sizes = _sizes(image.resolution)
        if len(sizes) == 1 or not 4 <= sizes[-1] <= 7:
            return (
                "it builds sizes of 4 to 7 times a power of two from 8 up (8, 16, 28, 32, 64, "
                f"...), and these images are {image.resolution} wide"
            )
        return None

    def pyramid(self, image: ImageSpec) -> tuple[list[int], list[int]]:
        """Return sizes and widths, from the image's own down to the smallest."""
        sizes = _sizes(image.resolution)
        return sizes, [min(self.width * 2**level, self.max_width) for level in range(len(sizes))]


@dataclass(kw_only=True)
class StyleGAN2(Sizes):
    """Modulated convolutions by styles, a skip generator, a residual D (Karras et al., 2020)."""

    name = "stylegan2"

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Generator(image, latent_dim, *self.pyramid(image), self)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return Discriminator(image, *self.pyramid(image), self.group)


# Beside any loss, for generators with styles


@dataclass(kw_only=True)
class PathLength(Regularizer):
    """Keep how far images move with their styles near its running mean (Karras et al., 2020)."""

    name = "path-length"
    whole_batch = True
    weight: Scheduled = 2.0
    decay: float = 0.01  # of the mean towards that of the batch
    every: int = 1  # lazy regularisation: one iteration in so many, weighted as much
    mean: Tensor = field(default_factory=lambda: torch.zeros(()), init=False, compare=False)

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"weight must not be negative, found {self.weight}")
        if not 0 <= self.decay <= 1:
            raise ValueError(f"decay must be from 0 to 1, found {self.decay}")
        if self.every < 1:
            raise ValueError(f"every must be positive, found {self.every}")

    def generator_loss(self, step: Step) -> Terms:
        if self.every > 1 and step.iteration % self.every:
            return {}
        styles = step.generate.styles(step.latents, step.fake.labels)
        images = step.generate.of_styles(styles)
        noise = torch.randn_like(images) / images[0, 0].numel() ** 0.5
        (slope,) = torch.autograd.grad((images * noise).sum(), styles, create_graph=True)
        lengths = slope.square().sum(2).mean(1).add(1e-12).sqrt()
        mean = torch.lerp(self.mean.to(lengths.device), lengths.detach().mean(), self.decay)
        self.mean = mean
        return {"path length": self.every * self.weight * (lengths - mean).square().mean()}


@dataclass(kw_only=True)
class StyleMixing(Regularizer):
    """Make some images of two styles, one from a layer on (Karras et al., 2019)."""

    name = "style-mixing"
    chance: Scheduled = 0.9  # of each image to be mixed

    def __post_init__(self) -> None:
        if not 0 <= self.chance <= 1:
            raise ValueError(f"chance must be from 0 to 1, found {self.chance}")

    def edit_generator_step(self, step: Step) -> Step:
        return replace(step, fake=step.fake.of(self._mixed(step)))

    def edit_discriminator_step(self, step: Step) -> Step:
        return replace(step, fake=step.fake.of(self._mixed(step).detach()))

    def _mixed(self, step: Step) -> Tensor:
        labels, latents = step.fake.labels, step.latents
        styles = step.generate.styles(latents, labels)
        other = latents[torch.randperm(len(latents), device=latents.device)]
        second = step.generate.styles(other, labels)
        layers = styles.shape[1]
        cut = torch.randint(1, max(2, layers), (len(styles), 1, 1), device=styles.device)
        is_mixed = torch.rand_like(styles[:, :1, :1]) < self.chance
        from_second = torch.arange(layers, device=styles.device)[:, None] >= cut
        return step.generate.of_styles(torch.where(from_second & is_mixed, second, styles))


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(StyleGAN2)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    for loss in (PathLength, StyleMixing):
        register(loss)
