"""Fade-in of progressive growing (Karras et al., 2018, arXiv 1710.10196), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl


class Fading(nn.Module):
    """Goes from half of the resolution to all of it in the second quarter of the budget."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("progress", torch.ones(()))  # whoever trains fills it

    @property
    def alpha(self) -> Tensor:
        """The share of the full resolution."""
        return (4 * self.progress - 1).clamp(0, 1)


class Generator(Fading):
    def __init__(self, image: ImageSpec, latent_dim: int, width: int) -> None:
        super().__init__()
        half = image.resolution // 2
        self.shape = (width, half, half)
        self.project = nn.Linear(latent_dim, width * half**2)
        self.low = nn.Conv2d(width, image.channels, 1)
        self.high = nn.Conv2d(width, image.channels, 3, padding=1)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        h = F.relu(self.project(z)).view(-1, *self.shape)
        low = F.interpolate(self.low(h), scale_factor=2.0)
        high = self.high(F.interpolate(h, scale_factor=2.0))
        return low.lerp(high, self.alpha).tanh()


class Discriminator(Fading):
    def __init__(self, image: ImageSpec, width: int) -> None:
        super().__init__()
        self.feature_dim = width * (image.resolution // 2) ** 2
        self.low = nn.Conv2d(image.channels, width, 1)
        self.high = nn.Conv2d(image.channels, width, 4, 2, 1)

    def forward(self, images: Tensor) -> Tensor:
        low, high = self.low(F.avg_pool2d(images, 2)), self.high(images)
        return F.leaky_relu(low.lerp(high, self.alpha), 0.2).flatten(1)


@dataclass(kw_only=True)
class FadeIn(Architecture):
    """From half of the resolution to all of it, faded in (Karras et al., 2018)."""

    name = "fade-in"
    g_norms = ()
    d_norms = ("none",)
    latent_dim: int = 16
    width: int = 16

    def unsupported(self, image: ImageSpec) -> str | None:
        return None if image.resolution % 2 == 0 else "it halves images, whose sides must be even"

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Generator(image, latent_dim, self.width)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return Discriminator(image, self.width)


@hookimpl
def register_architectures(register):
    register(FadeIn)
