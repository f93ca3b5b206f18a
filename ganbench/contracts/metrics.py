"""How samples become numbers."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.feature_extractors import Features, Unavailable
from ganbench.contracts.images import ImageSpec, LabeledImages, Split
from ganbench.contracts.options import counted_options
from ganbench.records.columns import Column
from ganbench.records.windows import Probe, Timings, Window

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from ganbench.contracts.moments import Moments


class OfClasses(float):
    """A number that is made of one for each class; `result.json` keeps them all."""

    classes: dict[str, float]
    which: str

    def __new__(cls, value: float, classes: Mapping[str, float], which: str = "") -> OfClasses:
        """`classes` are the numbers by the classes' names; `which` is the class that decides."""
        made = super().__new__(cls, value)
        made.classes, made.which = dict(classes), which
        return made


Measured = Literal["fidelity", "diversity", "distance"]
"""Whether samples look real, whether they are as varied as real images, or both in one number."""


@dataclass(frozen=True)
class Claim:
    """What a column measures, and which sanity checks of Räisä et al. (2025) it passes.

    `fidelity` and `diversity` are scores of which 1 is the best and 0 the worst, a `distance` is 0
    for the best. The conformance kit holds a metric to the checks that it names, at its defaults.
    """

    measures: Measured
    passes: tuple[str, ...] = ()  #: such as `sequential-mode-dropping/purpose`


@dataclass(frozen=True)
class Watch:
    """What a metric wants to be followed while a trial trains; the clock stands meanwhile."""

    columns: tuple[str, ...]  #: of other metrics of the same benchmark file
    num_samples: int
    points: int  #: evaluations, evenly spread over the budget


class MappedGenerator(Protocol):
    """A trained generator that maps latents to styles, and makes images of these."""

    def pairs(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the styles, (N, L, W) each, of as many pairs of latents, batch by batch.

        Both of a pair have the same label. They are always the same ones, and lie on the trial's
        device, as images and features of them do.
        """

    def images(self, styles: Tensor, noise: int = 0) -> Tensor:
        """Return images (N, C, H, W) in float32, [-1, 1], that the generator makes of styles.

        What noise it adds is the same for the same number, as far as the shapes are.
        """


class Evaluation(Protocol):
    """One trial's samples beside the real data. Features are computed once per extractor.

    All metrics share the tensors, which lie on the CPU: one that changes them in place, and no
    copy, has no value.
    """

    dataset: Dataset
    image: ImageSpec
    fake: LabeledImages  #: as the data set's own: uint8, or float32 points
    timings: Timings | None  #: None: nothing was trained
    windows: tuple[Window, ...]  #: of the training, with the mean of every term of the losses
    probes: tuple[Probe, ...]  #: what `Metric.watch` asked to be followed, in order of time
    directory: Path | None  #: of the trial, for pictures; None: nowhere
    generator: MappedGenerator | None  #: None: not at hand, or without a mapping network
    device: torch.device  #: where float64 is computed fastest: the trial's GPU, or the CPU

    def features(self, extractor: str) -> Features:
        """Return the fakes' features, of an extractor's label such as `random-conv(seed=3)`.

        Large ones lie in a file that is mapped into memory: work in chunks. Raises Unavailable
        where there are none.
        """

    def embed(self, extractor: str, images: Tensor) -> Features:
        """Return the features of images that the metric has made, of which nothing is kept.

        They are uint8 or float32 in [-1, 1], which are not rounded. Raises Unavailable.
        """

    def real(self, extractor: str, label: int | None = None) -> Moments:
        """Return the moments of the training set's features, or of one class's; cached on disk."""

    def real_features(
        self, extractor: str, split: Split = "train", count: int | None = None
    ) -> Features:
        """Return features of `count` real images, always the same random ones; cached on disk.

        Without a `count`, of the whole split.
        """

    def reals(self, split: Split = "train", count: int | None = None) -> LabeledImages:
        """Return the images that `real_features` describes, in the same order."""

    def remember(
        self,
        name: str,
        compute: Callable[[], dict[str, Tensor]],
        splits: tuple[Split, ...] = ("train",),
    ) -> dict[str, Tensor]:
        """Return tensors that real data alone decides, computed once and cached on disk.

        `name` tells them from all others, versions and options included; `splits` are those they
        were computed from.
        """

    def classes(self) -> Tensor:
        """Return the class of each fake, (N,), as the data set's judge sees it.

        Raises Unavailable where there is no judge.
        """

    def class_shares(self) -> Tensor:
        """Return the share of each class in the training set, (K,) float64.

        Raises Unavailable where it has no labels.
        """


def require_classes(evaluation: Evaluation) -> int:
    """Return how many classes the data has. Raises Unavailable where it has none, and says why."""
    image, name = evaluation.image, evaluation.dataset.name
    if image.condition_dim:
        raise Unavailable(f"the labels of data set '{name}' are {image.labels}, no classes")
    if not image.num_classes:
        raise Unavailable(f"data set '{name}' has no labels")
    return image.num_classes


class Metric(ABC):
    """A way from samples to numbers. Subclasses are dataclasses of their options.

    An option named `features` that is None becomes the data set's own extractor in the plan.
    """

    name: ClassVar[str]  #: in benchmark files
    cheap: ClassVar[bool] = False
    """Whether `evaluation.every` measures it while a cell trains: in seconds of one core from 2000
    samples, and without timings or windows, of which there are none then."""
    claims: ClassVar[Mapping[str, Claim]] = {}  #: of its columns, by their names before any `@`
    version: ClassVar[int] = 1  #: raise it when the same samples would give another number

    @property
    @abstractmethod
    def columns(self) -> tuple[Column, ...]:
        """The numbers that `compute` gives."""

    @property
    def watch(self) -> Watch | None:
        """Numbers to follow during training; `evaluation.probes` then holds them."""
        return None

    @abstractmethod
    def compute(self, evaluation: Evaluation) -> Mapping[str, float | Unavailable]:
        """Return a value for each declared column.

        One that means nothing for such data is left out; one that has no value this time gets an
        Unavailable with the reason in its place. None is ever made up. A number that is made
        of one for each class is an OfClasses.

        Raises Unavailable where there is no value at all. Any other exception is the reason that
        these columns have no value; the trial's others stand, and the run exits with 3.
        """

    def protocol(self) -> dict[str, Any]:
        """Say what, beside the samples and the extractors, decides the value."""
        return {"metric": self.name, "version": self.version, **counted_options(self)}
