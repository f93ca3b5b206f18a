"""Residual blocks."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import ImageSpec, NormFactory
from ganbench.default_plugins.architectures.layouts import unflatten
from ganbench.default_plugins.architectures.priors import WithPrior
from ganbench.default_plugins.architectures.sizes import check_positive, halvings


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
        h = unflatten(self.project(z), self.start, self.to_image)
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
class ResNet(WithPrior):
    """Residual blocks as in SNGAN (Miyato et al., 2018), for sizes 4 to 7 times a power of two."""

    name = "resnet"
    d_norms = ("spectral", "layer", "instance", "batch", "none")
    latent_dim: int = 128
    width: int = 128

    def __post_init__(self) -> None:
        check_positive(latent_dim=self.latent_dim, width=self.width)

    def unsupported(self, image: ImageSpec) -> str | None:
        size = halvings(image.resolution)[-1]
        doublings = len(halvings(image.resolution)) - 1
        if doublings < 2 or size * 2**doublings != image.resolution:
            return (
                "it builds sizes of 4 to 7 times a power of two from 16 up (28, 32, 40, 48, 56, "
                f"64, 80, ...), and these images are {image.resolution} wide"
            )
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        sizes = halvings(image.resolution)
        net = _ResNetGenerator(self.width, sizes, image.channels, latent_dim, norm)
        self._initialise(net)
        return net

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        net = _ResNetDiscriminator(self.width, halvings(image.resolution), image.channels, norm)
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
