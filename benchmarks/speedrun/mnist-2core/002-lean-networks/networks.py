"""DCGAN's networks for 28×28 pictures of one channel on a CPU, and the hinge loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, Loss, NormFactory, Step, Terms, hookimpl

SIZES = (4, 7, 14, 28)
KERNELS = (3, 4, 4)  # between two sizes, at stride 2
LEAK = 0.2


class Painted(nn.ConvTranspose2d):
    """A transposed convolution to one channel, as a product whose columns are laid over each other.

    With a single channel to compute, oneDNN's kernel takes three times as long.
    """

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        count, channels, side, _ = maps.shape
        pixels = maps.permute(0, 2, 3, 1).reshape(count, side * side, channels)
        patches = (pixels @ self.weight.flatten(1)).transpose(1, 2)
        assert self.bias is not None
        return F.fold(patches, 2 * side, self.kernel_size, padding=1, stride=2) + self.bias


class Seen(nn.Conv2d):
    """A convolution of one channel, as a product of its patches."""

    def forward(self, maps: Tensor) -> Tensor:
        size = int(self.kernel_size[0])
        patches = F.pad(maps[:, 0], (1, 1, 1, 1)).unfold(1, size, 2).unfold(2, size, 2)
        count, high, wide = patches.shape[:3]
        rows = patches.reshape(count, high * wide, -1)
        made = F.linear(rows, self.weight.flatten(1), self.bias)
        return made.view(count, high, wide, -1).permute(0, 3, 1, 2)


class Generator(nn.Module):
    """From a latent over 4×4, 7×7 and 14×14 to a picture."""

    def __init__(self, widths: list[int], latent_dim: int, norm: NormFactory, leak: float) -> None:
        super().__init__()
        self.first, self.leak = widths[0], leak
        self.project = nn.Linear(latent_dim, widths[0] * SIZES[0] ** 2)
        self.norms = nn.ModuleList(norm(width) for width in widths)
        self.ups = nn.ModuleList()
        for (before, after), kernel, (small, large) in zip(
            pairwise([*widths, 1]), KERNELS, pairwise(SIZES), strict=True
        ):
            left = large - (2 * small - 4 + kernel)  # pixels at the lower edge
            kind = Painted if after == 1 else nn.ConvTranspose2d
            self.ups.append(kind(before, after, kernel, 2, 1, output_padding=left))

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        side = SIZES[0]
        maps = self.project(z).view(-1, side, side, self.first).permute(0, 3, 1, 2)
        for norm, up in zip(self.norms, self.ups, strict=True):
            maps = up(F.leaky_relu(norm(maps, condition), self.leak))
        return maps.tanh()


class Discriminator(nn.Module):
    """From a picture over 14×14 and 7×7 to the features of 4×4 pixels."""

    def __init__(self, widths: list[int], norm: NormFactory) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for (before, after), kernel in zip(pairwise([1, *widths]), KERNELS[::-1], strict=True):
            kind = Seen if before == 1 else nn.Conv2d
            layers.append(kind(before, after, kernel, 2, 1))
            if before > 1:
                layers.append(norm(after))
            layers.append(nn.LeakyReLU(LEAK, inplace=True))
        self.layers = nn.Sequential(*layers)
        self.feature_dim = widths[-1] * SIZES[0] ** 2

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).permute(0, 2, 3, 1).flatten(1)


@dataclass(kw_only=True)
class LeanDCGAN(Architecture):
    """DCGAN (Radford et al., 2016) with PyTorch's initialisation, for two cores."""

    name = "lean-dcgan"
    latent_dim: int = 32
    width: int = 24  # channels at 14×14; twice and four times as many at 7×7 and 4×4
    leak: float = 0.1  # of G's units, which DCGAN has at 0

    def unsupported(self, image: ImageSpec) -> str | None:
        fits = (image.resolution, image.channels) == (SIZES[-1], 1)
        return None if fits else "it builds pictures of 28×28 pixels and one channel"

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Generator(self._widths[::-1], latent_dim, norm, self.leak)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return Discriminator(self._widths, norm)

    @property
    def _widths(self) -> list[int]:
        return [self.width, 2 * self.width, 4 * self.width]


@dataclass(kw_only=True)
class Margin(Loss):
    """The hinge loss (Lim & Ye, 2017)."""

    name = "margin"
    boundary = 0.0

    def discriminator_loss(self, step: Step) -> Terms:
        return {
            "real": F.relu(1 - step.real.logits).mean(),
            "fake": F.relu(1 + step.fake.logits).mean(),
        }

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean()}


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(LeanDCGAN)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(Margin)
