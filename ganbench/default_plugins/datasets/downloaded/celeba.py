"""CelebA (Liu et al., 2015), downloaded as torchvision lays it out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ganbench import (
    DataError,
    Dataset,
    DatasetStatus,
    ImageSpec,
    LabeledImages,
    Split,
    hookimpl,
    write_atomically,
)
from ganbench.default_plugins.datasets.celeba_attributes import CelebAAttributes
from ganbench.default_plugins.datasets.downloaded.archives import Archive, Check, Origin
from ganbench.default_plugins.datasets.downloaded.dataset import DownloadedDataset

FOLDER = "celeba"
ARCHIVE, PICTURES = f"{FOLDER}/img_align_celeba.zip", f"{FOLDER}/img_align_celeba"
LISTS = (f"{FOLDER}/list_attr_celeba.txt", f"{FOLDER}/list_eval_partition.txt")
DRIVE = "https://drive.google.com/uc?id="


@dataclass(kw_only=True)
class CelebA(DownloadedDataset):
    """162,770 + 19,962 aligned faces; attributes are classes (Liu et al., 2015); needs gdown.

    As celeba-attributes with the authors' partition: of k attributes there are 2^k classes.
    """

    name = "celeba"
    features = "random-conv"
    published = 162_770
    attributes: list[str] = field(default_factory=list)  # of 40, such as Blond_Hair
    resolution: int = 64
    crop_size: int | None = 178  # a square of so many pixels from the middle, before resizing

    def __post_init__(self) -> None:
        self._faces(Path())  # which says what is wrong with these options

    def image_spec(self) -> ImageSpec:
        classes = 2 ** len(self.attributes) if self.attributes else 0
        return ImageSpec(channels=3, resolution=self.resolution, num_classes=classes)

    def class_names(self) -> tuple[str, ...]:
        sides = [(f"not {attribute}", attribute) for attribute in self.attributes]
        return tuple(", ".join(one) for one in itertools.product(*sides)) if sides else ()

    def protocol(self) -> dict[str, Any]:
        return self._faces(Path()).protocol()

    def archives(self) -> Sequence[Archive]:
        return [Archive(ARCHIVE, (PICTURES,)), *(Archive(name, (name,)) for name in LISTS)]

    def origin(self, archive: Archive) -> Origin:
        from torchvision import datasets

        listed = {name: Origin((DRIVE + id,), md5) for id, md5, name in datasets.CelebA.file_list}
        return listed[Path(archive.name).name]

    def unreachable(self) -> str | None:
        if find_spec("gdown") is None:
            return "CelebA is on Google Drive: `pip install gdown` reaches it"
        return None

    def fetch(self, origin: Origin, target: Path, check: Check) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            write_atomically(target, lambda path: _from_drive(origin.urls[0], path, check))
        except Exception as error:  # of any kind: gdown's, requests' and the system's
            raise DataError(
                f"{origin.urls[0]}: {error or type(error).__name__}; nothing was kept. Google "
                f"Drive refuses large files that many ask for: try again tomorrow, or bring "
                f"{target.name} to {target.parent} another way"
            ) from error

    def read(self, split: Split, folder: Path) -> LabeledImages:
        return self._faces(folder).load(split, folder)

    def status(self, root: Path) -> DatasetStatus:
        found = super().status(root)
        faces = self._faces(self._folder(root)).status(root)
        if found.present and not faces.present:
            return replace(found, present=False, note=faces.note)
        return found

    def _faces(self, folder: Path) -> CelebAAttributes:
        return CelebAAttributes(
            path=str(folder / FOLDER),
            attributes=self.attributes,
            resolution=self.resolution,
            crop_size=self.crop_size,
            partition=True,
            max_bad=0,
        )


def _from_drive(url: str, path: Path, check: Check) -> None:
    import gdown

    gdown.download(url, str(path), quiet=True)
    if why := check(path):
        raise DataError(f"sent {why}")


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(CelebA)
