"""CIFAR-10 and CIFAR-100 (Krizhevsky, 2009)."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch

from ganbench import DataError, Dataset, ImageSpec, LabeledImages, Split, hookimpl
from ganbench.default_plugins.datasets.downloaded.archives import Archive, Origin
from ganbench.default_plugins.datasets.downloaded.arrays import DownloadedArrays

CIFAR10_NAMES = "airplane automobile bird cat deer dog frog horse ship truck"
CIFAR100_NAMES = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile
cup dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp
lawn_mower leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom
oak_tree orange orchid otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine
possum rabbit raccoon ray road rocket rose sea seal shark shrew skunk skyscraper snail snake
spider squirrel streetcar sunflower sweet_pepper table tank telephone television tiger tractor
train trout tulip turtle wardrobe whale willow_tree wolf woman worm
"""


@dataclass(kw_only=True)
class CIFAR10(DownloadedArrays):
    """Small photographs, 50,000 + 10,000 images of 3×32×32 in 10 classes (Krizhevsky, 2009)."""

    name = "cifar10"
    own = ImageSpec(channels=3, resolution=32, num_classes=10)
    published = 50_000
    theirs: ClassVar[str] = "CIFAR10"
    archive: ClassVar[str] = "cifar-10-python.tar.gz"
    folder: ClassVar[str] = "cifar-10-batches-py"
    files: ClassVar[tuple[str, ...]] = (
        *(f"data_batch_{i}" for i in range(1, 6)),
        "test_batch",
        "batches.meta",
    )

    def archives(self) -> Sequence[Archive]:
        return [Archive(self.archive, tuple(f"{self.folder}/{file}" for file in self.files))]

    def origin(self, archive: Archive) -> Origin:
        return Origin((self._theirs().url,), self._theirs().tgz_md5)

    def md5_of_parts(self) -> Mapping[str, str]:
        theirs = self._theirs()
        listed = [*theirs.train_list, *theirs.test_list]
        sums = {**dict(listed), theirs.meta["filename"]: theirs.meta["md5"]}
        return {f"{self.folder}/{file}": md5 for file, md5 in sums.items()}

    def class_names(self) -> tuple[str, ...]:
        return tuple(CIFAR10_NAMES.split())

    def arrays(self, split: Split, folder: Path) -> LabeledImages:
        """By torchvision, which unpickles nothing before its MD5 is right."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # NumPy's, of arrays that were pickled in 2009
                found = self._theirs()(str(folder), train=split == "train", download=False)
        except RuntimeError as error:
            raise DataError(
                f"{folder / self.folder}: not as torchvision expects it: {error}; remove the folder"
            ) from error
        pixels = torch.from_numpy(found.data).permute(0, 3, 1, 2)
        return LabeledImages(pixels, torch.tensor(found.targets))

    def _theirs(self) -> Any:
        from torchvision import datasets

        return getattr(datasets, self.theirs)


@dataclass(kw_only=True)
class CIFAR100(CIFAR10):
    """Small photographs, 50,000 + 10,000 images of 3×32×32 in 100 classes (Krizhevsky, 2009)."""

    name = "cifar100"
    own = ImageSpec(channels=3, resolution=32, num_classes=100)
    theirs = "CIFAR100"
    archive = "cifar-100-python.tar.gz"
    folder = "cifar-100-python"
    files = ("train", "test", "meta")

    def class_names(self) -> tuple[str, ...]:
        return tuple(CIFAR100_NAMES.split())


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(CIFAR10)
    register(CIFAR100)
