"""Street View House Numbers (Netzer et al., 2011)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from ganbench import DataError, Dataset, ImageSpec, LabeledImages, Split, hookimpl
from ganbench.default_plugins.datasets.downloaded import matlab
from ganbench.default_plugins.datasets.downloaded.archives import Archive, Origin
from ganbench.default_plugins.datasets.downloaded.arrays import DownloadedArrays

FILES: dict[Split, str] = {"train": "train_32x32.mat", "test": "test_32x32.mat"}


@dataclass(kw_only=True)
class SVHN(DownloadedArrays):
    """House numbers, 73,257 + 26,032 digits in colour, 32×32 (Netzer et al., 2011); needs SciPy."""

    name = "svhn"
    own = ImageSpec(channels=3, resolution=32, num_classes=10)
    published = 73_257
    home = "SVHN"  # torchvision puts the files anywhere

    def archives(self) -> Sequence[Archive]:
        return [Archive(name, (name,)) for name in FILES.values()]

    def origin(self, archive: Archive) -> Origin:
        from torchvision import datasets

        known = {name: Origin((url,), md5) for url, name, md5 in datasets.SVHN.split_list.values()}
        return known[archive.name]

    def unreadable(self) -> str | None:
        return matlab.no_reader(self.name)

    def arrays(self, split: Split, folder: Path) -> LabeledImages:
        path = folder / FILES[split]
        found = matlab.contents(path)
        try:
            pixels, ids = found["X"], found["y"].astype(np.int64) % 10  # 10 stands for the digit 0
        except KeyError as error:
            raise DataError(f"{path}: holds no {error}; remove the file") from error
        images = np.ascontiguousarray(pixels.transpose(3, 2, 0, 1))
        return LabeledImages(torch.from_numpy(images), torch.from_numpy(ids))


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(SVHN)
