"""DiffAugment for ganbench."""

from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench import Scheduled, Transform, hookimpl


@dataclass(kw_only=True)
class DiffAugment(Transform):
    """Random augmentation of reals and fakes, in both players' steps (Zhao et al., 2020)."""

    name = "diffaugment"
    policy: tuple[Literal["color", "translation", "cutout"], ...] = (
        "color",
        "translation",
        "cutout",
    )
    translation: float = 0.125  # at most, as a share of the side
    cutout: float = 0.5  # the hole's side, as a share of the image's
    fill: float = 0.0  # of what moves in and of the hole; -1 is black
    chance: Scheduled = field(default=1.0, metadata={"since": "0.2.0"})  # of each image

    def __post_init__(self) -> None:
        for name in ("translation", "cutout", "chance"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, found {getattr(self, name)}")

    def apply(self, images: Tensor) -> Tensor:
        augmented = self._augmented(images)
        if self.chance == 1:
            return augmented
        is_augmented = torch.rand_like(images[:, :1, :1, :1]) < self.chance
        return torch.where(is_augmented, augmented, images)

    def _augmented(self, images: Tensor) -> Tensor:
        if "color" in self.policy:
            images = recoloured(images)
        if "translation" in self.policy:
            images = translated(images, self.translation, self.fill)
        if "cutout" in self.policy:
            images = cut_out(images, self.cutout, self.fill)
        return images


def recoloured(images: Tensor) -> Tensor:
    """Brightness, saturation and contrast, each drawn per image."""
    images = images + _uniform(images, -0.5, 0.5)
    grey = images.mean(1, keepdim=True)
    images = grey + (images - grey) * _uniform(images, 0.0, 2.0)
    mean = images.mean((1, 2, 3), keepdim=True)
    return mean + (images - mean) * _uniform(images, 0.5, 1.5)


def translated(images: Tensor, share: float, fill: float) -> Tensor:
    """Each image moved by up to `share` of its side, either way on both axes."""
    count, _, height, width = images.shape
    down, right = round(share * height), round(share * width)
    padded = F.pad(images, (right, right, down, down), value=fill)
    rows = _steps(images, height).view(1, -1, 1) + _offsets(images, 2 * down)
    columns = _steps(images, width).view(1, 1, -1) + _offsets(images, 2 * right)
    sample = _steps(images, count).view(-1, 1, 1)
    return padded.permute(0, 2, 3, 1)[sample, rows, columns].permute(0, 3, 1, 2)


def cut_out(images: Tensor, share: float, fill: float) -> Tensor:
    """A rectangle of `share` of each side filled, its centre anywhere in the image."""
    height, width = images.shape[2:]
    rows = _in_hole(images, height, share).view(-1, 1, height, 1)
    columns = _in_hole(images, width, share).view(-1, 1, 1, width)
    return images.masked_fill(rows & columns, fill)


def _in_hole(images: Tensor, side: int, share: float) -> Tensor:  # (N, side) bool
    size = round(share * side)
    start = torch.randint(side + 1 - size % 2, (len(images), 1), device=images.device) - size // 2
    steps = _steps(images, side)
    return (steps >= start) & (steps < start + size)


def _uniform(images: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand_like(images[:, :1, :1, :1])


def _steps(images: Tensor, count: int) -> Tensor:
    return torch.arange(count, device=images.device)


def _offsets(images: Tensor, most: int) -> Tensor:  # (N, 1, 1) from 0 to `most`
    return torch.randint(most + 1, (len(images), 1, 1), device=images.device)


@hookimpl
def register_transforms(register):
    register(DiffAugment)
