"""The network of a judge, for images of any kind and size."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench.contracts.images import ImageSpec

SIDE = 64  # pixels, to which larger images are reduced
WIDTHS = (32, 64, 128)  # maps of each level
PLACES = 8  # a side, that the last maps have at most
HIDDEN = 256
DROPPED = 0.2, 0.4  # before the hidden layer, and after it


class JudgeNet(nn.Module):
    """A convolution at each of two or three resolutions, then a hidden layer.

    The hidden layer sees each place of the last maps by itself, for a tenth of the arithmetic.
    """

    def __init__(self, image: ImageSpec) -> None:
        super().__init__()
        side = min(image.resolution, SIDE)
        widths = WIDTHS if side > 4 * PLACES else WIDTHS[:2]
        levels: list[nn.Module] = []
        channels = image.channels
        for width in widths:
            levels += _level(channels, width)
            channels, side = width, math.ceil(side / 2)
        self.levels = nn.Sequential(*levels)
        self.hidden = nn.Sequential(
            nn.Dropout(DROPPED[0]),
            nn.Linear(channels * side**2, HIDDEN, bias=False),
            nn.BatchNorm1d(HIDDEN),
            nn.ReLU(),
        )
        self.head = nn.Sequential(nn.Dropout(DROPPED[1]), nn.Linear(HIDDEN, image.num_classes))

    def forward(self, x: Tensor) -> Tensor:
        """Return the logits of classes, (N, K), of images that `seen` has prepared."""
        return self.features_and_logits(x)[1]

    def features_and_logits(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return what the hidden layer finds, (N, F), beside the logits."""
        found = self.hidden(self.levels(x).flatten(1))
        return found, self.head(found)


def _level(channels: int, width: int) -> list[nn.Module]:
    """Return a convolution, of whose maps the largest of each four values go on."""
    return [
        nn.Conv2d(channels, width, 3, 1, 1, bias=False),
        nn.MaxPool2d(2, ceil_mode=True),  # before the norm, which then has a quarter to do
        nn.BatchNorm2d(width),
        nn.ReLU(),
    ]


def seen(images: Tensor) -> Tensor:
    """Return values in [-1, 1], of images that are not larger than is looked at."""
    values = images.float() / 127.5 - 1 if images.dtype == torch.uint8 else images
    return F.interpolate(values, SIDE, mode="area") if values.shape[-1] > SIDE else values
