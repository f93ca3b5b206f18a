"""StyleGAN3 for ganbench: a generator without aliasing, from its paper's formulas."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl

TAPS = 6  # of a filter, for each step of the coarser of its two rates
OVER = 2  # times as many samples as layers have, where nonlinearities work
FIRST_CUTOFF, FIRST_STOPBAND = 2.0, 2**2.1  # cycles per image
LAST_STOPBAND = 2**0.3  # in cutoffs
GAIN = 2**0.5  # of leaky ReLU, which keeps the size of what comes in
HALF_LIFE = 20_000  # images in which half of what magnitudes were is forgotten

# Signals


class Band(NamedTuple):
    """What a layer's maps hold, in cycles and samples per image side."""

    cutoff: float
    half_width: float  # of the transition from what passes to what does not
    rate: int


def bands(resolution: int, layers: int, critical: int) -> list[Band]:
    """Return the bands of G's layers, of which the last are critical."""
    last = resolution / 2
    found = []
    for number in range(layers):
        share = min(number / (layers - critical), 1.0)
        cutoff = FIRST_CUTOFF * (last / FIRST_CUTOFF) ** share
        stopband = FIRST_STOPBAND * (last * LAST_STOPBAND / FIRST_STOPBAND) ** share
        halvings = math.floor(math.log2(max(1.0, resolution / (2 * stopband))))
        rate = resolution // 2**halvings
        found.append(Band(cutoff, max(stopband, rate / 2) - cutoff, rate))
    return found


def kaiser_beta(taps: int, half_width: float, rate: float) -> float:
    """Return the window's shape by Kaiser's formulas, from the attenuation that the taps allow."""
    attenuation = 2.285 * (taps - 1) * math.pi * (4 * half_width / rate) + 7.95
    if attenuation > 50:
        return 0.1102 * (attenuation - 8.7)
    return 0.5842 * max(attenuation - 21, 0) ** 0.4 + 0.07886 * max(attenuation - 21, 0)


def low_pass(taps: int, band: Band, rate: int, *, radial: bool = False) -> Tensor:
    """Return a filter at a rate whose taps sum to one, (taps,), or (taps, taps) where `radial`."""
    places = (torch.arange(taps, dtype=torch.float64) - (taps - 1) / 2) / rate
    beta = torch.tensor(kaiser_beta(taps, band.half_width, rate), dtype=torch.float64)
    inside = (1 - (places / places[-1]).square()).clamp(min=0).sqrt()
    window = torch.special.i0(beta * inside) / torch.special.i0(beta)
    if radial:
        r = torch.hypot(places[:, None], places)
        ideal = torch.special.bessel_j1(2 * math.pi * band.cutoff * r) / r  # no tap lies at 0
        ideal = ideal * torch.outer(window, window)
    else:
        ideal = torch.sinc(2 * band.cutoff * places) * window
    return (ideal / ideal.sum()).float()


def upsampled(h: Tensor, taps: Tensor, times: int) -> Tensor:
    """Return maps at so many times their rate, through a separable filter."""
    channels, gap = h.shape[1], (len(taps) - times) // 2
    for shape in ((1, 1, -1, 1), (1, 1, 1, -1)):
        is_row = shape[3] == -1
        h = F.conv_transpose2d(
            h,
            (times * taps).view(shape).expand(channels, -1, -1, -1),
            stride=(1, times) if is_row else (times, 1),
            padding=(0, gap) if is_row else (gap, 0),
            groups=channels,
        )
    return h


def downsampled(h: Tensor, taps: Tensor, times: int) -> Tensor:
    """Return maps at a fraction of their rate, through a separable filter or one of two axes."""
    channels, gap = h.shape[1], (len(taps) - times) // 2
    if taps.ndim == 2:
        kernel = taps.expand(channels, 1, -1, -1)
        return F.conv2d(h, kernel, stride=times, padding=gap, groups=channels)
    for shape, stride, padding in (
        ((1, 1, -1, 1), (times, 1), (gap, 0)),
        ((1, 1, 1, -1), (1, times), (0, gap)),
    ):
        kernel = taps.view(shape).expand(channels, -1, -1, -1)
        h = F.conv2d(h, kernel, stride=stride, padding=padding, groups=channels)
    return h


# Layers of G


class Linear(nn.Module):
    """A linear layer whose weights start at size one and are scaled as they are used."""

    def __init__(self, before: int, after: int, *, bias: float = 0.0, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before) / rate)
        self.bias = nn.Parameter(torch.full((after,), bias / rate))
        self.scale, self.rate = rate / before**0.5, rate

    def forward(self, x: Tensor) -> Tensor:
        return F.linear(x, self.weight * self.scale, self.bias * self.rate)


class Magnitude(nn.Module):
    """Divides maps by a running mean of their size."""

    square: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("square", torch.ones(()))

    def forward(self, h: Tensor) -> Tensor:
        if self.training:
            share = 1 - 0.5 ** (len(h) / HALF_LIFE)
            self.square.lerp_(h.detach().float().square().mean(), share)
        return h * (self.square + 1e-8).rsqrt()


class ModulatedConv(nn.Module):
    """A convolution whose weights a style scales, and whose outputs are normalised for that."""

    def __init__(self, before: int, after: int, kernel: int, style: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, kernel, kernel))
        self.affine = Linear(style, before, bias=1.0)
        self.bias = nn.Parameter(torch.zeros(after))
        self.magnitude = Magnitude()

    def forward(self, h: Tensor, style: Tensor) -> Tensor:
        scales, padding = self.affine(style), self.weight.shape[-1] // 2
        h = self.magnitude(h) * scales[:, :, None, None]
        size = scales.square() @ self.weight.square().sum((2, 3)).T
        made = F.conv2d(h, self.weight, padding=padding) * (size + 1e-8).rsqrt()[:, :, None, None]
        return made + self.bias[:, None, None]


class FilteredLayer(nn.Module):
    """A modulated convolution, and a leaky ReLU at a higher rate between two low-pass filters."""

    up: Tensor
    down: Tensor

    def __init__(
        self, before: int, after: int, bands: tuple[Band, Band], method: StyleGAN3, *, sharp: bool
    ) -> None:
        super().__init__()
        source, target = bands
        self.conv = ModulatedConv(before, after, 1 if method.rotation else 3, method.style_dim)
        rate = OVER * max(source.rate, target.rate)
        self.times_up, self.times_down = rate // source.rate, rate // target.rate
        radial = method.rotation and not sharp
        up = low_pass(TAPS * self.times_up, source, rate)
        down = low_pass(TAPS * self.times_down, target, rate, radial=radial)
        self.register_buffer("up", up, persistent=False)
        self.register_buffer("down", down, persistent=False)
        self.excess = method.margin * (target.rate // source.rate - 1)  # of the margin, enlarged

    def forward(self, h: Tensor, style: Tensor) -> Tensor:
        h = upsampled(self.conv(h, style), self.up, self.times_up)
        h = downsampled(F.leaky_relu(h, 0.2) * GAIN, self.down, self.times_down)
        return _cut(h, self.excess)


def _cut(h: Tensor, border: int) -> Tensor:
    return h[..., border : h.shape[-2] - border, border : h.shape[-1] - border]


class FourierFeatures(nn.Module):
    """Waves of frequencies in a band, which a style turns and moves, mixed by learnt weights."""

    frequencies: Tensor
    phases: Tensor

    def __init__(self, channels: int, band: Band, margin: int, style: int) -> None:
        super().__init__()
        self.rate, self.margin = band.rate, margin
        directions = F.normalize(torch.randn(channels, 2), dim=1)
        radii = torch.rand(channels, 1).sqrt() * band.cutoff  # uniform in the disc
        self.register_buffer("frequencies", directions * radii)
        self.register_buffer("phases", torch.rand(channels))
        self.affine = Linear(style, 4)
        nn.init.zeros_(self.affine.weight)
        with torch.no_grad():
            self.affine.bias.copy_(torch.tensor([1.0, 0.0, 0.0, 0.0]))
        self.weight = nn.Parameter(torch.randn(channels, channels))

    def forward(self, style: Tensor) -> Tensor:
        """Return features (N, C, H, W) of styles (N, W)."""
        move = self.affine(style)
        cos, sin, *shift = (move / move[:, :2].norm(dim=1, keepdim=True)).unbind(1)
        side = self.rate + 2 * self.margin
        line = (torch.arange(side, device=style.device) - self.margin + 0.5) / self.rate - 0.5
        y, x = torch.meshgrid(line, line, indexing="ij")
        x, y = (axis - by[:, None, None] for axis, by in zip((x, y), shift, strict=True))
        cos, sin = cos[:, None, None], sin[:, None, None]
        places = torch.stack([cos * x + sin * y, cos * y - sin * x], 3)
        waves = torch.sin(2 * math.pi * (places @ self.frequencies.T + self.phases))
        return (waves @ self.weight.T / self.weight.shape[1] ** 0.5).permute(0, 3, 1, 2)


class Mapping(nn.Module):
    """From latents, scaled to one length, to styles."""

    def __init__(self, latent_dim: int, style: int, depth: int) -> None:
        super().__init__()
        widths = [latent_dim, *[style] * depth]
        self.layers = nn.ModuleList(Linear(a, b, rate=0.01) for a, b in pairwise(widths))

    def forward(self, z: Tensor) -> Tensor:
        h = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        for layer in self.layers:
            h = F.leaky_relu(layer(h), 0.2) * GAIN
        return h


class Generator(nn.Module):
    """Fourier features, filtered layers of growing bands, and an image without its margin."""

    def __init__(self, image: ImageSpec, latent_dim: int, method: StyleGAN3) -> None:
        super().__init__()
        found = bands(image.resolution, method.layers, method.critical)
        widths = [method.channels(band, image.resolution) for band in found]
        self.margin = method.margin
        self.mapping = Mapping(latent_dim, method.style_dim, method.mapping_depth)
        self.input = FourierFeatures(widths[0], found[0], method.margin, method.style_dim)
        self.layers = nn.ModuleList(
            FilteredLayer(
                *(widths[before], widths[number]),
                (found[before], found[number]),
                method,
                sharp=number >= method.layers - method.critical,
            )
            for number, before in enumerate([0, *range(method.layers - 1)])
        )
        self.affine = Linear(method.style_dim, widths[-1], bias=1.0)
        self.magnitude = Magnitude()
        self.to_image = nn.Parameter(torch.randn(image.channels, widths[-1]))
        self.bias = nn.Parameter(torch.zeros(image.channels))

    def styles(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """Return one style for the input, each layer and the image, (N, L, W)."""
        return self.mapping(z)[:, None].expand(-1, len(self.layers) + 2, -1)

    def synthesise(self, styles: Tensor) -> Tensor:
        """Return images of styles (N, L, W)."""
        h = self.input(styles[:, 0])
        for number, layer in enumerate(self.layers, start=1):
            h = layer(h, styles[:, number])
        scales = self.affine(styles[:, -1]) / self.to_image.shape[1] ** 0.5
        h = self.magnitude(_cut(h, self.margin)) * scales[:, :, None, None]
        return (F.conv2d(h, self.to_image[:, :, None, None]) + self.bias[:, None, None]).tanh()


# D, as StyleGAN2's


class Conv(nn.Module):
    """A convolution that keeps the size, whose weights are scaled as they are used."""

    def __init__(self, before: int, after: int, kernel: int, *, bias: bool = True) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(after, before, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(after)) if bias else None
        self.scale = (before * kernel**2) ** -0.5

    def forward(self, h: Tensor) -> Tensor:
        kernel = self.weight.shape[-1]
        return F.conv2d(h, self.weight * self.scale, self.bias, padding=kernel // 2)


class DownBlock(nn.Module):
    """Two convolutions and a shortcut, half as large after it."""

    taps: Tensor

    def __init__(self, before: int, after: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = Conv(before, before, 3), Conv(before, after, 3)
        self.shortcut = Conv(before, after, 1, bias=False)
        self.register_buffer("taps", torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8, persistent=False)

    def forward(self, h: Tensor) -> Tensor:
        residual = downsampled(F.leaky_relu(self.conv1(h), 0.2) * GAIN, self.taps, 2)
        residual = F.leaky_relu(self.conv2(residual), 0.2) * GAIN
        return (residual + self.shortcut(downsampled(h, self.taps, 2))) / 2**0.5


class Discriminator(nn.Module):
    """Residual blocks down to 4 to 7 pixels, where it is told the spread of a group."""

    def __init__(self, image: ImageSpec, widths: list[int], last: int, group: int) -> None:
        super().__init__()
        self.group, self.feature_dim = group, widths[-1]
        self.from_image = Conv(image.channels, widths[0], 1)
        self.blocks = nn.Sequential(*(DownBlock(a, b) for a, b in pairwise(widths)))
        self.conv = Conv(widths[-1] + (group > 0), widths[-1], 3)
        self.last = Linear(widths[-1] * last**2, widths[-1])

    def forward(self, images: Tensor) -> Tensor:
        h = self.blocks(F.leaky_relu(self.from_image(images), 0.2) * GAIN)
        h = F.leaky_relu(self.conv(self._with_spread(h)), 0.2) * GAIN
        return F.leaky_relu(self.last(h.flatten(1)), 0.2) * GAIN

    def _with_spread(self, h: Tensor) -> Tensor:
        if not self.group:
            return h
        group = self.group if len(h) % self.group == 0 else len(h)
        groups = h.unflatten(0, (group, -1))
        spread = (groups.var(0, correction=0) + 1e-8).sqrt().mean((1, 2, 3)).repeat(group)
        return torch.cat([h, spread.view(-1, 1, 1, 1).expand(-1, 1, *h.shape[2:])], 1)


@dataclass(kw_only=True)
class StyleGAN3(Architecture):
    """A generator that moves, or turns, what it makes without aliasing (Karras et al., 2021)."""

    name = "stylegan3"
    g_norms = ()
    d_norms = ("none",)
    per_sample = False
    latent_dim: int = 512
    style_dim: int = 512
    mapping_depth: int = 2
    kind: Literal["t", "r"] = "t"  # translation; r: rotation, too
    layers: int = 14  # of G
    critical: int = 2  # of them, the last ones, whose band is all that their rate can hold
    margin: int = 10  # samples around the image, at each rate
    width: int = 128  # of channels next to the image, doubled where the band is half as wide
    max_width: int = 512
    group: int = 4  # images whose spread D is told; 0: none

    def __post_init__(self) -> None:
        for name in ("group", "margin", "critical"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")
        for name in ("latent_dim", "style_dim", "mapping_depth", "width", "max_width"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, found {getattr(self, name)}")
        if self.layers <= self.critical:
            raise ValueError(
                f"of {self.layers} layers, {self.critical} cannot be critical; use fewer"
            )

    @property
    def rotation(self) -> bool:
        """Whether G's convolutions see one place, and its filters are round."""
        return self.kind == "r"

    def channels(self, band: Band, resolution: int) -> int:
        """Return how many channels a layer of G has; kind r has twice as many."""
        wide = min(self.width * resolution / 2 / band.cutoff, self.max_width)
        return round(wide * (1 + self.rotation))

    def unsupported(self, image: ImageSpec) -> str | None:
        sizes = _sizes(image.resolution)
        if len(sizes) == 1 or not 4 <= sizes[-1] <= 7:
            return (
                "it builds sizes of 4 to 7 times a power of two from 8 up (8, 16, 28, 32, 64, "
                f"...), and these images are {image.resolution} wide"
            )
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Generator(image, latent_dim, self)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        sizes = _sizes(image.resolution)
        widths = [min(self.width * 2**level, self.max_width) for level in range(len(sizes))]
        return Discriminator(image, widths, sizes[-1], self.group)


def _sizes(resolution: int) -> list[int]:
    """Halve `resolution` down to 4 to 7, as far as it is even; return all sizes, its own first."""
    sizes = [resolution]
    while sizes[-1] > 7 and sizes[-1] % 2 == 0:
        sizes.append(sizes[-1] // 2)
    return sizes


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(StyleGAN3)
