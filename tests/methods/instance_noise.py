"""Annealed instance noise (Sønderby et al., 2017, arXiv 1610.04490), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench import Scheduled, Transform, hookimpl


@dataclass(kw_only=True)
class InstanceNoise(Transform):
    """Gaussian noise on all that D sees; `std: {from: 0.1, to: 0}` anneals it."""

    name = "instance-noise"
    std: Scheduled = 0.1

    def __post_init__(self) -> None:
        if self.std < 0:
            raise ValueError(f"std must not be negative, found {self.std}")

    def apply(self, images: Tensor) -> Tensor:
        return images + self.std * torch.randn_like(images)


@hookimpl
def register_transforms(register):
    register(InstanceNoise)
