"""How samples become numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, ClassVar, NamedTuple, Protocol

from torch import Tensor

from ganbench.contracts.datasets import Dataset
from ganbench.specs import Column, ImageSpec, LabeledImages, Timings


class Features(NamedTuple):
    """What an extractor says of a batch of images."""

    embedding: Tensor  # (N, F) float32
    probabilities: Tensor | None = None  # (N, K) of classes


class FeatureExtractor(ABC):
    """A fixed map from images to features. Subclasses are dataclasses of their options."""

    name: ClassVar[str]  # in benchmark files

    def unsupported(self, image: ImageSpec) -> str | None:
        """Why images of this shape have no features here, or None."""
        return None

    @abstractmethod
    def load(self, image: ImageSpec, root: Path) -> Callable[[Tensor], Features]:
        """A function of a batch of images as data sets hold them (uint8, or float32 points).

        Raises DataError where weights are missing or damaged.
        """

    @abstractmethod
    def fingerprint(self) -> str:
        """Changes when the features do; part of the cache key and of every protocol."""


@dataclass(frozen=True, eq=False)
class RealStatistics:
    """What is kept of the whole training set in one feature space."""

    num_samples: int
    mean: Tensor  # (F,) float64
    covariance: Tensor  # (F, F) float64, divided by N - 1


class Unavailable(Exception):
    """Why a number does not exist here; the text is what tables show in its place."""


class Evaluation(Protocol):
    """One trial's samples beside the real data. Features are computed once per extractor."""

    dataset: Dataset
    image: ImageSpec
    fake: LabeledImages  # as the data set's own: uint8, or float32 points
    timings: Timings | None  # None: nothing was trained

    def features(self, extractor: str) -> Features:
        """Of the fakes."""

    def real(self, extractor: str) -> RealStatistics:
        """Of the training set, cached on disk."""

    def classes(self) -> Tensor:
        """The class of each fake, (N,), as the data set's judge sees it, or Unavailable."""

    def class_shares(self) -> Tensor:
        """The share of each class in the training set, (K,) float64; Unavailable without any."""


class Metric(ABC):
    """Subclasses are dataclasses of their options.

    An option named `features` that is None becomes the data set's own extractor in the plan.
    """

    name: ClassVar[str]  # in benchmark files
    version: ClassVar[int] = 1  # raise it when the same samples would give another number

    @property
    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """The numbers that `compute` gives."""

    @abstractmethod
    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        """The declared columns; one that means nothing here is left out, and never made up.

        Raises Unavailable with the reason where there is no value at all.
        """

    def protocol(self) -> dict[str, Any]:
        """What, beside the samples and the extractors, decides the value."""
        options = {field.name: getattr(self, field.name) for field in fields(self)}  # type: ignore[arg-type]
        return {"metric": self.name, "version": self.version, **options}
