"""STL-10 (Coates et al., 2011)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ganbench import Dataset, ImageSpec, LabeledImages, Split, hookimpl
from ganbench.default_plugins.datasets.downloaded.archives import Archive, Origin
from ganbench.default_plugins.datasets.downloaded.arrays import DownloadedArrays

FOLDER = "stl10_binary"
LABELLED = ("train_X.bin", "train_y.bin", "test_X.bin", "test_y.bin")
UNLABELLED = "unlabeled_X.bin"
NAMES = ("airplane", "bird", "car", "cat", "deer", "dog", "horse", "monkey", "ship", "truck")


@dataclass(kw_only=True)
class STL10(DownloadedArrays):
    """Photographs of 3×96×96: 5,000 + 8,000 in 10 classes, 100,000 without (Coates et al., 2011).

    With `source: unlabeled` the training set is of those without a class, and none has a label.
    """

    name = "stl10"
    features = "random-conv"
    own = ImageSpec(channels=3, resolution=96, num_classes=10)
    published = 5_000
    source: Literal["train", "unlabeled"] = "train"

    def image_spec(self) -> ImageSpec:
        found = super().image_spec()
        return found if self.source == "train" else replace(found, num_classes=0)

    def num_images(self) -> int | None:
        found = super().num_images()
        return found if self.source == "train" or found is None else 100_000

    def class_names(self) -> tuple[str, ...]:
        return NAMES if self.source == "train" else ()

    def archives(self) -> Sequence[Archive]:
        parts = tuple(f"{FOLDER}/{name}" for name in (*LABELLED, UNLABELLED))
        return [Archive("stl10_binary.tar.gz", parts)]

    def origin(self, archive: Archive) -> Origin:
        from torchvision import datasets

        return Origin((datasets.STL10.url,), datasets.STL10.tgz_md5)

    def parts(self) -> tuple[str, ...]:
        needed = LABELLED if self.source == "train" else (UNLABELLED, "test_X.bin")
        return tuple(f"{FOLDER}/{name}" for name in needed)

    def md5_of_parts(self) -> Mapping[str, str]:
        from torchvision import datasets

        listed = [*datasets.STL10.train_list, *datasets.STL10.test_list]
        return {f"{FOLDER}/{file}": md5 for file, md5 in listed}

    def arrays(self, split: Split, folder: Path) -> LabeledImages:
        where = folder / FOLDER
        if self.source == "unlabeled":
            return LabeledImages(
                _pixels(where / (UNLABELLED if split == "train" else "test_X.bin")), None
            )
        ids = torch.from_numpy(np.fromfile(where / f"{split}_y.bin", np.uint8)).long() - 1
        return LabeledImages(_pixels(where / f"{split}_X.bin"), ids)


def _pixels(path: Path) -> Tensor:  # (N, 3, 96, 96)
    """Map images into memory; the file has columns before rows."""
    return torch.from_numpy(np.memmap(path, np.uint8, "c")).view(-1, 3, 96, 96).transpose(2, 3)


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(STL10)
