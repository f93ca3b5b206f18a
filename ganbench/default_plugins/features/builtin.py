"""The built-in feature extractors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load as load_weights
from torch import Tensor

from ganbench import DataError, FeatureExtractor, Features, ImageSpec, hookimpl
from ganbench.default_plugins.features.mnist_cnn import MnistCNN
from ganbench.default_plugins.features.weights import as_bytes

SHA256 = "bacd3dc2315c80207d77198febfa1ff63124743f25f11e829cb91b9426c79a77"


@dataclass(kw_only=True)
class MnistCNNv1(FeatureExtractor):
    """A frozen CNN, 99.5 % right on MNIST's test set: 96 features and the class probabilities."""

    name = "mnist-cnn-v1"

    def unsupported(self, image: ImageSpec) -> str | None:
        if (image.channels, image.resolution) != (1, 28):
            return f"it sees images of 1×28×28, and these are {image}"
        return None

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        content = (
            files("ganbench.default_plugins.data") / "mnist_cnn_v1" / "weights.safetensors"
        ).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != SHA256:
            raise DataError(
                f"the weights of mnist-cnn-v1 have SHA-256 {found[:12]}…, expected {SHA256[:12]}…; "
                "install ganbench again"
            )
        net = MnistCNN().eval().to(memory_format=torch.channels_last)
        net.load_state_dict(load_weights(content))
        net.to(device)

        @torch.inference_mode()
        def features(images: Tensor) -> Features:
            embedding, logits = net(as_bytes(images).float() / 255)
            return Features(embedding, logits.softmax(1))

        return features

    def fingerprint(self) -> str:
        return f"mnist-cnn-v1:gap96:{SHA256}"

    def protocol(self) -> dict[str, Any]:
        return {
            "weights": {"file": "mnist_cnn_v1/weights.safetensors", "sha256": SHA256},
            "layer": "mean of the last convolution's maps",
            "dim": 96,
            "probabilities": "softmax over 10",
            "resize": "none",
            "values": "x / 255 of uint8",
        }

    @staticmethod
    def card() -> dict[str, object]:
        """Return how the weights came about, and their accuracy."""
        return json.loads(
            (files("ganbench.default_plugins.data") / "mnist_cnn_v1/card.json").read_text("utf-8")
        )


@dataclass(kw_only=True)
class Pixels(FeatureExtractor):
    """The raw values themselves; for points of the plane, their coordinates."""

    name = "pixels"
    max_values: int = 3072  # per image; a covariance of more would not be worth its size

    def unsupported(self, image: ImageSpec) -> str | None:
        values = image.channels * image.resolution**2
        if values > self.max_values:
            most = f"{self.max_values:,}"
            return f"images of {image} have {values:,} values each; at most {most} are used"
        return None

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        return lambda images: Features(
            images.flatten(1).float() / (255 if images.dtype == torch.uint8 else 1)
        )

    def fingerprint(self) -> str:
        return "pixels:v1"

    def protocol(self) -> dict[str, Any]:
        return {
            "weights": "none",
            "layer": "the pixels",
            "dim": "channels × height × width",
            "resize": "none",
            "values": "x / 255 of uint8; points as they are",
        }


def for_any_images(image: ImageSpec) -> str:
    """Return the extractor for images of any kind: pixels, unless there are too many."""
    return Pixels.name if Pixels().unsupported(image) is None else "random-conv"


@hookimpl
def register_feature_extractors(register: Callable[[type[FeatureExtractor]], None]) -> None:
    register(MnistCNNv1)
    register(Pixels)
