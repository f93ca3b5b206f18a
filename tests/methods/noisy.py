"""A generator that sees its latents again behind the conditioner's, as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl


class Generator(nn.Module):
    """A perceptron whose last layer is handed the plain latents too."""

    sees_noise = True

    def __init__(self, image: ImageSpec, latent_dim: int, noise_dim: int, width: int) -> None:
        super().__init__()
        self.shape = (image.channels, image.resolution, image.resolution)
        pixels = image.channels * image.resolution**2
        self.hidden = nn.Linear(latent_dim, width)
        self.out = nn.Linear(width + noise_dim, pixels)

    def forward(self, z: Tensor, condition: Tensor | None, noise: Tensor) -> Tensor:
        h = torch.cat([F.relu(self.hidden(z)), noise], 1)
        return self.out(h).tanh().view(-1, *self.shape)


class Discriminator(nn.Module):
    """A perceptron."""

    def __init__(self, image: ImageSpec, width: int) -> None:
        super().__init__()
        self.feature_dim = width
        self.hidden = nn.Linear(image.channels * image.resolution**2, width)

    def forward(self, images: Tensor) -> Tensor:
        return F.leaky_relu(self.hidden(images.flatten(1)), 0.2)


@dataclass(kw_only=True)
class Noisy(Architecture):
    """Perceptrons of one hidden layer, where latents enter twice."""

    name = "noisy"
    g_norms = ()
    d_norms = ("none", "spectral")
    latent_dim: int = 8
    width: int = 16

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Generator(image, latent_dim, self.latent_dim, self.width)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return Discriminator(image, self.width)


@hookimpl
def register_architectures(register):
    register(Noisy)
