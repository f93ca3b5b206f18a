"""Styles (Karras et al., 2019, arXiv 1812.04948) of perceptrons, as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import ImageSpec, NormFactory, hookimpl
from ganbench.default_plugins.architectures import MLP


class Styled(nn.Module):
    """A mapping of latents to two styles, and layers that these scale."""

    def __init__(self, image: ImageSpec, latent_dim: int, width: int) -> None:
        super().__init__()
        self.shape = (image.channels, image.resolution, image.resolution)
        self.mapping = nn.Linear(latent_dim, width)
        self.constant = nn.Parameter(torch.randn(width))
        self.hidden = nn.Linear(width, width)
        self.out = nn.Linear(width, image.channels * image.resolution**2)

    def styles(self, z: Tensor, condition: Tensor | None) -> Tensor:
        """Return the same style for each of both layers, (N, 2, W)."""
        return F.leaky_relu(self.mapping(z), 0.2)[:, None].expand(-1, 2, -1)

    def synthesise(self, styles: Tensor) -> Tensor:
        h = F.leaky_relu(self.hidden(self.constant * styles[:, 0]), 0.2)
        return self.out(h * styles[:, 1]).tanh().view(-1, *self.shape)


@dataclass(kw_only=True)
class StyledMLP(MLP):
    """Perceptrons, of which G goes by styles."""

    name = "styled-mlp"

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Styled(image, latent_dim, self.width)


@hookimpl
def register_architectures(register):
    register(StyledMLP)
