"""Images that are arrays already, brought to another size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ganbench import tracked

if TYPE_CHECKING:
    from ganbench.default_plugins.datasets.image_files.decoding import Crop, Filter


def resized(images: Tensor, resolution: int, crop: Crop = "fit", how: Filter = "lanczos") -> Tensor:
    """Return uint8 images (N, 1 or 3, H, W) as squares, by Pillow's antialiased filters.

    fit: the shorter side, and the middle of the longer; squash: both sides; pad: the longer side,
    between bars of white.
    """
    if images.shape[2:] == (resolution, resolution):
        return images
    from PIL import Image, ImageOps

    size, method = (resolution, resolution), Image.Resampling[how.upper()]

    def fitted(picture: Image.Image) -> Image.Image:
        if crop == "squash":
            return picture.resize(size, method)
        if crop == "pad":
            return ImageOps.pad(picture, size, method, color="white")
        return ImageOps.fit(picture, size, method)

    grey = images.shape[1] == 1
    found = torch.empty(len(images), images.shape[1], resolution, resolution, dtype=torch.uint8)
    for row, image in zip(found, tracked(images, "resizing images", len(images)), strict=True):
        plain = image[0] if grey else image.permute(1, 2, 0)
        picture = fitted(Image.fromarray(plain.contiguous().numpy()))
        values = torch.frombuffer(bytearray(picture.tobytes()), dtype=torch.uint8)
        row.copy_(values.view(resolution, resolution, -1).permute(2, 0, 1))
    return found
