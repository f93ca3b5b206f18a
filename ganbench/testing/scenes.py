"""Small data sets, samples good and bad, and what metrics see of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.metrics import Features, Unavailable, Watch
from ganbench.contracts.moments import Moments
from ganbench.specs import (
    DatasetStatus,
    ImageSpec,
    LabeledImages,
    Mixture,
    Probe,
    Split,
    Timings,
    Window,
)

CLASSES = 4
COUNT = 240
EXTRACTOR = "kit-features"


class KitDataset(Dataset):
    """Made from a fixed seed."""

    def status(self, root: Path) -> DatasetStatus:
        return DatasetStatus("generated", True, None)

    def draws(self, split: Split) -> tuple[torch.Generator, Tensor]:
        """A generator, and labels of which every class has as many."""
        generator = torch.Generator().manual_seed(("train", "test").index(split))
        return generator, torch.arange(COUNT) % CLASSES


@dataclass(kw_only=True)
class KitPictures(KitDataset):
    """Coarse patterns, one for each class, with noise."""

    name = "kit-pictures"
    features = EXTRACTOR
    judge = EXTRACTOR
    channels: int = 1
    resolution: int = 8
    labelled: bool = True

    def image_spec(self) -> ImageSpec:
        return ImageSpec(self.channels, self.resolution, CLASSES if self.labelled else 0)

    def load(self, split: Split, root: Path) -> LabeledImages:
        generator, labels = self.draws(split)
        shape = (COUNT, self.channels, self.resolution, self.resolution)
        noise = 30 * torch.randn(shape, generator=generator)
        images = (self.patterns()[labels] + noise).clamp(0, 255).round().to(torch.uint8)
        return LabeledImages(images, labels if self.labelled else None)

    def patterns(self) -> Tensor:  # (K, C, H, W), from 0 to 255
        """Each class is bright in a quarter of its own."""
        half = self.resolution // 2
        quarters = torch.eye(CLASSES).view(CLASSES, 1, 2, 2).expand(-1, self.channels, -1, -1)
        return 60 + 140 * quarters.repeat_interleave(half, 2).repeat_interleave(half, 3)


@dataclass(kw_only=True)
class KitPoints(KitDataset):
    """Four narrow Gaussians, none of whose points lies far out."""

    name = "kit-points"
    features = EXTRACTOR
    std: float = 0.02

    def image_spec(self) -> ImageSpec:
        return ImageSpec(2, 1, CLASSES)

    def mixture(self) -> Mixture:
        return Mixture(0.6 * torch.tensor([[1.0, 0], [0, 1], [-1, 0], [0, -1]]), self.std)

    def load(self, split: Split, root: Path) -> LabeledImages:
        generator, labels = self.draws(split)
        noise = torch.randn(COUNT, 2, generator=generator).clamp(-1.5, 1.5)
        points = self.mixture().centers[labels] + self.std * noise
        return LabeledImages(points.view(-1, 2, 1, 1), labels)


FAST = Timings(
    10.0, (900.0, 1000.0, 1010.0), (90.0, 100.0, 101.0), samples_per_second=5000.0,
    peak_memory_bytes=10**8,
)  # fmt: skip
SLOW = Timings(
    90.0, (90.0, 100.0, 101.0), (9.0, 10.0, 10.1), samples_per_second=500.0,
    peak_memory_bytes=10**9,
)  # fmt: skip


WINDOWS = tuple(
    Window(0.1 * i, i, 1.0, 1000.0, 100.0, {"adversarial": 1.4}, {"adversarial": 0.7})
    for i in (1, 2, 3)
)


def probes(watch: Watch, timings: Timings | None) -> tuple[Probe, ...]:
    """Numbers that pass every target at once, half way through the training."""
    if timings is None:
        return ()
    found = []
    for i in (1, 2, 3, 4):
        value = 1e9 if i < 2 else -1e9
        found.append(
            Probe(
                kimg=0.1 * i * timings.train_seconds,
                seconds=timings.train_seconds * i / 4,
                values=dict.fromkeys(watch.columns, value),
                directions=dict.fromkeys(watch.columns, "min"),
            )
        )
    return tuple(found)


class KitEvaluation:
    """The Evaluation that metrics see, whose one extractor answers to every name."""

    def __init__(
        self,
        dataset: KitDataset,
        fake: LabeledImages,
        timings: Timings | None,
        probes: tuple[Probe, ...] = (),
    ) -> None:
        self.dataset: Dataset = dataset
        self.image = dataset.image_spec()
        self.fake = fake
        self.timings = timings
        self.windows = () if timings is None else WINDOWS
        self.probes = probes
        self.directory: Path | None = None
        self._train = dataset.load("train", Path())

    def features(self, extractor: str) -> Features:
        return self._of_fakes

    def real(self, extractor: str, label: int | None = None) -> Moments:
        if label is None:
            return self._of_reals
        if self._train.labels is None:
            raise Unavailable(f"data set '{self.dataset.name}' has no labels")
        return Moments.of([self._extracted(self._train.images[self._train.labels == label])[0]])

    def real_features(
        self, extractor: str, split: Split = "train", count: int | None = None
    ) -> Features:
        return self._extracted(self.reals(split, count).images)

    def reals(self, split: Split = "train", count: int | None = None) -> LabeledImages:
        whole = self.dataset.load(split, Path())
        if count is None or count >= len(whole):
            return whole
        chosen = torch.randperm(len(whole), generator=torch.Generator().manual_seed(4))[:count]
        labels = None if whole.labels is None else whole.labels[chosen]
        return LabeledImages(whole.images[chosen], labels)

    def remember(
        self,
        name: str,
        compute: Callable[[], dict[str, Tensor]],
        splits: tuple[Split, ...] = ("train",),
    ) -> dict[str, Tensor]:
        return compute()

    def classes(self) -> Tensor:
        if self._of_fakes.probabilities is None:
            raise Unavailable(f"data set '{self.dataset.name}' has no judge of classes")
        return self._of_fakes.probabilities.argmax(1)

    def class_shares(self) -> Tensor:
        if self._train.labels is None:
            raise Unavailable(f"data set '{self.dataset.name}' has no labels")
        return torch.full((CLASSES,), 1 / CLASSES, dtype=torch.float64)

    def tensors(self) -> dict[str, Tensor]:
        """All that a metric may look at."""
        found = {
            "images": self.fake.images,
            "labels": self.fake.labels,
            "features": self._of_fakes.embedding,
            "probabilities": self._of_fakes.probabilities,
            "real mean": self._of_reals.mean,
            "real covariance": self._of_reals.covariance,
        }
        return {name: tensor for name, tensor in found.items() if tensor is not None}

    @cached_property
    def _of_fakes(self) -> Features:
        return self._extracted(self.fake.images)

    @cached_property
    def _of_reals(self) -> Moments:
        return Moments.of([self._extracted(self._train.images).embedding])

    def _extracted(self, images: Tensor) -> Features:
        """Means over quarters, and how near each is to the patterns."""
        if isinstance(self.dataset, KitPoints):
            return Features(images.flatten(1))
        size = self.image.resolution // 2
        means = torch.nn.functional.avg_pool2d(images.float() / 255, size).mean(1).flatten(1)
        return Features(means, (20 * (means - 0.45)).softmax(1))


@dataclass(frozen=True)
class Scene:
    """A data set, and samples of it as good as they can be, and bad in several ways."""

    name: str
    dataset: KitDataset

    @property
    def reals(self) -> LabeledImages:
        return self.dataset.load("train", Path())

    def identical(self) -> KitEvaluation:
        return KitEvaluation(self.dataset, self.reals, FAST)

    def collapsed(self) -> KitEvaluation:
        """One real image over and over, after a slow training."""
        images = self.reals.images[:1].expand_as(self.reals.images).clone()
        return KitEvaluation(self.dataset, LabeledImages(images, self.reals.labels), SLOW)

    def noise(self) -> KitEvaluation:
        """Uniform in all that images can be, after a slow training."""
        reals = self.reals
        uniform = torch.rand(reals.images.shape, generator=torch.Generator().manual_seed(2))
        whole = reals.images.dtype == torch.uint8
        images = (255 * uniform).round().to(torch.uint8) if whole else 2 * uniform - 1
        return KitEvaluation(self.dataset, LabeledImages(images, reals.labels), SLOW)

    def permuted(self) -> KitEvaluation:
        """Noise and reals by halves, in another order."""
        return self._reordered(torch.randperm(COUNT, generator=torch.Generator().manual_seed(3)))

    def mixed(self) -> KitEvaluation:
        """The same in its first order."""
        return self._reordered(torch.arange(COUNT))

    def unlabelled(self) -> KitEvaluation:
        """Of a generator that is not told a class."""
        return KitEvaluation(self.dataset, LabeledImages(self.reals.images, None), FAST)

    def constant(self, value: float, count: int = COUNT) -> KitEvaluation:
        images = torch.full_like(self.reals.images[:count], value)
        labels = None if self.reals.labels is None else self.reals.labels[:count]
        return KitEvaluation(self.dataset, LabeledImages(images, labels), FAST)

    def first(self, count: int) -> KitEvaluation:
        reals = self.reals
        labels = None if reals.labels is None else reals.labels[:count]
        return KitEvaluation(self.dataset, LabeledImages(reals.images[:count], labels), None)

    def _reordered(self, order: Tensor) -> KitEvaluation:
        images, labels = self.reals.images.clone(), self.reals.labels
        images[::3] = self.noise().fake.images[::3]
        data = LabeledImages(images[order], None if labels is None else labels[order])
        return KitEvaluation(self.dataset, data, FAST)


SCENES = (
    Scene("labelled images", KitPictures()),
    Scene("unlabelled images", KitPictures(channels=3, resolution=32, labelled=False)),
    Scene("points of a mixture", KitPoints()),
)
