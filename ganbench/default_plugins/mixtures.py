"""Mixtures of Gaussians in the plane: data whose modes can be counted."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from ganbench import Dataset, DatasetStatus, ImageSpec, LabeledImages, Mixture, Split, hookimpl

SEEDS: dict[Split, int] = {"train": 0, "test": 1}


class PlaneMixture(Dataset):
    """Points as images of two channels and one pixel, divided by `extent` to lie in [-1, 1]."""

    features = "pixels"
    extent: float
    train_size: int
    test_size: int
    std: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} must be positive, found {value}")
        reach = self.centers().abs().max().item() + 3 * self.std
        if reach > self.extent:
            raise ValueError(
                f"its points reach to {reach:g}, and images end at extent {self.extent:g}; use an "
                f"extent of at least {reach:g}"
            )

    def centers(self) -> Tensor:  # (K, 2), in the paper's coordinates
        raise NotImplementedError

    def image_spec(self) -> ImageSpec:
        return ImageSpec(channels=2, resolution=1, num_classes=len(self.centers()))

    def mixture(self) -> Mixture:
        return Mixture(self.centers() / self.extent, self.std / self.extent)

    def load(self, split: Split, root: Path) -> LabeledImages:
        count = self.train_size if split == "train" else self.test_size
        generator = torch.Generator().manual_seed(SEEDS[split])
        labels = torch.randint(len(self.centers()), (count,), generator=generator)
        noise = torch.randn(count, 2, generator=generator) * self.std
        points = (self.centers()[labels] + noise) / self.extent
        return LabeledImages(points.view(-1, 2, 1, 1), labels)

    def status(self, root: Path) -> DatasetStatus:
        return DatasetStatus("generated", True, None, "made from a fixed seed")


@dataclass(kw_only=True)
class Ring(PlaneMixture):
    """Eight Gaussians, std 0.01, on the unit circle (Metz et al., 2017; as in Lin et al., 2018)."""

    name = "ring"
    modes: int = 8
    std: float = 0.01
    extent: float = 1.5  # of the square that is mapped to [-1, 1]
    train_size: int = 100_000
    test_size: int = 10_000

    def centers(self) -> Tensor:
        angles = torch.arange(self.modes) * (2 * math.pi / self.modes)
        return torch.stack([angles.cos(), angles.sin()], dim=1)


@dataclass(kw_only=True)
class Grid(PlaneMixture):
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


@hookimpl
def register_datasets(register) -> None:
    register(Ring)
    register(Grid)
