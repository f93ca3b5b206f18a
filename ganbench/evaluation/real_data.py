"""The real images that samples are judged beside, and the digests that tell them from others."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.feature_extractors import Unavailable
from ganbench.contracts.images import LabeledImages, Split
from ganbench.evaluation import loading


class RealData:
    """A data set's splits: the training set at hand, the others loaded when asked for."""

    def __init__(
        self, dataset: Dataset, train: LabeledImages, root: Path, train_name: str = "train"
    ) -> None:
        """`train_name` says what `train` is, where it is not the whole training set."""
        self.dataset = dataset
        self.train = train
        self._root = root
        self._names: dict[Split, str] = {"train": train_name, "test": "test"}
        self._splits: dict[Split, LabeledImages] = {"train": train}
        self._digests: dict[Split, str] = {}

    def split(self, split: Split) -> LabeledImages:
        """Return a split's images. Raises Unavailable where the data set has no such split."""
        if split not in self._splits:
            if split not in self.dataset.splits:
                raise Unavailable(f"data set '{self.dataset.name}' has no {split} split")
            self._splits[split] = loading.load(self.dataset, split, self._root)
        return self._splits[split]

    def is_loaded(self, split: Split) -> bool:
        """Whether a split is at hand."""
        return split in self._splits

    def forget(self) -> None:
        """Keep the training set alone, and no digest."""
        self._splits = {"train": self.train}
        self._digests.clear()

    def digest(self, split: Split = "train") -> str:
        """Return the SHA-256 of a split's images and labels."""
        if split not in self._digests:
            self._digests[split] = digest(self.split(split))
        return self._digests[split]

    def seen(self) -> dict[str, dict[str, Any]]:
        """Return what protocols say of all splits loaded so far, by name."""
        return self.protocol(self._splits)

    def protocol(self, splits: Iterable[Split]) -> dict[str, Any]:
        """Return what a metric's protocol says of the splits that it looked at, by name."""
        return {
            self._names[split]: {
                "num_images": len(self.split(split)),
                "sha256": self.digest(split),
            }
            for split in sorted(splits)
        }

    @property
    def problems(self) -> tuple[str, ...]:
        """Files of the splits loaded so far that were left out, and why."""
        return tuple(text for split in self._splits.values() for text in split.problems)

    @property
    def remarks(self) -> tuple[str, ...]:
        """What may be wrong with the splits loaded so far, each once."""
        found = (text for split in self._splits.values() for text in split.remarks)
        return tuple(dict.fromkeys(found))


def digest(data: LabeledImages) -> str:
    """Return the SHA-256 of shape, type and values of images and labels."""
    found = hashlib.sha256(str((tuple(data.images.shape), data.images.dtype)).encode())
    for tensor in (data.images, data.labels):
        if tensor is not None:
            found.update(tensor.contiguous().numpy().data)
    return found.hexdigest()
