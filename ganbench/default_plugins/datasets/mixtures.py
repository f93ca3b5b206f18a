"""Mixtures of Gaussians: data whose modes can be counted."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import NormalDist

import torch
from torch import Tensor

from ganbench import Dataset, DatasetStatus, ImageSpec, LabeledImages, Mixture, Split, hookimpl
from ganbench.default_plugins.datasets.arrays.limits import require_memory_for

SEEDS: dict[Split, int] = {"train": 0, "test": 1}
MOST = {"modes": 10_000, "side": 100}
WITHIN = 1 - math.exp(-4.5)  # of a Gaussian in the plane, of all that lies within 3 std


class GaussianMixture(Dataset):
    """Points as images, divided by `extent` to lie in [-1, 1]."""

    features = "pixels"
    layout = (2, 1)  # channels and resolution of the images
    noisy = 2  # coordinates that vary within a mode, the first ones
    margin = 3.0  # standard deviations beyond the centres that must lie within `extent`
    extent: float
    train_size: int
    test_size: int
    std: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} must be positive, found {value}")
            if value > (most := MOST.get(name, math.inf)):
                raise ValueError(f"{name} must be at most {most:,}, found {value:,}")
        reach = self.centers().abs().max().item() + self.margin * self.std
        if reach > self.extent:
            raise ValueError(
                f"its points reach to {reach:g}, and images end at extent {self.extent:g}; use an "
                f"extent of at least {reach:g}"
            )

    def centers(self) -> Tensor:  # (K, D), in the paper's coordinates
        raise NotImplementedError

    def image_spec(self) -> ImageSpec:
        channels, resolution = self.layout
        return ImageSpec(channels, resolution, num_classes=len(self.centers()))

    def mixture(self) -> Mixture:
        return Mixture(self.centers() / self.extent, self.std / self.extent)

    def load(self, split: Split, root: Path) -> LabeledImages:
        count = self.train_size if split == "train" else self.test_size
        size = self.layout[0] * self.layout[1] ** 2 + self.noisy  # a point, and what is added to it
        require_memory_for(self.name, split, count, 4 * size + 8)
        generator = torch.Generator().manual_seed(SEEDS[split])
        labels = torch.randint(len(self.centers()), (count,), generator=generator)
        points = self.centers()[labels]
        points[:, : self.noisy] += torch.randn(count, self.noisy, generator=generator) * self.std
        channels, resolution = self.layout
        images = points.div_(self.extent).view(-1, channels, resolution, resolution)
        return LabeledImages(images, labels)

    def num_images(self) -> int | None:
        return self.train_size

    def status(self, root: Path) -> DatasetStatus:
        note = "made from a fixed seed"
        return DatasetStatus("generated", True, None, note, images=self.train_size)


@dataclass(kw_only=True)
class Ring(GaussianMixture):
    """Eight Gaussians, std 0.01, on the unit circle (Metz et al., 2017; as in Lin et al., 2018)."""

    name = "ring"
    modes: int = 8
    std: float = 0.01
    extent: float = 1.5  # of the square that is mapped to [-1, 1]
    train_size: int = 100_000
    test_size: int = 10_000

    def centers(self) -> Tensor:
        # Not linspace from 0 to 2π: with both ends in it, as in the notebook of unrolled GANs, the
        # first and the last of eight coincide, and seven modes are left.
        angles = torch.arange(self.modes) * (2 * math.pi / self.modes)
        return torch.stack([angles.cos(), angles.sin()], dim=1)


@dataclass(kw_only=True)
class Grid(GaussianMixture):
    """Twenty-five Gaussians, std 0.05, on {-4, -2, 0, 2, 4}² (Srivastava et al., 2017)."""

    name = "grid"
    side: int = 5
    std: float = 0.05
    extent: float = 5.0
    train_size: int = 100_000
    test_size: int = 10_000

    def centers(self) -> Tensor:
        line = 2.0 * torch.arange(self.side) - (self.side - 1)
        return torch.cartesian_prod(line, line)


@dataclass(kw_only=True)
class Mixture1200(GaussianMixture):
    """Ten Gaussians of 700 dimensions in 1200 (Srivastava et al., 2017; as in Lin et al., 2018).

    All coordinates of a centre are one number; the last 500 of a point are exactly those of its
    centre. A point is an image of 3×20×20, float32, so that it can be looked at.
    """

    name = "mixture1200"
    layout = (3, 20)
    noisy = 700
    margin = 6.0  # 700 draws a point go further than two
    std: float = 1.0  # of each of the first 700 coordinates
    extent: float = 20.0
    train_size: int = 25_000  # of 4.8 kB each
    test_size: int = 5_000

    def centers(self) -> Tensor:
        means = torch.tensor([-1, -0.5, 0, 0.5, -2, -2.5, 10, 0.25, -13, -5.5])
        return means[:, None].repeat(1, 1200)

    def mixture(self) -> Mixture:
        std = self.std / self.extent
        return Mixture(self.centers() / self.extent, std * _radius(self.noisy) / 3, std)


def _radius(dimensions: int) -> float:
    """Return the radius that holds WITHIN of a standard Gaussian (Wilson & Hilferty, 1931)."""
    ninth = 2 / (9 * dimensions)
    cube = 1 - ninth + NormalDist().inv_cdf(WITHIN) * math.sqrt(ninth)
    return math.sqrt(dimensions * cube**3)


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(Ring)
    register(Grid)
    register(Mixture1200)
