"""Fully connected layers."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import ImageSpec, NormFactory
from ganbench.default_plugins.architectures.priors import WithPrior
from ganbench.default_plugins.architectures.sizes import check_positive

LEAK = 0.2


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
class MLP(WithPrior):
    """Fully connected layers without normalisation, for points and small images."""

    name = "mlp"
    g_norms = ()
    d_norms = ("none", "spectral")
    latent_dim: int = 16
    width: int = 128
    depth: int = 3  # hidden layers

    def __post_init__(self) -> None:
        check_positive(latent_dim=self.latent_dim, width=self.width, depth=self.depth)

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        hidden = [self.width] * self.depth
        return _MLPGenerator([latent_dim, *hidden, image.channels * image.resolution**2], image)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        hidden = [self.width] * self.depth
        return _MLPDiscriminator([image.channels * image.resolution**2, *hidden])
