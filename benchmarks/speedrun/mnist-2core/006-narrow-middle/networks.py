"""DCGAN's networks for 28×28 pictures of one channel on a CPU, and a hinge loss."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import (
    Architecture,
    ImageSpec,
    Loss,
    NormFactory,
    Owned,
    Scored,
    Shapes,
    Step,
    Terms,
    hookimpl,
)

SIZES = (4, 7, 14, 28)
KERNELS = (3, 4, 4)  # between two sizes, at stride 2
LEAK = 0.2
PAPER = 2 * 11 / 255  # of [-1, 1]: 11 of 255 levels


def patches(images: Tensor) -> Tensor:
    """Return the patches of 4×4 at stride 2 of images (N, S, S) with a border, (N·S²/4, 16)."""
    cut = F.pad(images, (1, 1, 1, 1)).unfold(1, 4, 2).unfold(2, 4, 2)
    return cut.reshape(-1, 16)


def laid(rows: Tensor, side: int) -> Tensor:
    """Return images (N, S, S) onto which patches are laid and added: the adjoint of `patches`.

    A patch is four tiles of 2×2, and tiles of one kind do not overlap.
    """
    half = side // 2
    tiles = rows.view(-1, half, half, 2, 2, 2, 2)  # row and column, of which tile, within it
    found = rows.new_zeros(len(tiles), half + 1, 2, half + 1, 2)
    for down in (0, 1):
        for right in (0, 1):
            kind = tiles[:, :, :, down, :, right].permute(0, 1, 3, 2, 4)
            found[:, down : down + half, :, right : right + half] += kind
    return found.view(-1, side + 2, side + 2)[:, 1:-1, 1:-1]


class Patches(torch.autograd.Function):
    """`patches`, whose gradient is `laid`: both take a fraction of what autograd's own takes."""

    @staticmethod
    def forward(ctx: Any, images: Tensor) -> Tensor:
        ctx.side = images.shape[-1]
        return patches(images)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        return laid(gradient, ctx.side)


class Laid(torch.autograd.Function):
    """`laid`, whose gradient is `patches`."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, side: int) -> Tensor:
        return laid(rows, side)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return patches(gradient), None


class Painted(nn.ConvTranspose2d):
    """A transposed convolution to one channel, as a product whose rows are laid over each other.

    With a single channel to compute, oneDNN's kernel takes three times as long.
    """

    def forward(self, maps: Tensor, output_size: list[int] | None = None) -> Tensor:
        channels, side = maps.shape[1:3]
        rows = maps.permute(0, 2, 3, 1).reshape(-1, channels) @ self.weight.flatten(1)
        assert self.bias is not None
        return (Laid.apply(rows, 2 * side) + self.bias).unsqueeze(1)


class Seen(nn.Conv2d):
    """A convolution of one channel and its leak, as a product of patches.

    The leak comes before the view: one that is done in place in a view has autograd copy it all.
    """

    def forward(self, maps: Tensor) -> Tensor:
        half = maps.shape[-1] // 2
        rows = F.linear(Patches.apply(maps[:, 0]), self.weight.flatten(1), self.bias)
        leaky = F.leaky_relu(rows, LEAK, inplace=True)
        return leaky.view(-1, half, half, self.out_channels).permute(0, 3, 1, 2)


class Generator(nn.Module):
    """From a latent over 4×4, 7×7 and 14×14 to a picture; the first two are told the class.

    In evaluation the faintest grey is paper: what a tanh after so few steps has not blackened yet.
    """

    def __init__(self, widths: list[int], latent_dim: int, norm: NormFactory, leak: float) -> None:
        super().__init__()
        self.first, self.leak = widths[0], leak
        self.project = nn.Linear(latent_dim, widths[0] * SIZES[0] ** 2)
        self.norms = nn.ModuleList(norm(width) for width in widths[:-1])
        self.last_norm = nn.BatchNorm2d(widths[-1])
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
        *ups, paint = self.ups
        for norm, up in zip(self.norms, ups, strict=True):
            maps = up(F.leaky_relu(norm(maps, condition), self.leak, inplace=True))
        painted = paint(F.leaky_relu(self.last_norm(maps), self.leak, inplace=True)).tanh()
        if self.training:
            return painted
        return (1 - (1 - painted) * 2 / (2 - PAPER)).clamp_min(-1)


class Discriminator(nn.Module):
    """From a picture over 14×14 and 7×7 to the features of 4×4 pixels."""

    def __init__(self, widths: list[int], norm: NormFactory) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for (before, after), kernel in zip(pairwise([1, *widths]), KERNELS[::-1], strict=True):
            if before == 1:
                layers.append(Seen(before, after, kernel, 2, 1))
                continue
            convolution = nn.Conv2d(before, after, kernel, 2, 1)
            layers += [convolution, norm(after), nn.LeakyReLU(LEAK, inplace=True)]
        self.layers = nn.Sequential(*layers)
        self.feature_dim = widths[-1] * SIZES[0] ** 2

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images).permute(0, 2, 3, 1).flatten(1)


@dataclass(kw_only=True)
class LeanDCGAN(Architecture):
    """DCGAN (Radford et al., 2016) with PyTorch's initialisation, for two cores."""

    name = "lean-dcgan"
    latent_dim: int = 22
    g_widths: list[int] = field(default_factory=lambda: [96, 48, 24])  # channels at 4×4, 7×7, 14×14
    d_widths: list[int] = field(default_factory=lambda: [24, 48, 64])  # at 14×14, 7×7, 4×4
    leak: float = 0.1  # of G's units, which DCGAN has at 0

    def latents(
        self, count: int, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Draw standard normal latents, of which the second half is minus the first."""
        drawn = super().latents(count - count // 2, generator, device)
        return torch.cat([drawn, -drawn])[:count]

    def unsupported(self, image: ImageSpec) -> str | None:
        fits = (image.resolution, image.channels) == (SIZES[-1], 1)
        return None if fits else "it builds pictures of 28×28 pixels and one channel"

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return Generator(self.g_widths, latent_dim, norm, self.leak)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return Discriminator(self.d_widths, norm)


@dataclass(kw_only=True)
class Margin(Loss):
    """The hinge loss (Lim & Ye, 2017), with a classifier on D's features (Odena et al., 2017).

    D learns the classes of real images, and G is to make images of its classes. How far two of
    one class are apart, over how far their latents are, is to be large (Yang et al., 2019).
    """

    name = "margin"
    boundary = 0.0
    classify: float = 0.0  # the weight of D's classes
    classified: float = 0.0  # and of G's
    apart: float = 0.0  # the weight of distances

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        classifier = nn.Linear(shapes.feature_dim, shapes.image.num_classes)
        return {"classifier": Owned(classifier, "discriminator")}

    def discriminator_loss(self, step: Step) -> Terms:
        return {
            "real": F.relu(1 - step.real.logits).mean(),
            "fake": F.relu(1 + step.fake.logits).mean(),
            "classify": self.classify * _of_class(step, step.real),
        }

    def generator_loss(self, step: Step) -> Terms:
        return {
            "adversarial": -step.fake.logits.mean(),
            "classified": self.classified * _of_class(step, step.fake),
            "apart": -self.apart * _told_apart(step.fake, step.latents),
        }


def _of_class(step: Step, images: Scored) -> Tensor:
    assert images.labels is not None
    return F.cross_entropy(step.own["classifier"](images.features), images.labels)


def _told_apart(fake: Scored, latents: Tensor) -> Tensor:
    """Return the mean ratio of distances, (), of each fake and the next one of its class."""
    assert fake.labels is not None
    of_a_class = fake.labels.argsort()
    labels, images = fake.labels[of_a_class], fake.images[of_a_class]
    ratio = _to_next(images) / _to_next(latents[of_a_class])
    return (ratio * (labels == labels.roll(1))).mean()


def _to_next(rows: Tensor) -> Tensor:
    return (rows - rows.roll(1, 0)).flatten(1).abs().mean(1)


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(LeanDCGAN)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(Margin)
