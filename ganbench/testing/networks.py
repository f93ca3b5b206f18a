"""A small architecture for judging conditionings, and what is done to networks to judge them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench.contracts.architectures import Architecture, NormFactory
from ganbench.specs import ImageSpec


class _Generator(nn.Module):
    def __init__(self, image: ImageSpec, latent_dim: int, norm: NormFactory, width: int) -> None:
        super().__init__()
        self.start = (width, image.resolution, image.resolution)
        self.project = nn.Linear(latent_dim, width * image.resolution**2)
        self.norm = norm(width)
        self.to_image = nn.Conv2d(width, image.channels, 3, padding=1)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        h = self.project(z).view(-1, *self.start)
        return self.to_image(self.norm(h, condition).tanh()).tanh()


class _Discriminator(nn.Module):
    def __init__(self, image: ImageSpec, norm: NormFactory, width: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(image.channels, width, 4, stride=2, padding=1)
        self.norm = norm(width)
        self.feature_dim = width * (image.resolution // 2) ** 2

    def forward(self, images: Tensor) -> Tensor:
        return self.norm(F.softplus(self.conv(images))).flatten(1)


@dataclass(kw_only=True)
class TinyConv(Architecture):
    """One normalised layer on each side, for even sizes from 4 up."""

    name = "tiny-conv"
    latent_dim: int = 6
    width: int = 4

    def unsupported(self, image: ImageSpec) -> str | None:
        if image.resolution < 4 or image.resolution % 2:
            return f"it builds even sizes from 4 up, and these images are {image.resolution} wide"
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return _Generator(image, latent_dim, norm, self.width)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return _Discriminator(image, norm, self.width)


@torch.no_grad()
def shaken(module: nn.Module, size: float = 0.3) -> nn.Module:
    """Noise on every weight, so that what starts at zero or one counts too."""
    for parameter in module.parameters():
        parameter.add_(torch.randn_like(parameter), alpha=size)
    return module


def without_gradient(module: nn.Module) -> list[str]:
    """The parameters that a backward pass left untouched, or with a gradient of zero."""
    return [
        name
        for name, parameter in module.named_parameters()
        if parameter.grad is None or not parameter.grad.any()
    ]


def finite_gradients(module: nn.Module) -> bool:
    gradients = [p.grad for p in module.parameters() if p.grad is not None]
    return bool(gradients) and all(bool(gradient.isfinite().all()) for gradient in gradients)


def random_images(count: int, image: ImageSpec) -> Tensor:
    return torch.rand(count, image.channels, image.resolution, image.resolution) * 2 - 1


def random_labels(count: int, classes: int) -> Tensor | None:
    """Every class at least once, where there is room for all of them."""
    return torch.arange(count) % classes if classes else None
