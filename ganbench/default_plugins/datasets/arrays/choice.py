"""Which arrays of a file are the images and which their labels."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ganbench import DataError
from ganbench.default_plugins.datasets.arrays.files import Found, arrays
from ganbench.default_plugins.datasets.image_files.choices import shortened, unknown

NONE = "none"  # in the place of a name: the images have no labels
CALLED_LABELS = {"label", "labels", "target", "targets", "y"}
CALLED_CLASSES = {"class", "classes"}  # of which words may be names
ASIDE = {"val", "valid", "validation", "dev", "extra"}  # words, and all of "test", that set aside
IMAGES_ARE = "images are numbers of N×H×W, or N×C×H×W or N×H×W×C with 1 or 3 channels"
WHOLE = 2**53  # up to which a float holds every whole number


@dataclass(frozen=True)
class Chosen:
    """The arrays of one split."""

    path: Path
    name: str  # of the images; '' in a file that holds one array
    images: Found
    labels: Found | None
    labels_where: str = ""

    @property
    def where(self) -> str:
        """The file and, where it has one, the array's name, as messages say it."""
        return f"{self.path}: {self.name}" if self.name else str(self.path)

    def __len__(self) -> int:
        return self.images.shape[0]

    def condition_dim(self) -> int:
        """Return of how many numbers the vectors in the place of labels are. Raises DataError."""
        assert self.labels is not None
        shape = self.labels.shape
        if not 1 <= len(shape) <= 2 or shape[0] != len(self) or 0 in shape:
            raise DataError(
                f"{self.labels_where}: a condition of shape {tuple(shape)} for {len(self):,} "
                f"images; give a vector of each, ({len(self)}, C)"
            )
        return shape[1] if len(shape) == 2 else 1

    def vectors(self) -> NDArray[np.float32]:
        """Return a vector of each image, (N, C) float32. Raises DataError."""
        assert self.labels is not None
        if self.labels.dtype.kind not in "biuf":
            raise DataError(
                f"{self.labels_where}: a condition of {self.labels.dtype}; give numbers"
            )
        found = self.labels.read().astype(np.float32).reshape(len(self), self.condition_dim())
        if lacking := int((~np.isfinite(found)).any(1).sum()):
            raise DataError(
                f"{self.labels_where}: {lacking:,} of {len(self):,} vectors have a number that is "
                "NaN or infinite; leave those images out"
            )
        return found

    def class_ids(self) -> NDArray[Any]:
        """Return one whole number or word of each image (N,). Raises DataError."""
        assert self.labels is not None
        values = self.labels.read()
        if self.labels.shape != (len(self), 1) and _is_one_hot(values):
            values = values.argmax(1)
        flat = values.reshape(-1) if values.ndim and values.size == len(values) else values
        if flat.shape != (len(self),):
            raise DataError(
                f"{self.labels_where}: labels of shape {values.shape} for {len(self):,} images; "
                f"give one class of each image, name another array as labels, or labels: {NONE}"
            )
        if flat.dtype.kind == "f":
            if lacking := int((~np.isfinite(flat)).sum()):
                raise DataError(
                    f"{self.labels_where}: {lacking:,} of {len(self):,} labels are NaN or "
                    "infinite, as where there is none; leave those images out, or "
                    f"labels: {NONE}"
                )
            if not (flat == np.rint(flat)).all():
                raise DataError(f"{self.labels_where}: labels are fractions; give whole numbers")
            flat = np.clip(flat, -WHOLE, WHOLE)
        if flat.dtype.kind in "biuf":
            return flat.astype(np.int64)
        if flat.dtype.kind in "US":
            return flat.astype(str)
        raise DataError(
            f"{self.labels_where}: labels are {flat.dtype}; give whole numbers or words"
        )


def chosen(path: Path, images: str | None, labels: str | None) -> Chosen:
    """Return the arrays of these names, or the only ones that can be meant. Raises DataError.

    Images that are for testing by their name are taken only where there are no others, or they are
    asked for; then their labels are for testing too.
    """
    path = Path(os.path.expanduser(path))
    found = arrays(path)
    if list(found) == [""]:
        return _single(path, found[""], images, labels)
    name = images if images is not None else _only(path, found, "images", _of_images(found))
    _require(path, found, "images", name)
    whole = Chosen(path, name, found[name], None)
    if labels is None:
        fitting = _of_labels(found, whole) or _called_labels(found, whole)
        labels = _only(path, found, "labels", fitting) if fitting else None
    if labels is None or (labels == NONE and NONE not in found):
        return whole
    _require(path, found, "labels", labels)
    return Chosen(path, name, found[name], found[labels], f"{path}: {labels}")


def _single(path: Path, found: Found, images: str | None, labels: str | None) -> Chosen:
    """Return an array without a name; labels are in a file beside it, for IDX as MNIST's are."""
    if images is not None:
        raise DataError(f"{path}: holds one array without a name, and images names '{images}'")
    beside = path.with_name(path.name.replace("images-idx3", "labels-idx1"))
    if labels == NONE:
        return Chosen(path, "", found, None)
    if labels is not None:
        beside = path.parent / Path(os.path.expanduser(labels))
    elif beside == path or not beside.is_file():
        return Chosen(path, "", found, None)
    of_labels = arrays(beside)
    if list(of_labels) != [""]:
        raise DataError(f"{beside}: holds {_listed(of_labels)}; give labels in a file of their own")
    return Chosen(path, "", found, of_labels[""], str(beside))


def _of_images(found: Mapping[str, Found]) -> list[str]:
    names = [n for n, f in found.items() if len(f.shape) in (3, 4) and f.dtype.kind in "biuf"]
    return [name for name in names if not _aside(name)] or names


def _of_labels(found: Mapping[str, Found], images: Chosen) -> list[str]:
    shapes = ((len(images),), (len(images), 1))
    names = [n for n, f in found.items() if f.dtype.kind in "biuUS" and f.shape in shapes]
    return [name for name in names if _aside(name) == _aside(images.name)]


def _called_labels(found: Mapping[str, Found], images: Chosen) -> list[str]:
    """Return arrays that by their names are labels, whatever is in them, so that none is lost."""
    names = []
    for name, array in found.items():
        plain = array.dtype.kind in "biuf"
        words = {*_words(name)}
        called = words & CALLED_LABELS or (plain and words & CALLED_CLASSES)
        if called and "names" not in words and name != images.name and len(array.shape) <= 2:
            names.append(name)
    return [name for name in names if _aside(name) == _aside(images.name)]


def _is_one_hot(values: NDArray[Any]) -> bool:
    """Return whether each row has a single one, and zeros."""
    if values.ndim != 2 or values.dtype.kind not in "biuf" or not values.size:
        return False
    return bool(((values == 0) | (values == 1)).all() and (values.sum(1) == 1).all())


def _words(name: str) -> list[str]:
    return re.findall("[a-z]+", name.lower())


def _aside(name: str) -> bool:
    words = _words(name)
    return any(w in ASIDE or w.startswith("test") or w.endswith("test") for w in words)


def _only(path: Path, found: Mapping[str, Found], what: str, fitting: list[str]) -> str:
    if len(fitting) == 1:
        return fitting[0]
    number = "several arrays" if fitting else "no array"
    cure = f"name one as {what}" if fitting else IMAGES_ARE
    raise DataError(f"{path}: {number} can be the {what}: it holds {_listed(found)}; {cure}")


def _require(path: Path, found: Mapping[str, Found], what: str, name: str) -> None:
    if name not in found:
        raise DataError(f"{path}: {what}: it has no array '{name}'{unknown(name, found)}")


def _listed(found: Mapping[str, Found]) -> str:
    return shortened([f"{n} {f.dtype}{list(f.shape)}" for n, f in found.items()], most=12)
