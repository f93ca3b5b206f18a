"""Images from arrays of the user's own."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ganbench import DataError, Dataset, DatasetStatus, ImageSpec, LabeledImages, Split, hookimpl
from ganbench.default_plugins.datasets import shares
from ganbench.default_plugins.datasets.arrays.choice import NONE, Chosen, chosen
from ganbench.default_plugins.datasets.arrays.images import (
    Layout,
    Unsuitable,
    arranged,
    as_images,
    usual_range,
)
from ganbench.default_plugins.datasets.arrays.limits import require_memory
from ganbench.default_plugins.datasets.arrays.resizing import resized
from ganbench.default_plugins.datasets.image_files.decoding import Crop, Filter
from ganbench.default_plugins.features.builtin import for_any_images


@dataclass(kw_only=True)
class Tensors(Dataset):
    """Arrays of images, and maybe labels, in a .npz, .npy, .pt or IDX file; no pickle is run.

    `images` and `labels` name the arrays where the file does not leave one choice each; of a file
    that holds a single array, `labels` is another file; `labels: none` leaves them aside. Labels
    may be any whole numbers or words, which in their order become the classes, or one-hot rows.
    `condition` names an array of vectors, such as embeddings, in the place of labels.
    """

    name = "tensor"
    path: str
    images: str | None = None
    labels: str | None = None
    test_path: str | None = None  # another file, with the test set
    test_images: str | None = None  # its arrays: in test_path, else in path
    test_labels: str | None = None
    layout: Layout = "auto"  # nchw: channels before height and width; nhwc: after
    range: tuple[float, float] | None = None  # the values of black and white; null: by the values
    resolution: int | None = None  # null: their own; others are resized, and made square by crop
    crop: Crop = "fit"  # fit: the shorter side, then the middle; squash: both; pad: the longer
    filter: Filter = "lanczos"
    # An array (N, C) of numbers, or (N,): where the file holds a single one, another file.
    condition: str | None = field(default=None, metadata={"since": "0.2.0"})
    test_condition: str | None = field(default=None, metadata={"since": "0.2.0"})
    # So much of the images, chosen by their places, is the test set; stratified: of each class.
    test_share: float = field(default=0.0, metadata={"since": "0.2.0"})
    stratified: bool = field(default=False, metadata={"since": "0.2.0"})

    def __post_init__(self) -> None:
        if self.resolution is not None and self.resolution < 1:
            raise ValueError(f"resolution must be positive, found {self.resolution}")
        if self.range is not None and self.range[0] == self.range[1]:
            raise ValueError(f"range must have two different values, found {list(self.range)}")
        if self.test_labels and not (self.test_images or self.test_path):
            raise ValueError("test_labels has no test images; give test_images or test_path")
        if self.condition and self.labels:
            raise ValueError("labels and condition exclude each other")
        if self.test_condition and not self.condition:
            raise ValueError("test_condition is that of test images; give condition, too")
        shares.check(self.test_share, self.stratified)
        if self.test_share and (self.test_images or self.test_path):
            raise ValueError("test_share and test images both name a test set; give one of them")
        if self.stratified and (self.condition or self.labels == NONE):
            raise ValueError("stratified is by classes, and these images have none")
        if not (self.test_images or self.test_path or self.test_share):
            vars(self)["splits"] = ("train",)  # of this instance

    @property
    def features(self) -> str:
        try:
            return for_any_images(self.image_spec())
        except DataError:  # which says more where the data is read
            return "pixels"

    def image_spec(self) -> ImageSpec:
        train = self._chosen("train")
        channels, resolution = self._shape(train)
        if self.condition:
            return ImageSpec(channels, resolution, condition_dim=train.condition_dim())
        return ImageSpec(channels, resolution, len(self._classes()))

    def class_names(self) -> tuple[str, ...]:
        classes = self._classes()
        plain = classes.dtype.kind == "i" and np.array_equal(classes, np.arange(len(classes)))
        return () if plain else tuple(str(value) for value in classes.tolist())

    def protocol(self) -> dict[str, Any]:
        return {
            "range": list(self._range or (0, 255)),
            "resolution": self.resolution,
            "crop": self.crop,
            "filter": f"{self.filter}, antialiased",
        }

    def load(self, split: Split, root: Path) -> LabeledImages:
        if split not in self.splits:
            raise DataError(
                f"data set '{self.name}' has no {split} split; give it a test_path or test_share"
            )
        found = self._chosen(split)
        _, resolution = self._shape(found)
        try:
            images = as_images(found.images.read(), self.layout, self._range)
            require_memory(len(images) * images.shape[1] * resolution**2)
            images = resized(images, resolution, self.crop, self.filter)
        except (Unsuitable, ValueError, MemoryError) as error:
            why = str(error) or "too large for the memory that is free"
            raise DataError(f"{found.where}: {why}") from error
        labels = self._labels(found)
        if not self.test_share:
            return LabeledImages(images, labels)
        kept = self._of_split(split)
        if not kept:
            raise DataError(f"{found.where}: the {split} set is empty; change test_share")
        labels = None if labels is None else labels[kept]
        return LabeledImages(images[kept], labels, ids=list(map(str, kept)))

    def num_images(self) -> int | None:
        try:
            return self._count("train")
        except DataError:  # which says more where the data is read
            return None

    def status(self, root: Path) -> DatasetStatus:
        paths = [Path(os.path.expanduser(path)) for path in (self.path, self.test_path) if path]
        if missing := [str(path) for path in paths if not path.is_file()]:
            return DatasetStatus(self.path, False, None, f"missing: {', '.join(missing)}")
        try:
            counts = [self._count(split) for split in self.splits]
            self.image_spec()
        except DataError as error:
            return DatasetStatus(self.path, False, None, str(error))
        note = " + ".join(f"{count:,}" for count in counts) + " images"
        return DatasetStatus(self.path, True, None, note, images=counts[0])

    @cached_property
    def _range(self) -> tuple[float, float] | None:
        """Return black and white of the training set, and so of the test set."""
        if self.range is not None:
            return self.range
        found = self._chosen("train")
        try:
            return usual_range(found.images.read())
        except Unsuitable as error:
            raise DataError(f"{found.where}: {error}") from error

    def _count(self, split: Split) -> int:
        return len(self._of_split(split) if self.test_share else self._chosen(split))

    def _of_split(self, split: Split) -> list[int]:
        """Return the places of a split's images, of which test_share decides. Raises DataError."""
        found = self._chosen("train")
        classes = None
        if self.stratified:
            if found.labels is None:
                raise DataError(f"{found.where}: stratified needs labels; leave it out")
            classes = np.unique(found.class_ids(), return_inverse=True)[1].tolist()
        tested = shares.held_out(list(map(str, range(len(found)))), self.test_share, classes)
        return [i for i, is_tested in enumerate(tested) if is_tested == (split == "test")]

    def _chosen(self, split: Split) -> Chosen:
        if split == "train" or self.test_share:
            return chosen(Path(self.path), self.images, self.condition or self.labels)
        images, labels = self.test_images, self.test_condition or self.test_labels
        if self.test_path:  # which is laid out alike, unless it is said otherwise
            images, labels = images or self.images, labels or self.condition or self.labels
        found = chosen(Path(self.test_path or self.path), images, labels)
        if self.condition:
            self._check_test_condition(found)
            return found
        if found.labels is None and len(self._classes()):
            raise DataError(f"{found.where}: no labels, and the training images have some")
        return found

    def _check_test_condition(self, found: Chosen) -> None:
        expected = self._chosen("train").condition_dim()
        if found.labels is None:
            raise DataError(f"{found.where}: no condition; give test_condition")
        if found.condition_dim() != expected:
            raise DataError(
                f"{found.labels_where}: vectors of {found.condition_dim()}, and those of training "
                f"images are of {expected}"
            )

    def _shape(self, found: Chosen) -> tuple[int, int]:
        """Return channels and resolution. Raises DataError."""
        try:
            (channels, height, width), _ = arranged(found.images.shape, self.layout)
        except Unsuitable as error:
            raise DataError(f"{found.where}: {error}") from error
        if self.resolution is None and height != width:
            raise DataError(
                f"{found.where}: images are {height}×{width}, and networks here make squares; "
                "give resolution, such as "
                f"{min(height, width)}, and crop: fit (the middle), squash or pad"
            )
        return channels, self.resolution or height

    def _classes(self) -> NDArray[Any]:
        """Return the distinct labels of the training set, in order."""
        train = self._chosen("train")
        if train.labels is None or self.condition:
            return np.empty(0, np.int64)
        return np.unique(train.class_ids())

    def _labels(self, found: Chosen) -> Tensor | None:
        if self.condition:
            return torch.from_numpy(found.vectors())
        classes = self._classes()
        if found.labels is None or not len(classes):
            return None
        ids = found.class_ids()
        if unknown := sorted(set(np.unique(ids).tolist()) - set(classes.tolist())):
            few = ", ".join(map(repr, unknown[:5]))
            raise DataError(f"{found.where}: labels {few} are of no training image")
        return torch.from_numpy(np.searchsorted(classes, ids).astype(np.int64))


@hookimpl
def register_datasets(register: Callable[[type[Dataset]], None]) -> None:
    register(Tensors)
