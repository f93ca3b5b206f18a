"""An architecture of two small networks."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl


class Generator(nn.Module):
    """One layer, a norm and another layer."""

    def __init__(self, image: ImageSpec, latent_dim: int, norm: NormFactory, width: int) -> None:
        super().__init__()
        self.shape = (image.channels, image.resolution, image.resolution)
        self.first = nn.Linear(latent_dim, width)
        self.norm = norm(width)
        self.last = nn.Linear(width, image.channels * image.resolution**2)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        h: Tensor = self.norm(self.first(z), condition)
        made: Tensor = self.last(F.relu(h))
        return made.tanh().view(-1, *self.shape)


class Discriminator(nn.Module):
    """One layer, and what comes of it."""

    def __init__(self, image: ImageSpec, width: int) -> None:
        super().__init__()
        self.feature_dim = width
        self.layer = nn.Linear(image.channels * image.resolution**2, width)

    def forward(self, images: Tensor) -> Tensor:
        return F.leaky_relu(self.layer(images.flatten(1)), 0.2)


@dataclass(kw_only=True)
class Typed(Architecture):
    """Fully connected, for images of any size."""

    name = "typed"
    g_norms = ("batch", "layer", "none")
    d_norms = ("none", "spectral")
    latent_dim: int = 32
    width: int = 64

    def unsupported(self, image: ImageSpec) -> str | None:
        return "these images are too large" if image.resolution > 256 else None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Generator(image, latent_dim, norm, self.width)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return Discriminator(image, self.width)


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(Typed)
