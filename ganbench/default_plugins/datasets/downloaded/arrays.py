"""Data sets that torchvision knows and that come as arrays of one size."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from ganbench import ImageSpec, LabeledImages, Split
from ganbench.default_plugins.datasets.arrays.resizing import resized
from ganbench.default_plugins.datasets.downloaded.dataset import DownloadedDataset


@dataclass(kw_only=True)
class DownloadedArrays(DownloadedDataset):
    """Data sets of arrays, of their own size or resized."""

    own: ClassVar[ImageSpec]
    resolution: int | None = None  # height and width; null: their own

    def __post_init__(self) -> None:
        if self.resolution is not None and self.resolution < 1:
            raise ValueError(f"resolution must be positive, found {self.resolution}")

    @abstractmethod
    def arrays(self, split: Split, folder: Path) -> LabeledImages:
        """Return the split as it was published."""

    def image_spec(self) -> ImageSpec:
        return replace(self.own, resolution=self.resolution or self.own.resolution)

    def read(self, split: Split, folder: Path) -> LabeledImages:
        found = self.arrays(split, folder)
        images = resized(found.images, self.image_spec().resolution)
        return LabeledImages(images, found.labels)

    def protocol(self) -> dict[str, Any]:
        resolution = self.image_spec().resolution
        if resolution == self.own.resolution:
            return {}
        return {"resized_from": self.own.resolution, "filter": "lanczos, antialiased"}
