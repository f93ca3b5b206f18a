"""Images and what is known of them, as all rooms hand them on; does not import torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["train", "test"]
LabelKind = Literal["ids", "vectors"]
"""What an image's label is: the number of its class, or a vector of numbers."""


@dataclass(frozen=True)
class ImageSpec:
    """The shape of a data set's images. Points of the plane are images of one pixel."""

    channels: int
    resolution: int  #: height and width
    num_classes: int = 0  #: 0: no class ids
    condition_dim: int = 0  #: numbers of the vector that is each image's label; 0: no vectors

    def __post_init__(self) -> None:
        if self.num_classes and self.condition_dim:
            raise ValueError("labels are class ids or vectors: give num_classes or condition_dim")

    def __str__(self) -> str:
        shape = f"{self.channels}×{self.resolution}×{self.resolution}"
        return f"{shape}, {self.labels or 'unlabelled'}"

    @property
    def label_kind(self) -> LabelKind | None:
        """What labels are; None where there are none."""
        return "vectors" if self.condition_dim else "ids" if self.num_classes else None

    @property
    def labels(self) -> str:
        """What labels are, in words; empty where there are none."""
        if self.condition_dim:
            many = f"{self.condition_dim} numbers" if self.condition_dim > 1 else "one number"
            return f"vectors of {many}"
        return f"{self.num_classes} classes" if self.num_classes else ""


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """One split of a data set, in memory or over a memory-mapped file.

    `images` is uint8 in [0, 255], or, for data that is not made of pixels, float32 in [-1, 1].
    """

    images: Tensor  #: (N, C, H, W)
    labels: Tensor | None  #: (N,) int64 class ids or (N, C) float32 vectors; None: unlabelled
    problems: tuple[str, ...] = ()  #: files that were left out, each with the reason
    remarks: tuple[str, ...] = ()  #: what may be wrong although all was taken, as sentences
    ids: Sequence[str] = ()  #: what users call the images, as their files; (): by place, from 0

    def __len__(self) -> int:
        return len(self.images)

    def take(self, rows: Tensor | slice) -> LabeledImages:
        """Return the images and labels of these rows, in their order."""
        return LabeledImages(self.images[rows], None if self.labels is None else self.labels[rows])


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of equal Gaussians, in the coordinates of its data set's images.

    In the plane `std` is that of a coordinate, and 98.89 % of a mode's points lie within three of
    it. In many dimensions none do: there `std` is a third of the radius that holds as many.
    """

    centers: Tensor  #: (K, D)
    std: float
    coordinate_std: float | None = None  #: where that is another number


@dataclass(frozen=True)
class DatasetStatus:
    """What `ganbench datasets` says of a data set, without loading it."""

    location: str
    present: bool
    verified: bool | None  #: None: nothing to verify against
    note: str = ""
    on_use: bool = False  #: where it is not present: whether loading it brings it
    images: int | None = None  #: at most so many for training, where that is known without loading


def quantise(images: Tensor) -> Tensor:
    """Turn [-1, 1] into uint8 in [0, 255], clamped and rounded to the nearest."""
    return images.mul(127.5).add(127.5).clamp(0, 255).round().byte()
