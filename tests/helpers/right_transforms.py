"""Transforms as they should be, of which wrong ones are made."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench import ImageSpec, Transform


@dataclass(kw_only=True)
class Plain(Transform):
    """The images themselves."""

    name = "plain"

    def apply(self, images: Tensor) -> Tensor:
        return images


@dataclass(kw_only=True)
class Brighter(Transform):
    """Brightness, contrast and saturation as in DiffAugment (Zhao et al., 2020)."""

    name = "brighter"

    def apply(self, images: Tensor) -> Tensor:
        images = images + self.drawn(images) - 0.5
        images = self.about(images.mean(1, keepdim=True), images, 2.0)
        return self.about(images.mean((1, 2, 3), keepdim=True), images, 1.0)

    def about(self, centre: Tensor, images: Tensor, spread: float) -> Tensor:
        return centre + (images - centre) * (spread * (self.drawn(images) - 0.5) + 1)

    def drawn(self, images: Tensor) -> Tensor:
        return torch.rand_like(images[:, :1, :1, :1])


@dataclass(kw_only=True)
class CutOut(Transform):
    """A random square of each image becomes grey."""

    name = "cut-out"

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        if image.resolution < 4:
            return f"it cuts a square out of images of 4 and more, these are {image.resolution}"
        return None

    def apply(self, images: Tensor) -> Tensor:
        size = images.shape[-1]
        middle = torch.rand(len(images), 2, 1, device=images.device) * size
        near = (torch.arange(size, device=images.device) - middle).abs() < size / 4
        return images * ~(near[:, :1, :, None] & near[:, 1:, None, :])


@dataclass(kw_only=True)
class Turned(Transform):
    """A random rotation and translation, interpolated."""

    name = "turned"

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        return None if image.resolution > 1 else "points have no shape that could be turned"

    def apply(self, images: Tensor) -> Tensor:
        angle = torch.rand_like(images[:, 0, 0, 0]) - 0.5
        row = torch.stack([angle.cos(), angle.sin(), 0.1 * torch.randn_like(angle)], 1)
        other = torch.stack([-angle.sin(), angle.cos(), 0.1 * torch.randn_like(angle)], 1)
        shape = list(images.shape)
        grid = F.affine_grid(torch.stack([row, other], 1), shape, align_corners=False)
        return F.grid_sample(images, grid, padding_mode="border", align_corners=False)


@dataclass(kw_only=True)
class Halved(Transform):
    """Images of half the size."""

    name = "halved"

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        odd = f"it halves even sizes, and these images are {image.resolution} wide"
        return odd if image.resolution % 2 else None

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        return replace(image, resolution=image.resolution // 2)

    def apply(self, images: Tensor) -> Tensor:
        return F.avg_pool2d(images, 2)


@dataclass(kw_only=True)
class Packed(Transform):
    """Several images become the channels of one (Lin et al., 2018)."""

    name = "packed"
    per_sample = False
    size: int = 2

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        if batch_size % self.size:
            return f"batches of {batch_size} do not divide into packs of {self.size}"
        return None

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        return replace(image, channels=self.size * image.channels)

    def apply(self, images: Tensor) -> Tensor:
        return images.reshape(-1, self.size * images.shape[1], *images.shape[2:])
