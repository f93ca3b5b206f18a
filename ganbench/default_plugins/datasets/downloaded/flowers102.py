"""The Oxford 102 flowers (Nilsback & Zisserman, 2008)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch

from ganbench import DataError, Dataset, ImageSpec, LabeledImages, Split, hookimpl
from ganbench.default_plugins.datasets.downloaded import matlab
from ganbench.default_plugins.datasets.downloaded.archives import Archive, Origin
from ganbench.default_plugins.datasets.downloaded.dataset import DownloadedDataset
from ganbench.default_plugins.datasets.image_files.decoding import Crop, Filter, Preparation
from ganbench.default_plugins.datasets.image_files.fingerprints import Listing
from ganbench.default_plugins.datasets.image_files.prepared import prepared

FOLDER = "flowers-102"
PICTURES, LABELS, SPLITS = f"{FOLDER}/jpg", f"{FOLDER}/imagelabels.mat", f"{FOLDER}/setid.mat"


@dataclass(kw_only=True)
class Flowers102(DownloadedDataset):
    """Flowers, 1,020 + 6,149 photographs in 102 classes (Nilsback & Zisserman, 2008); needs SciPy.

    The 1,020 of the validation set are for training too with `source: train+val`.
    """

    name = "flowers102"
    features = "random-conv"
    published = 1_020
    source: Literal["train", "train+val"] = "train"
    resolution: int = 64
    crop: Crop = (
        "fit"  # fit: the shorter side, then the middle; squash: both sides; pad: the longer
    )
    filter: Filter = "lanczos"

    def __post_init__(self) -> None:
        if self.resolution < 1:
            raise ValueError(f"resolution must be positive, found {self.resolution}")

    def image_spec(self) -> ImageSpec:
        return ImageSpec(channels=3, resolution=self.resolution, num_classes=102)

    def num_images(self) -> int | None:
        found = super().num_images()
        return found if self.source == "train" or found is None else 2 * found

    def class_names(self) -> tuple[str, ...]:
        from torchvision import datasets

        return tuple(datasets.Flowers102.classes)

    def protocol(self) -> dict[str, Any]:
        return self._preparation().protocol()

    def archives(self) -> Sequence[Archive]:
        archive = Archive(f"{FOLDER}/102flowers.tgz", (PICTURES,))
        return [archive, Archive(LABELS, (LABELS,)), Archive(SPLITS, (SPLITS,))]

    def origin(self, archive: Archive) -> Origin:
        from torchvision.datasets import Flowers102 as Theirs

        name = Path(archive.name).name
        return Origin((Theirs._download_url_prefix + name,), dict(Theirs._file_dict.values())[name])

    def unreadable(self) -> str | None:
        return matlab.no_reader(self.name)

    def read(self, split: Split, folder: Path) -> LabeledImages:
        wanted = ("tstid",) if split == "test" else ("trnid", "valid")[: 1 + ("+" in self.source)]
        of_split, of_all = matlab.contents(folder / SPLITS), matlab.contents(folder / LABELS)
        ids = np.concatenate([np.atleast_1d(of_split[name]) for name in wanted])
        names = [f"image_{number:05d}.jpg" for number in ids.tolist()]
        found = prepared(Listing(folder / PICTURES, names), self._preparation())
        for i, why in found.unusable.items():
            raise DataError(
                f"{folder / PICTURES / names[i]}: {why}; remove {folder / PICTURES} and run "
                f"`ganbench datasets prepare {self.name}`"
            )
        labels = np.atleast_1d(of_all["labels"])[ids - 1].astype(np.int64) - 1
        return LabeledImages(found.images, torch.from_numpy(labels))

    def _preparation(self) -> Preparation:
        return Preparation(
            resolution=self.resolution,
            channels=3,
            crop=self.crop,
            crop_size=None,
            filter=self.filter,
            background="white",
        )


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(Flowers102)
