"""How different samples are from one another."""

from __future__ import annotations

import math

import torch
from torch import Tensor

MAX_SAMPLES = 200  # whose distances are taken


def diversity(images: Tensor, labels: Tensor | None = None) -> float:
    """Return the mean distance of two images (N, ...): root mean square over pixels in [-1, 1].

    Where labels are given, of two images of the same label. Of more than 200 images, or so many of
    a label, 200 are looked at; fewer than two have no distance, which is NaN.
    """
    if labels is None:
        return _mean_distance(images)
    found = [_mean_distance(images[labels == label]) for label in labels.unique()]
    known = [value for value in found if not math.isnan(value)]
    return sum(known) / len(known) if known else math.nan


def _mean_distance(images: Tensor) -> float:
    if len(images) < 2:
        return math.nan
    if len(images) > MAX_SAMPLES:
        images = images[torch.linspace(0, len(images) - 1, MAX_SAMPLES).round().long()]
    scale = 127.5 if images.dtype == torch.uint8 else 1.0
    x = images.flatten(1).double() / scale
    return (torch.pdist(x).mean() / math.sqrt(x.shape[1])).item()
