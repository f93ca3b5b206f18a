"""The options that every data set of the user's own pictures has, and how one is loaded."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench import DataError, Dataset, ImageSpec, LabeledImages, Split
from ganbench.default_plugins.datasets import shares
from ganbench.default_plugins.datasets.image_files.checking import damaged
from ganbench.default_plugins.datasets.image_files.decoding import (
    Background,
    Channels,
    Crop,
    Filter,
    Preparation,
)
from ganbench.default_plugins.datasets.image_files.fingerprints import Labels, Listing
from ganbench.default_plugins.datasets.image_files.prepared import prepared
from ganbench.default_plugins.datasets.image_files.zipped import unpacked
from ganbench.default_plugins.features.builtin import for_any_images

TOLD = 5  # problems that a message shows

_log = logging.getLogger(__name__)


@dataclass(kw_only=True)
class PicturesOfYourOwn(Dataset):
    """Pictures in files, of any size and kind, prepared alike and decoded once."""

    remedy = "repair or remove them, or raise max_bad to go on without them"
    path: str
    resolution: int = 64
    channels: Channels = 3
    crop: Crop = "fit"  # the middle; squash: both sides; pad: all of it, on the background
    crop_size: int | None = None  # a square of so many pixels from the middle, before resizing
    filter: Filter = "lanczos"
    background: Background = "white"  # behind what is transparent, and beside what is padded
    max_bad: int = 10  # so many files of a split may be unusable, and are skipped
    test_share: float = 0.0  # of the files, chosen by their names, are the test set
    # The share is that of each class, so that small ones are in the test set too.
    stratified: bool = field(default=False, metadata={"since": "0.2.0"})
    # The values of black and white, as [0, 4095]; null: 0 to 255, or of 16 bits to 65535.
    range: tuple[float, float] | None = field(default=None, metadata={"since": "0.2.0"})
    # Large JPEGs are decoded at about twice the resolution: faster, with slightly other values.
    draft: bool = field(default=False, metadata={"since": "0.2.0"})

    def __post_init__(self) -> None:
        for name in ("resolution", "crop_size"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise ValueError(f"{name} must be positive, found {value}")
        if self.max_bad < 0:
            raise ValueError(f"max_bad must be 0 or more, found {self.max_bad}")
        shares.check(self.test_share, self.stratified)
        if self.range is not None and self.range[0] == self.range[1]:
            raise ValueError(f"range must have two different values, found {list(self.range)}")
        if self.draft and self.crop_size is not None:
            raise ValueError("draft and crop_size exclude each other: one is in whole pixels")
        if not self.has_test_set():
            vars(self)["splits"] = ("train",)  # of this instance

    @abstractmethod
    def listing(self, split: Split) -> Listing:
        """Return the files of a split, opening none of the pictures. Raises DataError."""

    def condition_dim(self) -> int:
        """Return of how many numbers the vectors are that label these pictures; 0: of none."""
        return 0

    def has_test_set(self) -> bool:
        """Return whether these options give a test set."""
        return self.test_share > 0

    @property
    def features(self) -> str:
        return for_any_images(ImageSpec(self.channels, self.resolution))

    def image_spec(self) -> ImageSpec:
        classes = len(self.class_names())
        return ImageSpec(self.channels, self.resolution, classes, self.condition_dim())

    def protocol(self) -> dict[str, Any]:
        return self.preparation().protocol()

    def preparation(self) -> Preparation:
        """Return what these options make of each picture."""
        return Preparation(
            resolution=self.resolution,
            channels=self.channels,
            crop=self.crop,
            crop_size=self.crop_size,
            filter=self.filter,
            background=self.background,
            range=self.range,
            draft=self.draft,
        )

    def load(self, split: Split, root: Path) -> LabeledImages:
        if split not in self.splits:
            raise DataError(f"data set '{self.name}' has no {split} split; give it a test_share")
        listing = self.listing(split)
        if not listing.names and not listing.problems:
            hint = "; change test_share" if self.test_share else ""
            raise DataError(f"{listing.root}: the {split} set is empty{hint}")
        found = prepared(listing, self.preparation())
        unusable = (f"{listing.names[i]}: {why}" for i, why in found.unusable.items())
        problems = tuple(map(_printable, (*listing.problems, *unusable)))
        self._check_problems(problems, listing, len(found.images))
        labels = _of_usable(listing.labels, found.unusable)
        if labels is not None and labels.ndim == 1 and split == "train":
            self._check_classes(labels, listing.root)
        depths = found.sixteen_bits.remarks(len(found.images), self.range)
        sizes = found.odd_sizes.remarks(listing.names, self.preparation())
        remarks = (*listing.remarks, *depths, *map(_printable, sizes))
        called = listing.ids or listing.names
        ids = [_printable(called[i]) for i in range(len(called)) if i not in found.unusable]
        return LabeledImages(found.images, labels, problems, remarks, ids)

    def damage(self, root: Path) -> Iterator[str]:
        """Yield what `ganbench datasets verify` finds, decoding every file again."""
        for split in self.splits:
            for found in damaged(self.listing(split), self.preparation()):
                yield _printable(found)

    def of_split(self, listing: Listing, split: Split) -> Listing:
        """Return the part of a listing that `test_share` gives to a split; problems are train's."""
        if not self.test_share:
            return listing
        wanted = split == "test"
        classes = self._classes_of(listing) if self.stratified else None
        tested = shares.held_out(listing.names, self.test_share, classes)
        kept = [i for i, is_tested in enumerate(tested) if is_tested == wanted]
        return replace(
            listing,
            names=[listing.names[i] for i in kept],
            labels=None if listing.labels is None else [listing.labels[i] for i in kept],
            ids=[listing.ids[i] for i in kept] if listing.ids else (),
            problems=() if wanted else listing.problems,
            remarks=() if wanted else listing.remarks,
        )

    def _classes_of(self, listing: Listing) -> list[int]:
        """Return the class of each picture. Raises DataError where there are none."""
        found = [label for label in listing.labels or () if isinstance(label, int)]
        if not found:
            raise DataError(f"{listing.root}: stratified needs classes; leave it out")
        return found

    def _check_problems(self, problems: Sequence[str], listing: Listing, usable: int) -> None:
        total = len(listing.names) + len(listing.problems)
        told = f"{len(problems):,} of {total:,} pictures cannot be used"
        shown = "".join(f"\n  {problem}" for problem in problems[:TOLD])
        shown += f"\n  and {len(problems) - TOLD:,} more" if len(problems) > TOLD else ""
        if len(problems) > self.max_bad or not usable:
            limit = f", and max_bad is {self.max_bad:,}" if usable else ""
            raise DataError(f"{listing.root}: {told}{limit}:{shown}\n{self.remedy}")
        if problems:
            _log.warning("%s: %s and are skipped:%s", listing.root, told, shown)

    def _check_classes(self, labels: Tensor, root: Path) -> None:
        names = self.class_names()
        counts = labels.bincount(minlength=len(names))
        if empty := [names[i] for i in (counts == 0).nonzero().flatten().tolist()]:
            raise DataError(
                f"{root}: no usable training picture of {', '.join(map(repr, empty))}; each class "
                "needs one"
            )


def folder(path: str, name: str) -> Path:
    """Return a folder that is there, of a .zip what it holds. Raises DataError."""
    given = Path(os.path.expanduser(path))
    found = given if given.is_dir() else unpacked(given)
    if found is None:
        raise DataError(f"{name}: {given} is not a folder")
    return found


def _of_usable(labels: Labels | None, unusable: dict[int, str]) -> Tensor | None:
    if labels is None:
        return None
    usable = np.ones(len(labels), bool)
    usable[list(unusable)] = False
    are_ids = not len(labels) or isinstance(labels[0], int)
    found = np.asarray(labels, np.int64 if are_ids else np.float32)
    return torch.from_numpy(found[usable])


def _printable(text: str) -> str:
    """Return a file's name, which need not be text, as text."""
    return os.fsencode(text).decode("utf-8", "backslashreplace")
