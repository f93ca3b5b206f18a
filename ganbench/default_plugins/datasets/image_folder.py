"""Images from a folder of the user's own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ganbench import DataError, Dataset, DatasetStatus, Split, hookimpl
from ganbench.default_plugins.datasets.arrays.files import holds_arrays
from ganbench.default_plugins.datasets.image_files.choices import unknown
from ganbench.default_plugins.datasets.image_files.fingerprints import Listing
from ganbench.default_plugins.datasets.image_files.options import PicturesOfYourOwn, folder

SUFFIXES = {
    *(".avif", ".bmp", ".gif", ".heic", ".heif", ".jfif", ".jpeg", ".jpg"),
    *(".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"),
}
SPLIT_NAMES = {"train", "training", "val", "valid", "validation", "test", "testing"}


@dataclass(kw_only=True)
class ImageFolder(PicturesOfYourOwn):
    """A folder of pictures; where they lie in several subfolders, each of these is a class.

    Pictures below one subfolder, or below none, have no labels.
    """

    name = "image-folder"
    labels: Literal["folders", "none"] = "folders"  # none: subfolders mean nothing
    test_path: str | None = None  # another folder, with the test set

    def __post_init__(self) -> None:
        if self.test_path is not None and self.test_share:
            raise ValueError("test_path and test_share both name a test set; give one of them")
        super().__post_init__()

    def has_test_set(self) -> bool:
        return self.test_path is not None or super().has_test_set()

    def class_names(self) -> tuple[str, ...]:
        return () if self.labels == "none" else _classes(folder(self.path, self.name))

    def listing(self, split: Split) -> Listing:
        if split == "test" and self.test_path is not None:
            return self._listed(self._test_folder())
        if self.test_path is not None:
            self._test_folder()  # before hours of decoding
        return self.of_split(self._listed(folder(self.path, self.name)), split)

    def status(self, root: Path) -> DatasetStatus:
        try:
            self.class_names()
            folders = [folder(self.path, self.name)]
            folders += [self._test_folder()] if self.test_path is not None else []
            counts = [sum(1 for _ in pictures(one)) for one in folders]
        except DataError as error:
            return DatasetStatus(self.path, False, None, str(error))
        if not counts[0]:
            return DatasetStatus(self.path, False, None, _none_in(folders[0]))
        note = f"{counts[0]:,} pictures" + "".join(f", {n:,} of the test set" for n in counts[1:])
        return DatasetStatus(self.path, min(counts) > 0, None, note, images=counts[0])

    def _test_folder(self) -> Path:
        found = folder(self.test_path or "", f"{self.name}: test_path")
        if found.resolve().is_relative_to(folder(self.path, self.name).resolve()):
            raise DataError(
                f"{self.name}: test_path {found} lies in path {self.path}, whose pictures are all "
                "for training; put the two beside each other"
            )
        return found

    def _listed(self, below: Path) -> Listing:
        names = list(pictures(below))
        if not names:
            raise DataError(f"{below}: {_none_in(below)}")
        classes = self.class_names()
        if not classes:
            return Listing(below, names)
        return replace(_labelled(below, names, classes), remarks=tuple(_empty(below)))


def _none_in(below: Path) -> str:
    """Say that there is no picture, and what to do with arrays that lie there in their place."""
    none = f"no picture in it; looked for {', '.join(sorted(SUFFIXES))}"
    found = sorted(filter(holds_arrays, os.listdir(below)), key=lambda n: ("image" not in n, n))
    if not found:
        return none
    return (
        f"{none}; its arrays, such as {found[0]}, are what data set tensor reads: dataset: "
        f"{{name: tensor, path: {below / found[0]}}}, with labels: where another file has them"
    )


def pictures(below: Path) -> Iterator[str]:
    """Yield the names of all pictures but hidden ones, in an order that is the same everywhere."""
    for name in sorted(os.listdir(below)):
        if (below / name).is_dir() and not name.startswith("."):
            yield from sorted(f"{name}/{inner}" for inner in _walked(below / name))
        elif _is_picture(name):
            yield name


def _walked(below: Path) -> Iterator[str]:
    for place, folders, files in os.walk(below, onerror=_refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        prefix = os.path.relpath(place, below).replace(os.sep, "/")
        for name in filter(_is_picture, files):
            yield name if prefix == "." else f"{prefix}/{name}"


def _is_picture(name: str) -> bool:
    return os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith(".")


def _refuse(error: OSError) -> None:
    raise DataError(f"{error.filename}: {error.strerror}") from error


def _classes(below: Path) -> tuple[str, ...]:
    """Return the subfolders that hold pictures, where there are several."""
    names = sorted(
        name
        for name in os.listdir(below)
        if not name.startswith(".") and (below / name).is_dir() and any(_walked(below / name))
    )
    if len(names) < 2:
        return ()
    if set(map(str.lower, names)) <= SPLIT_NAMES:
        raise DataError(
            f"{below}: its folders {', '.join(names)} look like splits, not classes; give one of "
            "them as path and another as test_path, or labels: none to train on all"
        )
    return tuple(names)


def _empty(below: Path) -> Iterator[str]:
    """Yield which folders hold no picture, and so are no classes."""
    for name in sorted(os.listdir(below)):
        is_folder = (below / name).is_dir() and not name.startswith(".")
        if is_folder and not any(_walked(below / name)):
            yield f"folder '{name}' has no picture in it, and is no class"


def _labelled(below: Path, names: list[str], classes: tuple[str, ...]) -> Listing:
    """Return pictures with their classes; those beside the classes' folders belong to none."""
    ids = {name: label for label, name in enumerate(classes)}
    stray = tuple(
        f"{name}: lies beside the folders of the classes" for name in names if "/" not in name
    )
    kept = [name for name in names if "/" in name]
    labels = []
    for name in kept:
        of = name.partition("/")[0]
        if of not in ids:
            raise DataError(
                f"{below}: folder '{of}' is no class of the training set{unknown(of, classes)}"
            )
        labels.append(ids[of])
    return Listing(below, kept, labels, stray)


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(ImageFolder)
