"""Minibatch standard deviation in D (Karras et al., 2018, arXiv 1710.10196), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl


def spread(h: Tensor, group: int) -> Tensor:
    """Return how far features (N, F) differ within groups of a batch, (N, 1).

    It is the mean over features of their standard deviations; where the batch is not made of whole
    groups, it is one.
    """
    group = group if len(h) % group == 0 else len(h)
    groups = h.unflatten(0, (group, -1))  # of every (N / group)-th image, as published
    deviations = (groups.var(0, correction=0) + 1e-8).sqrt().mean(1, keepdim=True)
    return deviations.repeat(group, 1)


class Generator(nn.Module):
    """A perceptron."""

    def __init__(self, image: ImageSpec, latent_dim: int, width: int) -> None:
        super().__init__()
        self.shape = (image.channels, image.resolution, image.resolution)
        self.hidden = nn.Linear(latent_dim, width)
        self.out = nn.Linear(width, image.channels * image.resolution**2)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return self.out(F.relu(self.hidden(z))).tanh().view(-1, *self.shape)


class Discriminator(nn.Module):
    """A perceptron that sees how different the images of a batch are."""

    def __init__(self, image: ImageSpec, width: int, group: int) -> None:
        super().__init__()
        self.feature_dim = width + 1
        self.group = group
        self.hidden = nn.Linear(image.channels * image.resolution**2, width)

    def forward(self, images: Tensor) -> Tensor:
        h = F.leaky_relu(self.hidden(images.flatten(1)), 0.2)
        return torch.cat([h, spread(h, self.group)], 1)


@dataclass(kw_only=True)
class MinibatchStddev(Architecture):
    """Perceptrons of one hidden layer, whose D is told the spread of each group of images."""

    name = "minibatch-stddev"
    g_norms = ()
    d_norms = ("none", "spectral")
    per_sample = False
    latent_dim: int = 8
    width: int = 16
    group: int = 4

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Generator(image, latent_dim, self.width)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return Discriminator(image, self.width, self.group)


@hookimpl
def register_architectures(register):
    register(MinibatchStddev)
