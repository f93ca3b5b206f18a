"""LPIPS, the distance of two pictures that people see, as distances of features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import FeatureExtractor, Features, ImageSpec, Unavailable, hookimpl
from ganbench.default_plugins.features.weights import (
    VGG16,
    Weights,
    frozen,
    in_colour,
    no_picture,
    standardised,
)

LINEAR = Weights(
    "lpips",
    ("vgg.pth",),
    7289,
    "a78928a0af1e5f0fcb1f3b9e8f8c3a2a5a3de244d830ad5c1feddc79b8432868",
)
LEVELS = (0, 4, 9, 16, 23, 30)  # VGG-16's layers, of which each level ends in a rectifier
LEAST, MOST = 16, 256  # pixels; larger images are averaged down, as StyleGAN's authors do
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # ImageNet's, of 0 to 1
TINY = 1e-8


@dataclass(kw_only=True)
class LPIPS(FeatureExtractor):
    """VGG-16's features at five levels, weighted as people see differences (Zhang et al., 2018).

    The squared distance of two images' features is their LPIPS, of version 0.1 with VGG. There are
    hundreds of thousands of features, for `ppl`, which keeps none.
    """

    name = "lpips"
    slow = True

    def unsupported(self, image: ImageSpec) -> str | None:
        return no_picture(image, LEAST)

    def missing(self, root: Path) -> str | None:
        if _linear() is None:
            return "its linear weights come with torchmetrics, which is not installed"
        return VGG16.missing(root)

    def fetch(self, root: Path) -> Path:
        return VGG16.fetch()

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        if why := self.missing(root):
            raise Unavailable(why)
        path = _linear()
        assert path is not None
        net = Levels()
        net.load_state_dict({**_convolutions(VGG16.load(root)), **_weights(LINEAR.read(path))})

        def features(images: Tensor) -> Features:
            if (factor := images.shape[2] // MOST) > 1:
                images = F.avg_pool2d(images.float(), factor)
            return Features(net(standardised(in_colour(images), MEAN, DEVIATION)))

        return frozen(net, features, device)

    def fingerprint(self) -> str:
        return f"lpips:vgg:v0.1:{VGG16.sha256}:{LINEAR.sha256}"

    def protocol(self) -> dict[str, Any]:
        return {
            "weights": VGG16.protocol(),
            "linear weights": LINEAR.protocol(),
            "layer": "five levels of VGG-16, each of unit length, weighted",
            "dim": "levels' maps × height × width",
            "resize": f"above {MOST}×{MOST}, means of as many pixels as fit",
            "values": "x / 255 of uint8, standardised as ImageNet's",
            "channels": "grey three times",
        }


class Levels(nn.Module):
    """VGG-16's convolutions, and a weight for each map of the five levels."""

    def __init__(self) -> None:
        super().__init__()
        from torchvision.models import vgg16  # here, as listing plugins takes no torchvision

        layers = vgg16(weights=None, init_weights=False).features
        for layer in layers:
            if isinstance(layer, nn.ReLU):
                layer.inplace = False
        self.features = layers[: LEVELS[-1]]
        widths = [layers[end - 2].out_channels for end in LEVELS[1:]]
        self.weights = nn.ParameterList(torch.zeros(1, width, 1, 1) for width in widths)

    def forward(self, x: Tensor) -> Tensor:
        found = []
        for (begin, end), weights in zip(pairwise(LEVELS), self.weights, strict=True):
            x = self.features[begin:end](x)
            unit = x / (x.square().sum(1, keepdim=True) + TINY).sqrt()
            pixels = x.shape[2] * x.shape[3]
            found.append((unit * (weights / pixels).sqrt()).flatten(1))
        return torch.cat(found, 1)


def _convolutions(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in state.items() if name.startswith("features.")}


def _weights(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {f"weights.{i}": state[f"lin{i}.model.1.weight"] for i in range(len(LEVELS) - 1)}


def _linear() -> Path | None:
    """Return the file in the installed torchmetrics, which is not imported."""
    spec = find_spec("torchmetrics")
    if spec is None or not spec.submodule_search_locations:
        return None
    place = Path(spec.submodule_search_locations[0])
    return place / "functional" / "image" / "lpips_models" / LINEAR.names[0]


@hookimpl
def register_feature_extractors(register: Callable[[type[FeatureExtractor]], None]) -> None:
    register(LPIPS)
