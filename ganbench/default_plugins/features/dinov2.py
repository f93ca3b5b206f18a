"""DINOv2's vision transformers, whose features follow what people see."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, TypedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import FeatureExtractor, Features, ImageSpec, hookimpl
from ganbench.default_plugins.features.weights import (
    DINOV2_B14,
    DINOV2_L14,
    DINOV2_S14,
    Weights,
    as_pil_resizes,
    frozen,
    in_colour,
    no_picture,
    standardised,
)

RESOLUTION = 224
PATCH = 14
MEAN = (0.485, 0.456, 0.406)
DEVIATION = (0.229, 0.224, 0.225)


class Sizes(TypedDict):
    """What tells one of the published networks from another."""

    width: int
    depth: int
    heads: int
    grid: int  # of the patches that it was trained on


class DINOv2(FeatureExtractor):
    """What DINOv2's networks of all sizes share."""

    slow = True
    weights: ClassVar[Weights]
    sizes: ClassVar[Sizes]

    def unsupported(self, image: ImageSpec) -> str | None:
        return no_picture(image)

    def missing(self, root: Path) -> str | None:
        return self.weights.missing(root)

    def fetch(self, root: Path) -> Path:
        return self.weights.fetch()

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        state = self.weights.load(root)
        with torch.device("meta"):  # the state's own tensors become the parameters
            net = VisionTransformer(**self.sizes)
        net.load_state_dict(state, assign=True)
        return frozen(net, lambda images: Features(net(normalised(in_colour(images)))), device)

    def fingerprint(self) -> str:
        return f"{self.name}:cls:bicubic-224:{self.weights.sha256}"

    def protocol(self) -> dict[str, Any]:
        return {
            "weights": self.weights.protocol(),
            "layer": "class token after the last norm",
            "dim": self.sizes["width"],
            "resize": "bicubic as PIL: antialias, rounded to uint8, to 224×224",
            "values": "x / 255 of uint8, then ImageNet's mean and deviation",
            "channels": "grey three times",
        }


@dataclass(kw_only=True)
class DINOv2S14(DINOv2):
    """DINOv2's small ViT-S/14: the class token, of 384 (Oquab et al., 2023)."""

    name = "dinov2-s14"
    weights = DINOV2_S14
    sizes: ClassVar[Sizes] = {"width": 384, "depth": 12, "heads": 6, "grid": 37}


@dataclass(kw_only=True)
class DINOv2B14(DINOv2):
    """DINOv2's ViT-B/14: the class token, of 768 (Oquab et al., 2023)."""

    name = "dinov2-b14"
    weights = DINOV2_B14
    sizes: ClassVar[Sizes] = {"width": 768, "depth": 12, "heads": 12, "grid": 37}


@dataclass(kw_only=True)
class DINOv2L14(DINOv2):
    """DINOv2's ViT-L/14: the class token, of 1,024 (Oquab et al., 2023; Stein et al., 2023)."""

    name = "dinov2-l14"
    weights = DINOV2_L14
    sizes: ClassVar[Sizes] = {"width": 1024, "depth": 24, "heads": 16, "grid": 37}


def normalised(images: Tensor) -> Tensor:
    """Return uint8 images as (N, 3, 224, 224), as dgm-eval prepares them with PIL."""
    return standardised(as_pil_resizes(images, RESOLUTION), MEAN, DEVIATION)


class VisionTransformer(nn.Module):
    """DINOv2's transformer (Oquab et al., 2023); parameters are named as in the file of weights."""

    def __init__(self, width: int, depth: int, heads: int, grid: int) -> None:
        super().__init__()
        self.cls_token = nn.Parameter(torch.empty(1, 1, width))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + grid**2, width))
        self.mask_token = nn.Parameter(torch.empty(1, width))  # of training
        self.patch_embed = nn.ModuleDict({"proj": nn.Conv2d(3, width, PATCH, PATCH)})
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(depth))
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        maps = self.patch_embed["proj"](images)  # (N, width, h, w)
        tokens = maps.flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(len(maps), -1, -1), tokens], 1)
        x = x + self.positions(maps.shape[-1])
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, 0])

    def positions(self, size: int) -> Tensor:
        """For size × size patches, (1, 1 + size², width).

        Scaled by a tenth of a patch too much, as DINOv2 was published: its features depend on it.
        """
        grid = math.isqrt(self.pos_embed.shape[1] - 1)
        if size == grid:
            return self.pos_embed
        maps = self.pos_embed[:, 1:].transpose(1, 2).unflatten(2, (grid, grid))
        scale = (size + 0.1) / grid
        maps = F.interpolate(maps, scale_factor=(scale, scale), mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], maps.flatten(2).transpose(1, 2)], 1)


class Block(nn.Module):
    """Attention and a perceptron, each normed before and scaled after (Touvron et al., 2021)."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.ls1 = Scale(width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.ModuleDict(
            {"fc1": nn.Linear(width, 4 * width), "fc2": nn.Linear(4 * width, width)}
        )
        self.ls2 = Scale(width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.ls1(self.attn(self.norm1(x)))
        inner = F.gelu(self.mlp["fc1"](self.norm2(x)))
        return x + self.ls2(self.mlp["fc2"](inner))


class Attention(nn.Module):
    """Self-attention of tokens (N, T, width) by several heads."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        qkv = self.qkv(x).unflatten(2, (3, self.heads, -1))  # (N, T, 3, heads, width / heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        found = F.scaled_dot_product_attention(query, key, value)
        return self.proj(found.transpose(1, 2).flatten(2))


class Scale(nn.Module):
    """A learned factor for each of the last axis's values."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.empty(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gamma


@hookimpl
def register_feature_extractors(register: Callable[[type[FeatureExtractor]], None]) -> None:
    for network in (DINOv2S14, DINOv2B14, DINOv2L14):
        register(network)
