"""The Inception network of every published FID, as TensorFlow 1 ran it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import FeatureExtractor, Features, ImageSpec, Unavailable, hookimpl
from ganbench.default_plugins.features.weights import INCEPTION, frozen, in_colour, no_picture

WEIGHTS = INCEPTION
RESIZES = {
    "tf1": "bilinear as TensorFlow 1: corners, no antialias, to 299×299",
    "clean": "bicubic as PIL of floats: antialias, clipped to 0…255, not rounded, to 299×299",
}


# Why torch-fidelity's network and none of torchmetrics' metrics: those smooth while they resize
# (since 1.8, and KID and the Inception score have no switch for it), so that the same images get
# another number than in TensorFlow; a NaN in their FID has ended whole processes; and in a model
# set to half precision they compute statistics in float16.
@dataclass(kw_only=True)
class Inception(FeatureExtractor):
    """Inception v3 of 2015-12-05: pool3, and the 1,008 classes (Szegedy et al., 2016).

    Images are resized as TensorFlow 1 did, for the FID that most papers mean; with
    `resize: clean` as clean-fid does (Parmar et al., 2022), which is another number.
    """

    name = "inception"
    slow = True
    resize: Literal["tf1", "clean"] = field(default="tf1", metadata={"since": "0.2.0"})

    def unsupported(self, image: ImageSpec) -> str | None:
        return no_picture(image)

    def missing(self, root: Path) -> str | None:
        if find_spec("torch_fidelity") is None:
            return "its network comes from torch-fidelity; pip install 'ganbench[inception]'"
        return WEIGHTS.missing(root)

    def fetch(self, root: Path) -> Path:
        return WEIGHTS.fetch()

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        if why := self.missing(root):
            raise Unavailable(why)
        net = _network(WEIGHTS.load(root))

        def features(images: Tensor) -> Features:
            run = net if self.resize == "tf1" else partial(_of_clean, net)
            embedding, logits = run(in_colour(images))
            return Features(embedding, logits.softmax(1))

        return frozen(net, features, device)

    def fingerprint(self) -> str:
        resize = "tf1-bilinear-299" if self.resize == "tf1" else "clean-bicubic-299"
        return f"inception:pool3:{resize}:{WEIGHTS.sha256}"

    def protocol(self) -> dict[str, Any]:
        return {
            "weights": WEIGHTS.protocol(),
            "layer": "pool3",
            "dim": 2048,
            "probabilities": "softmax over the 1008 of logits_unbiased",
            "resize": RESIZES[self.resize],
            "values": "(x - 128) / 128 of uint8",
            "channels": "grey three times",
            "network": "torch-fidelity's",
        }


def _network(state: dict[str, Tensor]) -> nn.Module:
    """Return the network, from a file written here, as torch-fidelity unpickles any object."""
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    file = io.BytesIO()
    torch.save(state, file)
    file.seek(0)
    return FeatureExtractorInceptionV3(
        "inception", ["2048", "logits_unbiased"], feature_extractor_weights_path=file
    )


def cleanly_resized(images: Tensor, size: int) -> Tensor:
    """Return uint8 images as floats from 0 to 255 of size × size, as clean-fid makes them with PIL.

    Each channel on its own, smoothed where it shrinks, and never rounded.
    """
    resized = F.interpolate(images.float(), (size, size), mode="bicubic", antialias=True)
    return resized.clamp(0, 255)


def _of_clean(net: Any, images: Tensor) -> tuple[Tensor, Tensor]:
    """Return what the network makes of images that it has not resized: pool3 and the logits.

    Its own way in takes bytes alone. Its layers lie in the order in which it calls them.
    """
    *layers, classes = net.children()
    x = (cleanly_resized(images, net.INPUT_IMAGE_SIZE) - 128) / 128
    for layer in layers:
        x = layer(x)
    pooled = x.flatten(1)  # (N, 2048)
    return pooled, pooled @ classes.weight.T


@hookimpl
def register_feature_extractors(register: Callable[[type[FeatureExtractor]], None]) -> None:
    register(Inception)
