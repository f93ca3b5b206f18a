"""R3GAN for ganbench: the relativistic pairing loss, R1 and R2, and a backbone without norms."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import (
    Architecture,
    ImageSpec,
    InputGradients,
    Loss,
    NormFactory,
    Regularizer,
    Scheduled,
    Scored,
    Step,
    Terms,
    hookimpl,
)

LEAK = 0.2
BRANCH_LAYERS = 3  # of a residual block


@dataclass(kw_only=True)
class RelativisticPairing(Loss):
    """Relativistic pairing: each fake against one real (Jolicoeur-Martineau, 2018)."""

    name = "rpgan"
    pairs_labels = True

    def discriminator_loss(self, step: Step) -> Terms:
        return {"adversarial": F.softplus(step.fake.logits - step.real.logits).mean()}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": F.softplus(step.real.logits - step.fake.logits).mean()}


@dataclass(kw_only=True)
class ZeroCentredPenalty(Regularizer):
    """gamma / 2 times the mean squared norm of D's gradient at the images."""

    constrains = True
    gamma: Scheduled = 1.0
    every: int = 1  # lazy regularisation: one iteration in so many, weighted as much

    def __post_init__(self) -> None:
        if self.gamma < 0:
            raise ValueError(f"gamma must not be negative, found {self.gamma}")
        if self.every < 1:
            raise ValueError(f"every must be positive, found {self.every}")

    def penalty(self, scored: Scored, iteration: int) -> Terms:
        """Return the penalty at these images, or no term where this iteration leaves it out."""
        if self.every > 1 and iteration % self.every:
            return {}
        squared = scored.input_gradient.flatten(1).square().sum(1)
        return {self.name: self.every * self.gamma / 2 * squared.mean()}


@dataclass(kw_only=True)
class R1(ZeroCentredPenalty):
    """Zero-centred gradient penalty at reals (Mescheder et al., 2018)."""

    name = "r1"
    input_gradients = InputGradients.REAL

    def discriminator_loss(self, step: Step) -> Terms:
        return self.penalty(step.real, step.iteration)


@dataclass(kw_only=True)
class R2(ZeroCentredPenalty):
    """Zero-centred gradient penalty at fakes (Mescheder et al., 2018)."""

    name = "r2"
    input_gradients = InputGradients.FAKE

    def discriminator_loss(self, step: Step) -> Terms:
        return self.penalty(step.fake, step.iteration)


class ResidualBlock(nn.Module):
    """An inverted bottleneck whose grouped 3x3 convolution works on `hidden` channels."""

    def __init__(self, width: int, hidden: int, groups: int) -> None:
        super().__init__()
        self.expand = nn.Conv2d(width, hidden, 1)
        self.spatial = nn.Conv2d(hidden, hidden, 3, padding=1, groups=groups)
        self.project = nn.Conv2d(hidden, width, 1, bias=False)

    def forward(self, h: Tensor) -> Tensor:
        residual = F.leaky_relu(self.expand(h), LEAK)
        residual = F.leaky_relu(self.spatial(residual), LEAK)
        return h + self.project(residual)


class Generator(nn.Module):
    """Learned feature maps, one weight from the latent for each, and layers up to the image."""

    def __init__(self, latent_dim: int, width: int, size: int, layers: list[nn.Module]) -> None:
        super().__init__()
        self.basis = nn.Parameter(torch.randn(width, size, size))
        self.modulation = nn.Linear(latent_dim, width, bias=False)
        self.layers = nn.Sequential(*layers)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        return self.layers(self.modulation(z)[:, :, None, None] * self.basis)


class Discriminator(nn.Sequential):
    """Layers from images down to features (N, feature_dim) for the head."""

    def __init__(self, feature_dim: int, layers: list[nn.Module]) -> None:
        super().__init__(*layers)
        self.feature_dim = feature_dim


def _sizes(resolution: int) -> list[int]:
    """Halve `resolution` down to 4 to 7, as far as it is even; return all sizes, its own first."""
    sizes = [resolution]
    while sizes[-1] > 7 and sizes[-1] % 2 == 0:
        sizes.append(sizes[-1] // 2)
    return sizes


def _pointwise(before: int, after: int) -> nn.Module:
    return nn.Identity() if before == after else nn.Conv2d(before, after, 1, bias=False)


@torch.no_grad()
def _initialise(net: nn.Module) -> None:
    """Initialise as Fixup does (Zhang et al., 2019): L branches of m layers, all zero at first."""
    blocks = [part for part in net.modules() if isinstance(part, ResidualBlock)]
    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            nn.init.kaiming_normal_(part.weight, nonlinearity="linear")
    for block in blocks:
        for conv in (block.expand, block.spatial):
            nn.init.kaiming_normal_(conv.weight, LEAK)
            conv.weight.mul_(len(blocks) ** (-1 / (2 * BRANCH_LAYERS - 2)))
            nn.init.zeros_(conv.bias)
        nn.init.zeros_(block.project.weight)


@dataclass(kw_only=True)
class R3GAN(Architecture):
    """Norm-free residual backbone with inverted bottlenecks (Huang et al., 2024)."""

    name = "r3gan"
    g_norms = ()
    d_norms = ("none",)
    latent_dim: int = 64
    width: int = 16  # channels next to the image; doubled at every halving
    max_width: int = 512
    blocks: int = 2  # per size
    expansion: int = 2  # of the channels inside a block
    group_size: int = 16  # channels per group of the 3x3 convolutions

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} must be positive, found {value}")
        for width in (self.width, self.max_width):
            if width * self.expansion % self.group_size:
                raise ValueError(
                    f"{width} × {self.expansion} channels do not divide into groups of "
                    f"{self.group_size}; use another group_size, width or max_width"
                )

    def unsupported(self, image: ImageSpec) -> str | None:
        sizes = _sizes(image.resolution)
        if len(sizes) == 1 or sizes[-1] > 7:
            return (
                "it builds sizes of 4 to 7 times a power of two from 8 up (8, 16, 28, 32, 64, "
                f"...), and these images are {image.resolution} wide"
            )
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        sizes, widths = self._pyramid(image)
        layers = [*self._stage(widths[-1])]
        for before, after in pairwise(widths[::-1]):
            layers += [_pointwise(before, after), nn.Upsample(scale_factor=2, mode="bilinear")]
            layers += self._stage(after)
        layers += [nn.Conv2d(widths[0], image.channels, 1, bias=False), nn.Tanh()]
        net = Generator(latent_dim, widths[-1], sizes[-1], layers)
        _initialise(net)
        return net

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        sizes, widths = self._pyramid(image)
        layers = [nn.Conv2d(image.channels, widths[0], 1, bias=False), *self._stage(widths[0])]
        for before, after in pairwise(widths):
            layers += [nn.AvgPool2d(2), _pointwise(before, after), *self._stage(after)]
        width = widths[-1]
        layers += [nn.Conv2d(width, width, sizes[-1], groups=width, bias=False), nn.Flatten()]
        net = Discriminator(width, layers)
        _initialise(net)
        return net

    def _pyramid(self, image: ImageSpec) -> tuple[list[int], list[int]]:
        """Return sizes and widths, from the image's own down to the smallest."""
        sizes = _sizes(image.resolution)
        return sizes, [min(self.width * 2**level, self.max_width) for level in range(len(sizes))]

    def _stage(self, width: int) -> Iterator[nn.Module]:
        hidden = self.expansion * width
        for _ in range(self.blocks):
            yield ResidualBlock(width, hidden, hidden // self.group_size)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    for loss in (RelativisticPairing, R1, R2):
        register(loss)


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(R3GAN)
