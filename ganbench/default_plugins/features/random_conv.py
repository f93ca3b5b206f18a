"""Features that nobody has trained: random convolutions."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import FeatureExtractor, Features, ImageSpec, hookimpl
from ganbench.default_plugins.features.weights import frozen

LEAST = 4  # pixels
SEEDS = 2**32


@dataclass(kw_only=True)
class RandomConv(FeatureExtractor):
    """Random convolutions, for images that no network was trained on (Naeem et al., 2020)."""

    name = "random-conv"
    seed: int = 0
    width: int = 64  # maps of each level
    depth: int = 4  # levels, each at half the resolution

    def __post_init__(self) -> None:
        if not 0 <= self.seed < SEEDS:
            raise ValueError(f"seed must be from 0 to {SEEDS - 1}, found {self.seed}")
        for option in ("width", "depth"):
            if getattr(self, option) < 1:
                raise ValueError(f"{option} must be positive, found {getattr(self, option)}")

    def unsupported(self, image: ImageSpec) -> str | None:
        if image.resolution < LEAST:
            return f"it sees images of {LEAST}×{LEAST} and more, and these are {image}"
        return None

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        net = Pyramid(image.channels, self.width, self.depth)
        net.draw(self.seed)
        return frozen(
            net, lambda images: Features(net(images.float() / 127.5 - 1)), device, at_once=64
        )

    def fingerprint(self) -> str:
        return f"random-conv:v1:{self.seed}:{self.width}:{self.depth}"

    def protocol(self) -> dict[str, Any]:
        return {
            "weights": f"N(0, 2 / fan-in) of seed {self.seed}, biases 0",
            "layer": f"the means of {self.width} maps at each of {self.depth} levels",
            "dim": self.width * self.depth,
            "resize": "none",
            "values": "x / 127.5 - 1 of uint8",
        }


class Pyramid(nn.Module):
    """Convolution, rectifier, mean; then all again at half the resolution."""

    def __init__(self, channels: int, width: int, depth: int) -> None:
        super().__init__()
        widths = [channels] + [width] * depth
        self.levels = nn.ModuleList(
            nn.Conv2d(a, b, 3, padding=1, bias=False) for a, b in pairwise(widths)
        )

    def draw(self, seed: int) -> None:
        """Draw all weights from Normal(0, 2 / fan-in), the same ones for a seed everywhere."""
        # NumPy promises that this old generator never gives other numbers; torch promises nothing.
        source = np.random.RandomState(seed)
        for weight in self.parameters():
            values = source.standard_normal(tuple(weight.shape))
            weight.data = torch.from_numpy(values * math.sqrt(2 / weight[0].numel())).float()

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for level in self.levels:
            x = F.relu(level(x))
            found.append(x.mean((2, 3)))
            x = F.avg_pool2d(x, 2, ceil_mode=True) if x.shape[2] > 1 else x
        return torch.cat(found, 1)  # (N, width × depth)


@hookimpl
def register_feature_extractors(register: Callable[[type[FeatureExtractor]], None]) -> None:
    register(RandomConv)
