"""What discriminators are shown in the place of few images: more of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench import Transform, hookimpl


@dataclass(kw_only=True)
class TranslationCutout(Transform):
    """Images moved, and with a hole: DiffAugment without colours (Zhao et al., 2020)."""

    name = "translation-cutout"
    translation: float = 0.125  # at most, as a share of the side
    cutout: float = 0.5  # the hole's side, as a share of the image's
    fill: float = 0.0  # of the hole and what moves in: -1 is black, 1 white

    def __post_init__(self) -> None:
        for name in ("translation", "cutout"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, found {getattr(self, name)}")

    def apply(self, images: Tensor) -> Tensor:
        """Return images of the same shape; where each moves and has its hole is drawn."""
        return cut_out(moved(images, self.translation, self.fill), self.cutout, self.fill)


def moved(images: Tensor, share: float, fill: float) -> Tensor:
    """Return each image moved by up to `share` of its sides, either way on both axes."""
    count, _, height, width = images.shape
    down, right = round(share * height), round(share * width)
    padded = F.pad(images, (right, right, down, down), value=fill)
    places = _range(images, count).view(-1, 1, 1)
    rows = _range(images, height).view(1, -1, 1) + _drawn(images, 2 * down + 1).view(-1, 1, 1)
    columns = _range(images, width) + _drawn(images, 2 * right + 1).view(-1, 1, 1)
    return padded.permute(0, 2, 3, 1)[places, rows, columns].permute(0, 3, 1, 2)


def cut_out(images: Tensor, share: float, fill: float) -> Tensor:
    """Return images with a rectangle of `share` of each side filled, its centre anywhere."""
    height, width = images.shape[2:]
    rows, columns = _hole(images, height, share), _hole(images, width, share)
    return images.masked_fill((rows[:, :, None] & columns[:, None, :])[:, None], fill)


def _hole(images: Tensor, side: int, share: float) -> Tensor:  # (N, side) bool
    size = round(share * side)
    start = _drawn(images, side + 1 - size % 2) - size // 2
    steps = _range(images, side)
    return (steps >= start) & (steps < start + size)


def _range(images: Tensor, count: int) -> Tensor:
    return torch.arange(count, device=images.device)


def _drawn(images: Tensor, below: int) -> Tensor:  # (N, 1)
    return torch.randint(below, (len(images), 1), device=images.device)


@hookimpl
def register_transforms(register: Callable[[type[Transform]], None]) -> None:
    register(TranslationCutout)
