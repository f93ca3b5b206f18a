"""How much of a checkerboard is in images: what strides of 2 leave of uneven overlaps."""

from __future__ import annotations

import math

import torch
from torch import Tensor

SMALLEST = 8  # pixels of a side, below which frequencies have no neighbours
NEIGHBOURS = (1, 2, 3)  # bins below the highest frequency, which it is compared with


def checkerboard(images: Tensor) -> tuple[float, float]:
    """Return the amplitude of a pattern of two pixels' width, and how far its power stands out.

    The amplitude is on a scale from -1 to 1, a root mean square over images (N, C, H, W); the
    power is that of frequencies a little lower times so much, which noise and photographs have as
    1 or less. NaN where sides are odd or below 8, as then nothing has exactly that frequency.
    """
    height, width = images.shape[2:]
    if not len(images) or min(height, width) < SMALLEST or height % 2 or width % 2:
        return math.nan, math.nan
    scale = 127.5 if images.dtype == torch.uint8 else 1.0
    power = torch.fft.rfft2(images.double() / scale).abs().square().mean((0, 1))
    power = power / (height * width) ** 2
    y, x = height // 2, width // 2
    peaks = [power[y, 0], power[0, x], power[y, x]]
    beside = [
        torch.stack([power[y - n, 0] for n in NEIGHBOURS]).mean(),
        torch.stack([power[0, x - n] for n in NEIGHBOURS]).mean(),
        torch.stack([power[y - n, x - n] for n in NEIGHBOURS]).mean(),
    ]
    peak, around = torch.stack(peaks).sum().item(), torch.stack(beside).sum().item()
    return math.sqrt(peak), peak / around if around else math.inf if peak else 0.0
