"""Path length regularisation of styles (Karras et al., 2020, arXiv 1912.04958), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import ImageSpec, NormFactory, Regularizer, Step, Terms, hookimpl
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


@dataclass(kw_only=True)
class PathLength(Regularizer):
    """Keep how far images move with their styles near its running mean."""

    name = "path-length"
    whole_batch = True
    weight: float = 2.0
    decay: float = 0.01
    mean: Tensor = field(default_factory=lambda: torch.zeros(()), init=False, compare=False)

    def generator_loss(self, step: Step) -> Terms:
        styles = step.generate.styles(step.latents, step.fake.labels)
        images = step.generate.of_styles(styles)
        noise = torch.randn_like(images) / images[0, 0].numel() ** 0.5
        (slope,) = torch.autograd.grad((images * noise).sum(), styles, create_graph=True)
        lengths = slope.square().sum(2).mean(1).add(1e-12).sqrt()
        mean = torch.lerp(self.mean.to(lengths.device), lengths.detach().mean(), self.decay)
        self.mean = mean
        return {"path length": self.weight * (lengths - mean).square().mean()}


@hookimpl
def register_architectures(register):
    register(StyledMLP)


@hookimpl
def register_losses(register):
    register(PathLength)
