"""Stacked MNIST: three digits as the channels of one image, a thousand classes, and its judge."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from ganbench import (
    Dataset,
    DatasetStatus,
    FeatureExtractor,
    Features,
    ImageSpec,
    LabeledImages,
    Split,
    hookimpl,
)
from ganbench.default_plugins.datasets.arrays.limits import require_memory_for
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.default_plugins.features.builtin import MnistCNNv1

SEEDS: dict[Split, int] = {"train": 0, "test": 1}
CHUNK = 4096  # triples that are copied at once
DIGIT = ImageSpec(channels=1, resolution=28, num_classes=10)


@dataclass(kw_only=True)
class StackedMNIST(Dataset):
    """Three random digits in red, green and blue: classes 000 to 999 (Metz et al., 2017).

    The test set is of test digits alone. From `train+test` the training set is of all 70,000, as
    in the second table of Lin et al. (2018), and has seen the digits of the test set.
    """

    name = "stacked-mnist"
    features = "stacked-mnist-cnn-v1"
    judge = "stacked-mnist-cnn-v1"
    source: Literal["train", "train+test"] = "train"  # the digits of the training set
    train_size: int = 128_000
    test_size: int = 26_000
    root: str | None = None  # a copy of MNIST of your own, laid out as torchvision does

    def __post_init__(self) -> None:
        for name, value in (("train_size", self.train_size), ("test_size", self.test_size)):
            if value <= 0:
                raise ValueError(f"{name} must be positive, found {value}")

    def image_spec(self) -> ImageSpec:
        return ImageSpec(channels=3, resolution=28, num_classes=1000)

    def load(self, split: Split, root: Path) -> LabeledImages:
        digits = self.digits(split, root)
        assert digits.labels is not None
        triples = self.triples(split, len(digits))
        images = torch.empty(len(triples), 3, 28, 28, dtype=torch.uint8)
        for rows, chosen in zip(images.split(CHUNK), triples.split(CHUNK), strict=True):
            rows.copy_(digits.images[chosen].squeeze(2))
        return LabeledImages(images, digits.labels[triples] @ torch.tensor([100, 10, 1]))

    def num_images(self) -> int | None:
        return self.train_size

    def status(self, root: Path) -> DatasetStatus:
        found = self._mnist().status(root)
        if not (found.present and found.verified):
            return found
        note = "; ".join(filter(None, [found.note, "stacked on use"]))
        return replace(found, note=note, images=self.train_size)

    def digits(self, split: Split, root: Path) -> LabeledImages:
        """Return the digits that the images of a split are stacked of."""
        whole: tuple[Split, ...] = ("train", "test")
        mixed = split == "train" and self.source == "train+test"
        parts = [self._mnist().load(part, root) for part in (whole if mixed else (split,))]
        labels = [part.labels for part in parts if part.labels is not None]
        return LabeledImages(torch.cat([part.images for part in parts]), torch.cat(labels))

    def triples(self, split: Split, num_digits: int) -> Tensor:  # (N, 3)
        """Return which digits stand in each image, as indices (N, 3)."""
        count = self.train_size if split == "train" else self.test_size
        require_memory_for(self.name, split, count, 3 * 28**2 + 3 * 8)
        generator = torch.Generator().manual_seed(SEEDS[split])
        return torch.randint(num_digits, (count, 3), generator=generator)

    def _mnist(self) -> MNIST:
        return MNIST(root=self.root)


@dataclass(kw_only=True)
class StackedMnistCNNv1(FeatureExtractor):
    """The frozen CNN of mnist-cnn-v1 on each channel: 3×96 features, 1000 class probabilities."""

    name = "stacked-mnist-cnn-v1"

    def unsupported(self, image: ImageSpec) -> str | None:
        if (image.channels, image.resolution) != (3, 28):
            return f"it sees images of 3×28×28, and these are {image}"
        return None

    def load(
        self, image: ImageSpec, root: Path, device: torch.device | str = "cpu"
    ) -> Callable[[Tensor], Features]:
        of_digits = MnistCNNv1().load(DIGIT, root, device)

        @torch.inference_mode()
        def features(images: Tensor) -> Features:
            found = of_digits(images.reshape(-1, 1, 28, 28))
            assert found.probabilities is not None
            a, b, c = found.probabilities.unflatten(0, (-1, 3)).unbind(1)  # (N, 10) each
            joint = torch.einsum("na,nb,nc->nabc", a, b, c).flatten(1)
            return Features(found.embedding.unflatten(0, (-1, 3)).flatten(1), joint)

        return features

    def fingerprint(self) -> str:
        return f"stacked-mnist-cnn-v1:3x:{MnistCNNv1().fingerprint()}"

    def protocol(self) -> dict[str, Any]:
        digits = float(str(MnistCNNv1.card()["test_accuracy"]))
        return {
            **super().protocol(),
            "judge": "mnist-cnn-v1 on each channel",
            "judge_accuracy": round(digits**3, 4),
            "judge_accuracy_is": f"the cube of {digits} on the 10,000 test digits",
        }


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(StackedMNIST)


@hookimpl
def register_feature_extractors(register: Callable[[type[FeatureExtractor]], None]) -> None:
    register(StackedMnistCNNv1)
