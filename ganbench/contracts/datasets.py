"""Where images come from."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from ganbench.contracts.images import DatasetStatus, ImageSpec, LabeledImages, Mixture, Split


class Dataset(ABC):
    """A source of images, with labels or without. Subclasses are dataclasses of their options."""

    name: ClassVar[str]  #: in benchmark files
    splits: ClassVar[tuple[Split, ...]] = ("train", "test")  #: without "test": no reference row
    features: str | None = None  #: the extractor that fid uses where none is named
    judge: str | None = None  #: the extractor whose probabilities name this data's classes

    @abstractmethod
    def image_spec(self) -> ImageSpec:
        """Return shape and classes, without reading any image: `plan` needs it."""

    @abstractmethod
    def load(self, split: Split, root: Path) -> LabeledImages:
        """Return the whole split. May download into `root`.

        Raises DataError where the data is missing and cannot be had, or damaged.
        """

    @abstractmethod
    def status(self, root: Path) -> DatasetStatus:
        """Say where the data is and whether it is there and verified; load and download nothing."""

    def num_images(self) -> int | None:
        """Count the images of the split `train`, without reading any, for budgets in epochs.

        None: their number is not known before they are loaded.
        """
        return None

    def class_names(self) -> tuple[str, ...]:
        """Name the classes, without reading any image; (): their ids are their names."""
        return ()

    def protocol(self) -> dict[str, Any]:
        """Say how images were prepared (crop, resize filter): part of every metric's protocol."""
        return {}

    def damage(self, root: Path) -> Iterable[str]:
        """Find what is wrong with the files, each with the reason, for `ganbench datasets verify`.

        May read all of them; downloads nothing.
        """
        return ()

    def mixture(self) -> Mixture | None:
        """Return the distribution itself, where it is a known mixture of Gaussians."""
        return None
