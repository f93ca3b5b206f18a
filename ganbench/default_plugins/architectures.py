"""The built-in architectures."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Literal

import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl

LEAK = 0.2


def _check_positive(**options: float | None) -> None:
    for name, value in options.items():
        if value is not None and value <= 0:
            raise ValueError(f"{name} must be positive, found {value}")


def _halvings(resolution: int, smallest: int = 7) -> list[int]:
    """The sizes from `resolution` down to at most `smallest`, each half the last, rounded up."""
    sizes = [resolution]
    while sizes[-1] > smallest:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes


def _kernel(size: int) -> int:
    """The kernel with which stride 2 and padding 1 map `size` to its half, rounded up, and back."""
    return 4 if size % 2 == 0 else 3


def initialise(module: nn.Module, std: float | None) -> None:
    """Normal(0, std) weights, as in DCGAN; None keeps PyTorch's own initialisation."""
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
        self.conv = nn.Conv2d(in_channels, out_channels, 3, padding=1)

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
        return nn.ConvTranspose2d(before, after, _kernel(size), stride=2, padding=1)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        h = self.project(z).view(-1, *self.start)
        for norm, up in zip(self.norms, self.ups, strict=True):
            h = up(F.relu(norm(h, condition)))
        return h.tanh()


class _DCGANDiscriminator(nn.Module):
    def __init__(
        self, channels: list[int], sizes: list[int], norm: NormFactory, dropout: float
    ) -> None:
        super().__init__()
        self.feature_dim = channels[-1] * sizes[-1] ** 2
        self.layers = nn.Sequential(*self._layers(channels, sizes, norm, dropout), nn.Flatten())

    @staticmethod
    def _layers(
        channels: list[int], sizes: list[int], norm: NormFactory, dropout: float
    ) -> Iterator[nn.Module]:
        for level, (before, after) in enumerate(pairwise(channels)):
            yield nn.Conv2d(before, after, _kernel(sizes[level]), stride=2, padding=1)
            if level:  # no normalisation of the first layer (Radford et al., 2016)
                yield norm(after)
            yield nn.LeakyReLU(LEAK, inplace=True)
            if dropout:
                yield nn.Dropout2d(dropout)

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


@dataclass(kw_only=True)
class DCGAN(Architecture):
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
        _check_positive(latent_dim=self.latent_dim, width=self.width, g_width=self.g_width)
        _check_positive(max_width=self.max_width, smallest=self.smallest, init_std=self.init_std)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout must be from 0 to below 1, found {self.dropout}")

    def unsupported(self, image: ImageSpec) -> str | None:
        if not 28 <= image.resolution <= 256:
            return f"it builds sizes from 28 to 256, and these images are {image.resolution} wide"
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        sizes = _halvings(image.resolution, self.smallest)
        channels = [image.channels, *self._widths(len(sizes) - 1, self.g_width or self.width)]
        net = _DCGANGenerator(channels[::-1], sizes[::-1], latent_dim, norm, self.upsampling)
        initialise(net, self.init_std)
        return net

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        sizes = _halvings(image.resolution, self.smallest)
        channels = [image.channels, *self._widths(len(sizes) - 1, self.width)]
        net = _DCGANDiscriminator(channels, sizes, norm, self.dropout)
        initialise(net, self.init_std)
        return net

    def _widths(self, levels: int, width: int) -> list[int]:
        return [min(width * 2**level, self.max_width) for level in range(levels)]


class _UpBlock(nn.Module):
    """Residual block of a generator, twice as large after it."""

    def __init__(self, before: int, after: int, norm: NormFactory) -> None:
        super().__init__()
        self.norm1, self.norm2 = norm(before), norm(after)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, h: Tensor, condition: Tensor | None) -> Tensor:
        larger = F.interpolate(F.relu(self.norm1(h, condition)), scale_factor=2)
        residual = self.conv2(F.relu(self.norm2(self.conv1(larger), condition)))
        return residual + self.shortcut(F.interpolate(h, scale_factor=2))


class _DownBlock(nn.Module):
    """Residual block of a discriminator, half as large after it where `down`."""

    def __init__(
        self, before: int, after: int, norm: NormFactory, *, first: bool, down: bool
    ) -> None:
        super().__init__()
        self.first, self.down = first, down
        self.norm1, self.norm2 = nn.Identity() if first else norm(before), norm(after)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, h: Tensor) -> Tensor:
        before = h if self.first else F.relu(self.norm1(h))
        residual = self.conv2(F.relu(self.norm2(self.conv1(before))))
        shortcut = self.shortcut(h)
        if self.down:
            residual, shortcut = F.avg_pool2d(residual, 2), F.avg_pool2d(shortcut, 2)
        return residual + shortcut


class _ResNetGenerator(nn.Module):
    def __init__(
        self, width: int, sizes: list[int], out: int, latent_dim: int, norm: NormFactory
    ) -> None:
        super().__init__()
        self.start = (width, sizes[-1], sizes[-1])
        self.project = nn.Linear(latent_dim, width * sizes[-1] ** 2)
        self.blocks = nn.ModuleList(_UpBlock(width, width, norm) for _ in sizes[1:])
        self.norm = norm(width)
        self.to_image = nn.Conv2d(width, out, 3, padding=1)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        h = self.project(z).view(-1, *self.start)
        for block in self.blocks:
            h = block(h, condition)
        return self.to_image(F.relu(self.norm(h, condition))).tanh()


class _ResNetDiscriminator(nn.Module):
    def __init__(self, width: int, sizes: list[int], channels: int, norm: NormFactory) -> None:
        super().__init__()
        self.feature_dim = width
        downs = [True] * (len(sizes) - 1) + [False]
        self.blocks = nn.Sequential(
            *(
                _DownBlock(width if level else channels, width, norm, first=not level, down=down)
                for level, down in enumerate(downs)
            )
        )

    def forward(self, images: Tensor) -> Tensor:
        return F.relu(self.blocks(images)).sum((2, 3))


@dataclass(kw_only=True)
class ResNet(Architecture):
    """Residual blocks as in SNGAN (Miyato et al., 2018), for sizes 4 to 7 times a power of two."""

    name = "resnet"
    d_norms = ("spectral", "layer", "instance", "batch", "none")
    latent_dim: int = 128
    width: int = 128

    def __post_init__(self) -> None:
        _check_positive(latent_dim=self.latent_dim, width=self.width)

    def unsupported(self, image: ImageSpec) -> str | None:
        size = _halvings(image.resolution)[-1]
        doublings = len(_halvings(image.resolution)) - 1
        if doublings < 2 or size * 2**doublings != image.resolution:
            return (
                "it builds sizes of 4 to 7 times a power of two from 16 up (28, 32, 40, 48, 56, "
                f"64, 80, ...), and these images are {image.resolution} wide"
            )
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        sizes = _halvings(image.resolution)
        net = _ResNetGenerator(self.width, sizes, image.channels, latent_dim, norm)
        self._initialise(net)
        return net

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        net = _ResNetDiscriminator(self.width, _halvings(image.resolution), image.channels, norm)
        self._initialise(net)
        return net

    @staticmethod
    def _initialise(net: nn.Module) -> None:
        for part in net.modules():
            if isinstance(part, nn.Conv2d | nn.Linear):
                gain = 2**0.5 if getattr(part, "kernel_size", None) == (3, 3) else 1.0
                nn.init.xavier_uniform_(part.weight, gain)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)


class _MLPGenerator(nn.Module):
    def __init__(self, sizes: list[int], image: ImageSpec) -> None:
        super().__init__()
        self.shape = (image.channels, image.resolution, image.resolution)
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        *hidden, last = self.layers
        for layer in hidden:
            z = F.relu(layer(z))
        return last(z).tanh().view(-1, *self.shape)


class _MLPDiscriminator(nn.Module):
    def __init__(self, sizes: list[int]) -> None:
        super().__init__()
        self.feature_dim = sizes[-1]
        self.layers = nn.ModuleList(nn.Linear(a, b) for a, b in pairwise(sizes))

    def forward(self, images: Tensor) -> Tensor:
        h = images.flatten(1)
        for layer in self.layers:
            h = F.leaky_relu(layer(h), LEAK)
        return h


@dataclass(kw_only=True)
class MLP(Architecture):
    """Fully connected layers without normalisation, for points and small images."""

    name = "mlp"
    g_norms = ()
    d_norms = ("none", "spectral")
    latent_dim: int = 16
    width: int = 128
    depth: int = 3  # hidden layers

    def __post_init__(self) -> None:
        _check_positive(latent_dim=self.latent_dim, width=self.width, depth=self.depth)

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        hidden = [self.width] * self.depth
        return _MLPGenerator([latent_dim, *hidden, image.channels * image.resolution**2], image)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        hidden = [self.width] * self.depth
        return _MLPDiscriminator([image.channels * image.resolution**2, *hidden])


@hookimpl
def register_architectures(register) -> None:
    for architecture in (MLP, DCGAN, ResNet):
        register(architecture)
