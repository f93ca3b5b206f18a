"""Data sets in MNIST's format and, but for EMNIST, of its size."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from ganbench import DataError, Dataset, ImageSpec, LabeledImages, Split, hookimpl
from ganbench.default_plugins.datasets.arrays import idx
from ganbench.default_plugins.datasets.downloaded.archives import Archive, Origin
from ganbench.default_plugins.datasets.downloaded.arrays import DownloadedArrays

PARTS: dict[Split, str] = {"train": "train", "test": "t10k"}


@dataclass(kw_only=True)
class MnistLike(DownloadedArrays):
    """A data set of four files, as those of MNIST."""

    own = ImageSpec(channels=1, resolution=28, num_classes=10)
    published = 60_000
    theirs: ClassVar[str]  # torchvision's class
    contents: ClassVar[Mapping[str, str]] = {}  # SHA-256 of what is in archives, where it is known

    def archives(self) -> Sequence[Archive]:
        return [Archive(f"{name}.gz", (name,)) for name in self.parts()]

    def origin(self, archive: Archive) -> Origin:
        name = Path(archive.name).name
        urls = tuple(f"{mirror}{name}" for mirror in self._theirs().mirrors)
        md5 = dict(self._theirs().resources)[name]
        return Origin(urls, md5, self.contents.get(name, ""))

    def parts(self) -> tuple[str, ...]:
        return tuple(name for split in PARTS for name in self._files(split))

    def class_names(self) -> tuple[str, ...]:
        return tuple(self._theirs().classes)

    def arrays(self, split: Split, folder: Path) -> LabeledImages:
        pixels, ids = (
            torch.from_numpy(idx.read(_plain_or_packed(folder / name)))
            for name in self._files(split)
        )
        size = self.own.resolution
        if pixels.shape[1:] != (size, size) or ids.shape != pixels.shape[:1]:
            raise DataError(
                f"{folder / self._files(split)[0]}: images of shape {tuple(pixels.shape)} for "
                f"labels of shape {tuple(ids.shape)}; expected those of '{self.name}'"
            )
        return LabeledImages(pixels.unsqueeze(1), ids.long())

    def _missing(self, folder: Path) -> list[str]:
        missing = super()._missing(folder)
        if self.root is None:  # a copy of your own may be packed, as it is never written
            return missing
        return [part for part in missing if not _plain_or_packed(folder / part).is_file()]

    def _files(self, split: Split) -> tuple[str, str]:
        """Return the images' and the labels' file."""
        start = f"{self.theirs}/raw/{PARTS[split]}"
        return f"{start}-images-idx3-ubyte", f"{start}-labels-idx1-ubyte"

    def _theirs(self) -> Any:
        from torchvision import datasets

        return getattr(datasets, self.theirs)


def _plain_or_packed(path: Path) -> Path:
    """Return a file, or where it is not there but packed, that."""
    packed = path.with_name(f"{path.name}.gz")
    return packed if packed.is_file() and not path.is_file() else path


@dataclass(kw_only=True)
class FashionMNIST(MnistLike):
    """Clothes in grey, 60,000 + 10,000 images of 28×28 in 10 classes (Xiao et al., 2017)."""

    name = "fashion-mnist"
    theirs = "FashionMNIST"
    contents: ClassVar[Mapping[str, str]] = {
        "train-images-idx3-ubyte.gz": (
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888"
        ),
        "train-labels-idx1-ubyte.gz": (
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9"
        ),
        "t10k-images-idx3-ubyte.gz": (
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b"
        ),
        "t10k-labels-idx1-ubyte.gz": (
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34"
        ),
    }


@dataclass(kw_only=True)
class KMNIST(MnistLike):
    """Cursive hiragana, 60,000 + 10,000 images of 28×28 in 10 classes (Clanuwat et al., 2018)."""

    name = "kmnist"
    theirs = "KMNIST"


EmnistSplit = Literal["byclass", "bymerge", "balanced", "letters", "digits", "mnist"]
EMNIST_CLASSES = {
    "byclass": 62,
    "bymerge": 47,
    "balanced": 47,
    "letters": 26,
    "digits": 10,
    "mnist": 10,
}
EMNIST_IMAGES = {  # of the training sets
    "byclass": 697_932,
    "bymerge": 697_932,
    "balanced": 112_800,
    "letters": 124_800,
    "digits": 240_000,
    "mnist": 60_000,
}


@dataclass(kw_only=True)
class EMNIST(MnistLike):
    """Handwritten letters and digits of 28×28, in six selections (Cohen et al., 2017)."""

    name = "emnist"
    theirs = "EMNIST"
    split: EmnistSplit = "balanced"

    def image_spec(self) -> ImageSpec:
        return replace(super().image_spec(), num_classes=EMNIST_CLASSES[self.split])

    def num_images(self) -> int | None:
        return None if self.root is not None else EMNIST_IMAGES[self.split]

    def archives(self) -> Sequence[Archive]:
        everything = [
            f"EMNIST/raw/emnist-{selection}-{split}-{what}"
            for selection in EMNIST_CLASSES
            for split in PARTS
            for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
        ]
        return [Archive("EMNIST/raw/gzip.zip", tuple(everything))]

    def origin(self, archive: Archive) -> Origin:
        return Origin((self._theirs().url,), self._theirs().md5)

    def class_names(self) -> tuple[str, ...]:
        names = self._theirs().classes_split_dict[self.split]
        return tuple(name for name in names if name != "N/A")

    def arrays(self, split: Split, folder: Path) -> LabeledImages:
        found = super().arrays(split, folder)
        assert found.labels is not None
        first = 1 if self.split == "letters" else 0
        return LabeledImages(found.images.transpose(2, 3), found.labels - first)

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "orientation": "upright; published transposed"}

    def _files(self, split: Split) -> tuple[str, str]:
        start = f"EMNIST/raw/emnist-{self.split}-{split}"
        return f"{start}-images-idx3-ubyte", f"{start}-labels-idx1-ubyte"


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(FashionMNIST)
    register(KMNIST)
    register(EMNIST)
