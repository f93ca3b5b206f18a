"""How long judging will take on this machine, measured on the spot."""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.feature_extractors import FeatureExtractor
from ganbench.contracts.images import (
    ImageSpec,
    LabeledImages,
    Split,
    quantise,
)
from ganbench.contracts.metrics import Metric
from ganbench.errors import INTERRUPTIONS
from ganbench.evaluation.trial_evaluation import TrialEvaluation
from ganbench.models.label_source import stand_ins
from ganbench.models.sampling import at_once
from ganbench.registry.registry import Registry
from ganbench.util.process_settings import put_back
from ganbench.util.random_streams import accelerators, stream, undisturbed

MOST_SECONDS = 4.0  # that the next part may take longer than the largest that was judged
MOST_SPENT = 20.0  # seconds, after which there is no larger part
PARTS = 4  # each part has so many times as many images as the one before
FEWEST = 16  # images, real ones or samples
UNKNOWN_REAL = 50_000  # images, where their number is not known before they are loaded
TEST_SHARE = 1 / 6  # of as many images for training
TELLING_SECONDS = 0.1  # of a part, from which on it tells a power
COARSE = 4  # pixels of a stand-in's side, between which it is smooth, as photographs are


class Judging(NamedTuple):
    """Seconds of judging one set of samples."""

    building: float  # of what real images alone decide, once on a machine
    each: float  # of the rest


class _Timed(NamedTuple):
    """What the metrics took that judged a part of all images, by their place."""

    real: float  # the share of all real images
    samples: float  # and of all samples, which may be another where there are few
    building: list[float]
    each: list[float]
    ended: list[bool]  # without an exception

    @property
    def seconds(self) -> float:
        return sum(self.building) + sum(self.each)

    @property
    def spent(self) -> float:
        """The seconds of judging it twice."""
        return self.seconds + sum(self.each)


def estimate(
    dataset: Dataset,
    metrics: Sequence[Metric],
    num_samples: int,
    registry: Registry,
    root: Path,
    device: str = "cpu",
    *,
    threads: int | None = None,
    judge: FeatureExtractor | None = None,
    real_share: float = 1.0,
    mapped: bool = False,
) -> Judging:
    """Judge stand-ins, in parts that grow until they take long, and return what all would take.

    Nothing is loaded but the weights of feature extractors, and nothing is kept. `threads` are
    those that a trial has, `judge` is one in the place of the data set's own, and `real_share` says
    beside how many of the training images samples are judged. With `mapped` the metrics find a
    generator with a mapping network, whose own time is left out. So is what has no value for
    stand-ins, as a training's own times.
    """
    real = max(1, round((_num_real(dataset, root) or UNKNOWN_REAL) * real_share))
    part_of = partial(_timed, metrics, registry=registry, root=root, device=device, judge=judge)
    image = dataset.image_spec()

    def judged(share: float, fewest: int, fewest_samples: int) -> _Timed:
        beside = _fewer(real, share, fewest)
        fewer = _of_stand_ins(dataset, beside)
        count = _fewer(num_samples, share, fewest_samples)
        fake = _stand_ins(image, count, "samples")
        generator = _Generator(image, count / num_samples, device) if mapped else None
        with put_back():
            torch.set_num_threads(threads or torch.get_num_threads())
            took = part_of(share, fewer, fake, generator=generator)
        return _Timed(beside / real, count / num_samples, *took)

    shares = _shares(max(num_samples, real))
    parts = [judged(shares[0], FEWEST, FEWEST)]
    if len(shares) > 1 and parts[0].spent > MOST_SPENT:  # the second is a smaller one then
        parts.insert(0, judged(shares[0] / PARTS, FEWEST // PARTS, FEWEST // PARTS))
        shares = shares[:1]
    for share in shares[1:]:
        parts.append(judged(share, FEWEST, PARTS * FEWEST))  # so that samples grow, too
        if _is_enough(parts):
            break
    telling = [_telling(parts, i) for i in range(len(metrics))]
    return Judging(
        sum(_whole([(p.real, p.building[i]) for p in of], 1) for i, of in enumerate(telling)),
        sum(_whole([(p.samples, p.each[i]) for p in of], 2) for i, of in enumerate(telling)),
    )


def _is_enough(parts: Sequence[_Timed]) -> bool:
    """Whether the next part would take long, after two at least.

    One alone would take what takes long however few the images, as a matrix's root, for their work,
    and for so many times as much.
    """
    longer = parts[-1].seconds - parts[-2].seconds
    return PARTS * longer > MOST_SECONDS or sum(part.spent for part in parts) > MOST_SPENT


def _telling(parts: Sequence[_Timed], i: int) -> Sequence[_Timed]:
    """Return the parts that a metric judged as it did the largest: some raise of few images."""
    return [part for part in parts if part.ended[i] == parts[-1].ended[i]]


def _num_real(dataset: Dataset, root: Path) -> int | None:
    return dataset.num_images() or dataset.status(root).images


def _fewer(count: int, share: float, fewest: int = FEWEST) -> int:
    return min(count, max(fewest, math.ceil(count * share)))


def _shares(count: int) -> list[float]:
    """Return what share of all images each part has, ascending; the last is 1."""
    share = 1.0
    found = [share]
    while share * count > PARTS * FEWEST:
        share /= PARTS
        found.insert(0, share)
    return found


def _whole(parts: Sequence[tuple[float, float]], most: float) -> float:
    """Return the seconds of the whole from the shares and seconds of its parts, ascending.

    What grows more slowly than the images is taken for a beginning and so much for each image; what
    grows faster, as of neighbours, for a power of their number, up to `most`.
    """
    share, seconds = parts[-1]
    smaller = [part for part in parts if part[0] < share]
    before_share, before = smaller[-1] if smaller else (0.0, 0.0)
    if seconds * before_share <= before * share:
        per_share = max(0.0, seconds - before) / (share - before_share)
        return seconds + per_share * (1 - share)
    power = 1.0
    if before and seconds >= TELLING_SECONDS:
        power = min(most, math.log(seconds / before, share / before_share))
    return float(seconds / share**power)


def _timed(
    metrics: Sequence[Metric],
    share: float,
    dataset: Dataset,
    fake: LabeledImages,
    **given: Any,
) -> tuple[list[float], list[float], list[bool]]:
    """Judge samples twice: the second time with what was built of the real images.

    Returns what the building took, and the rest, and whether the metrics ended.
    """
    built: dict[str, dict[str, Tensor]] = {}

    def remembered(key: str, compute: Callable[[], dict[str, Tensor]]) -> dict[str, Tensor]:
        if key not in built:
            built[key] = dict(compute())
        return built[key]

    train = dataset.load("train", given["root"])
    took = []
    for _ in range(2):
        evaluation = _ShareOf(dataset, train, fake, remembered=remembered, **given)
        evaluation.share = share
        took.append([_seconds(metric, evaluation) for metric in metrics])
    first, second = ([seconds for seconds, _ in found] for found in took)
    building = [max(0.0, a - b) for a, b in zip(first, second, strict=True)]
    return building, second, [ended for _, ended in took[1]]


def _seconds(metric: Metric, evaluation: TrialEvaluation) -> tuple[float, bool]:
    """Return what a metric takes, and whether it ended; the run itself will tell why not."""
    ended = False
    devices = accelerators(evaluation.extracts_on)
    started = time.perf_counter()
    with undisturbed(devices), put_back():
        try:
            metric.compute(copy.copy(evaluation))
            ended = True
        except INTERRUPTIONS:
            raise
        except BaseException:  # as in a run, which goes on after a metric's SystemExit, too
            pass
    return time.perf_counter() - started, ended


class _Generator:
    """Makes stand-ins of a share of the pairs that metrics ask for."""

    def __init__(self, image: ImageSpec, share: float, device: str) -> None:
        self._image, self._share, self._device = image, share, device

    def pairs(self, count: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield a style for each end of the paths, batch by batch."""
        styles = torch.zeros(_fewer(count, self._share), 1, 1, device=self._device)
        for batch in styles.split(at_once(self._image)):
            yield batch.clone(), batch + 1

    def images(self, styles: Tensor, noise: int = 0) -> Tensor:
        """Return as many stand-ins, whatever the styles."""
        found = _stand_ins(self._image, len(styles), f"noise {noise}").images.to(self._device)
        return found.float() / 127.5 - 1 if found.dtype == torch.uint8 else found


class _ShareOf(TrialEvaluation):
    """What metrics see of a share of all images."""

    share = 1.0

    def reals(self, split: Split = "train", count: int | None = None) -> LabeledImages:
        """Return as small a share of real images as of samples, where more are asked for."""
        if count is not None and count > len(self.fake):
            count = max(len(self.fake), round(count * self.share))
        return super().reals(split, count)


def _of_stand_ins(dataset: Dataset, count: int) -> Dataset:
    """Return the data set with stand-ins, of which as many are training images."""
    found, image = copy.copy(dataset), dataset.image_spec()

    def load(split: Split, root: Path) -> LabeledImages:
        some = count if split == "train" else max(2, round(count * TEST_SHARE))
        return _stand_ins(image, some, split)

    object.__setattr__(found, "load", load)  # a frozen one too
    return found


def _stand_ins(image: ImageSpec, count: int, name: str) -> LabeledImages:
    """Return smooth noise, as neighbours in white noise are all equally far, or points."""
    side = min(COARSE, image.resolution)
    values = torch.randn(count, image.channels, side, side, generator=stream(0, name))
    if image.resolution > 1:
        values = interpolate(values, image.resolution, mode="bilinear")
        values = quantise(values)
    return LabeledImages(values, stand_ins(image, count))
