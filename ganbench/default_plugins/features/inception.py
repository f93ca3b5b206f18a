"""The Inception network of every published FID, as TensorFlow 1 ran it."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from ganbench import FeatureExtractor, Features, ImageSpec, Unavailable, hookimpl
from ganbench.default_plugins.features.weights import INCEPTION, frozen, in_colour, no_picture

WEIGHTS = INCEPTION


# Why torch-fidelity's network and none of torchmetrics' metrics: those smooth while they resize
# (since 1.8, and KID and the Inception score have no switch for it), so that the same images get
# another number than in TensorFlow; a NaN in their FID has ended whole processes; and in a model
# set to half precision they compute statistics in float16.
@dataclass(kw_only=True)
class Inception(FeatureExtractor):
    """Inception v3 of 2015-12-05: pool3, and the 1,008 classes (Szegedy et al., 2016)."""

    name = "inception"
    slow = True

    def unsupported(self, image: ImageSpec) -> str | None:
        return no_picture(image)

    def missing(self, root: Path) -> str | None:
        if find_spec("torch_fidelity") is None:
            return "its network comes from torch-fidelity; pip install 'ganbench[inception]'"
        return WEIGHTS.missing(root)

    def fetch(self, root: Path) -> Path:
        return WEIGHTS.fetch()

    def load(self, image: ImageSpec, root: Path) -> Callable[[Tensor], Features]:
        if why := self.missing(root):
            raise Unavailable(why)
        net = _network(WEIGHTS.load(root))

        def features(images: Tensor) -> Features:
            embedding, logits = net(in_colour(images))
            return Features(embedding, logits.softmax(1))

        return frozen(net, features)

    def fingerprint(self) -> str:
        return f"inception:pool3:tf1-bilinear-299:{WEIGHTS.sha256}"

    def protocol(self) -> dict[str, Any]:
        return {
            "weights": WEIGHTS.protocol(),
            "layer": "pool3",
            "dim": 2048,
            "probabilities": "softmax over the 1008 of logits_unbiased",
            "resize": "bilinear as TensorFlow 1: corners, no antialias, to 299×299",
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


@hookimpl
def register_feature_extractors(register: Callable[[type[FeatureExtractor]], None]) -> None:
    register(Inception)
