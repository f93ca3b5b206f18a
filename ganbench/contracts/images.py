"""Frozen values that travel between the layers. Importing this module does not import torch."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from torch import Tensor

Split = Literal["train", "test"]

MEANINGLESS = "means nothing for this data"
"""Why a metric left one of its columns out; no table needs to say so."""


@dataclass(frozen=True)
class ImageSpec:
    """The shape of a data set's images. Points of the plane are images of one pixel."""

    channels: int
    resolution: int  # height and width
    num_classes: int = 0  # 0: unlabelled

    def __str__(self) -> str:
        classes = f", {self.num_classes} classes" if self.num_classes else ", unlabelled"
        return f"{self.channels}×{self.resolution}×{self.resolution}{classes}"


@dataclass(frozen=True, eq=False)
class LabeledImages:
    """One split of a data set, in memory or over a memory-mapped file.

    `images` is uint8 in [0, 255], or, for data that is not made of pixels, float32 in [-1, 1].
    """

    images: Tensor  # (N, C, H, W)
    labels: Tensor | None  # (N,) int64 class ids, or None
    problems: tuple[str, ...] = ()  # files that were left out, each with the reason

    def __len__(self) -> int:
        return len(self.images)


@dataclass(frozen=True, eq=False)
class Mixture:
    """A mixture of equal Gaussians, in the coordinates of its data set's images.

    In the plane `std` is that of a coordinate, and 98.89 % of a mode's points lie within three of
    it. In many dimensions none do: there `std` is a third of the radius that holds as many.
    """

    centers: Tensor  # (K, D)
    std: float
    coordinate_std: float | None = None  # where that is another number


@dataclass(frozen=True)
class DatasetStatus:
    """What `ganbench datasets` says of a data set, without loading it."""

    location: str
    present: bool
    verified: bool | None  # None: nothing to verify against
    note: str = ""
    on_use: bool = False  # where it is not present: whether loading it brings it


Kind = Literal["quality", "timing", "count", "numerics"]
"""How a number may be compared with another run's.

quality   differs from seed to seed: samples of it are compared
timing    differs from machine to machine: only runs interleaved in one job are compared
count     must be the same
numerics  must be the same on one platform, up to the tolerance
"""


@dataclass(frozen=True)
class Column:
    """One number that a metric gives."""

    name: str
    unit: str = ""
    direction: Literal["min", "max", "none"] = "none"  # which way is better
    digits: int = 2  # decimals in tables
    title: str = ""  # in tables; empty: the name
    kind: Kind = "quality"
    rel_tol: float = 0.1  # a change smaller than this part of the baseline does not matter
    abs_tol: float = 0.0  # nor does one smaller than this
    gated: bool = False  # whether a regression gate looks at it where the file names no metrics


@dataclass(frozen=True)
class Window:
    """A stretch of training between two reads of the clock, with the mean of every term."""

    kimg: float
    iteration: int
    seconds: float
    images_per_second: float
    g_steps_per_second: float
    d_terms: dict[str, float]
    g_terms: dict[str, float]
    signals: dict[str, float] = field(default_factory=dict)
    """Means of a few looks: d_real and d_fake (D's output in its own steps), d_gradient_norm and
    g_gradient_norm; where the loss has a boundary, the shares that D takes for what they are
    (d_real_accuracy, d_fake_accuracy) and the share of G's images that it takes for real
    (g_accuracy)."""


@dataclass(frozen=True)
class Probe:
    """Numbers of a generator on its way; the seconds are of training alone."""

    kimg: float
    seconds: float
    values: dict[str, float | None]  # by column
    directions: dict[str, str]  # of the columns: min, max or none


@dataclass(frozen=True)
class Timings:
    """What one trial took. Windows are stretches of training between two reads of the clock."""

    train_seconds: float
    images_per_second: tuple[float, ...] = ()  # real images shown to D, one value a window
    g_steps_per_second: tuple[float, ...] = ()
    samples_per_second: float | None = None
    peak_memory_bytes: int | None = None
    alone: bool = True  # no other trial shared the machine
