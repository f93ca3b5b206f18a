"""The network of a judge, for images of any kind and size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench.contracts.images import ImageSpec

SIDE = 64  # pixels, to which larger images are reduced
WIDTHS = (32, 64, 128)  # maps of the stem, and of each level
PLACES = 4  # a side, of which the last maps are told apart
DROPPED = 0.2


class ResidualNet(nn.Module):
    """A convolution, then two levels, at half the resolution each; what 4×4 places show."""

    def __init__(self, image: ImageSpec) -> None:
        super().__init__()
        stem, *widths = WIDTHS
        layers: list[nn.Module] = [
            nn.Conv2d(image.channels, stem, 4, 2, 1, bias=False),
            nn.BatchNorm2d(stem),
            nn.ReLU(),
        ]
        channels = stem
        for width in widths:
            layers.append(Block(channels, width, 2))
            channels = width
        self.body = nn.Sequential(*layers)
        self.head = nn.Linear(PLACES**2 * channels, image.num_classes)

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of classes, (N, K), of images that `seen` has prepared."""
        return self._logits(self.body(x))

    def features_and_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return the means of the last maps, (N, F), beside the logits."""
        maps = self.body(x)
        return maps.mean((2, 3)), self._logits(maps)

    def _logits(self, maps: Tensor) -> Tensor:
        places = F.adaptive_avg_pool2d(maps, PLACES).flatten(1)
        return self.head(F.dropout(places, DROPPED, self.training))


class Block(nn.Module):
    """Two convolutions around a shortcut (He et al., 2016)."""

    def __init__(self, channels: int, width: int, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, width, 3, stride, 1, bias=False)
        self.second = nn.Conv2d(width, width, 3, 1, 1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(width), nn.BatchNorm2d(width)])
        changes = stride > 1 or channels != width
        self.shortcut = nn.Conv2d(channels, width, 1, stride, bias=False) if changes else None

    def forward(self, x: Tensor) -> Tensor:
        """Return the maps beyond both convolutions."""
        beside = x if self.shortcut is None else self.shortcut(x)
        inner = F.relu(self.norms[0](self.first(x)))
        return F.relu(beside + self.norms[1](self.second(inner)))


def seen(images: Tensor) -> Tensor:
    """Return values in [-1, 1], of images that are not larger than is looked at."""
    values = images.float() / 127.5 - 1 if images.dtype == torch.uint8 else images
    return F.interpolate(values, SIDE, mode="area") if values.shape[-1] > SIDE else values
