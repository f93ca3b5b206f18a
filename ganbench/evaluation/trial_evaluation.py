"""From samples to numbers: features once per extractor, real statistics cached on disk."""

from __future__ import annotations

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.feature_extractors import Features, Unavailable
from ganbench.contracts.images import LabeledImages, Split
from ganbench.contracts.moments import Moments
from ganbench.errors import ContractError
from ganbench.evaluation.statistics_cache import remembered
from ganbench.models import sampling
from ganbench.records.windows import Probe, Timings, Window
from ganbench.registry.registry import Registry
from ganbench.util.random_streams import stream

STATISTICS_VERSION = 2  # raise it when the same real images would give other statistics
LARGE = 64 * 2**20  # bytes of features, beyond which they lie in a file


class TrialEvaluation:
    """The Evaluation that metrics see."""

    def __init__(
        self,
        dataset: Dataset,
        train: LabeledImages,
        fake: LabeledImages,
        registry: Registry,
        root: Path,
        timings: Timings | None = None,
        *,
        windows: tuple[Window, ...] = (),
        probes: tuple[Probe, ...] = (),
        directory: Path | None = None,
        split: str = "train",
    ) -> None:
        """`split` says what `train` is, where it is not the whole training set."""
        self.dataset = dataset
        self.image = dataset.image_spec()
        self.fake = fake
        self.timings = timings
        self.windows = windows
        self.probes = probes
        self.directory = directory
        self.split = split
        self.seconds: dict[str, float] = {}  # of each metric, first uses of extractors included
        self.used: dict[str, dict[str, Any]] = {}  # extractor -> its protocol
        self.asked: set[Split] = {"train"}  # the splits that a metric has looked at
        self._registry = registry
        self._root = root
        self._splits: dict[Split, LabeledImages] = {"train": train}
        self._digests: dict[Split, str] = {}
        self._features: dict[str, Features] = {}
        self._moments: dict[tuple[str, int | None], Moments] = {}

    def features(self, extractor: str) -> Features:
        if extractor not in self._features:
            self._features[extractor] = self._extract(extractor, self.fake.images)
        return self._features[self._noted(extractor)]

    def real(self, extractor: str, label: int | None = None) -> Moments:
        key = (self._noted(extractor), label)
        if key not in self._moments:
            tensors = self.remember(
                f"moments|{label}|{self._fingerprint(extractor)}",
                lambda: _as_tensors(self._real_moments(extractor, label)),
            )
            self._moments[key] = _as_moments(tensors)
        return self._moments[key]

    def real_features(
        self, extractor: str, split: Split = "train", count: int | None = None
    ) -> Features:
        found = self.remember(
            f"features|{split}|{count}|{self._fingerprint(self._noted(extractor))}",
            lambda: {
                name: tensor
                for name, tensor in self._extract(extractor, self.reals(split, count).images)
                ._asdict()
                .items()
                if tensor is not None
            },
            (split,),
        )
        return Features(found["embedding"], found.get("probabilities"))

    def reals(self, split: Split = "train", count: int | None = None) -> LabeledImages:
        whole = self._whole(split)
        if count is None or count >= len(whole):
            return whole
        chosen = torch.randperm(len(whole), generator=stream(0, f"real {split}"))[:count]
        labels = None if whole.labels is None else whole.labels[chosen]
        return LabeledImages(whole.images[chosen], labels)

    def remember(
        self,
        name: str,
        compute: Callable[[], dict[str, Tensor]],
        splits: tuple[Split, ...] = ("train",),
    ) -> dict[str, Tensor]:
        digests = "|".join(self._digest(split) for split in splits)
        return remembered(f"{digests}|{name}|{STATISTICS_VERSION}", compute)

    def classes(self) -> Tensor:
        if self.dataset.judge is None:
            raise Unavailable(f"data set '{self.dataset.name}' has no judge of classes")
        probabilities = self.features(self.dataset.judge).probabilities
        if probabilities is None:
            raise ContractError(f"judge '{self.dataset.judge}' gives no probabilities")
        return probabilities.argmax(1)

    def class_shares(self) -> Tensor:
        train = self._whole("train")
        if train.labels is None:
            raise Unavailable(f"data set '{self.dataset.name}' has no labels")
        counts = train.labels.bincount(minlength=self.image.num_classes)
        return counts.double() / counts.sum()

    @property
    def digest(self) -> str:
        """The SHA-256 of the training images and labels."""
        return self._digest("train")

    @property
    def problems(self) -> tuple[str, ...]:
        """Files of the data set that were left out, and why."""
        return tuple(text for split in self._splits.values() for text in split.problems)

    @property
    def num_real(self) -> int:
        return len(self._splits["train"])

    def real_protocol(self) -> dict[str, Any]:
        """The real data that the metrics since `used` and `asked` were emptied have looked at."""
        names: dict[Split, str] = {"train": self.split, "test": "test"}
        described = {
            names[split]: {"num_images": len(self._whole(split)), "sha256": self._digest(split)}
            for split in sorted(self.asked)
        }
        return described

    def _whole(self, split: Split) -> LabeledImages:
        if split not in self._splits:
            if split not in self.dataset.splits:
                raise Unavailable(f"data set '{self.dataset.name}' has no {split} split")
            self._splits[split] = self.dataset.load(split, self._root)
        self.asked.add(split)
        return self._splits[split]

    def _digest(self, split: Split) -> str:
        whole = self._whole(split)
        if split not in self._digests:
            self._digests[split] = digest(whole)
        return self._digests[split]

    def _real_moments(self, extractor: str, label: int | None) -> Moments:
        train = self._whole("train")
        chosen = torch.arange(len(train))
        if label is not None:
            if train.labels is None:
                raise Unavailable(f"data set '{self.dataset.name}' has no labels")
            chosen = (train.labels == label).nonzero().flatten()
        if len(chosen) < 2:
            raise Unavailable(f"statistics need at least two real images, found {len(chosen)}")
        batches = self._batches(extractor, train.images, chosen)
        return Moments.of(features.embedding for features in batches)

    def _extract(self, name: str, images: Tensor) -> Features:
        return _collected(self._batches(name, images), len(images))

    def _batches(
        self, name: str, images: Tensor, chosen: Tensor | None = None
    ) -> Iterator[Features]:
        """Of all images, or of these: batch by batch, for they may lie in a large file."""
        extractor = self._registry.extractor(name)
        if why := extractor.unsupported(self.image) or extractor.missing(self._root):
            raise Unavailable(f"feature extractor '{name}': {why}")
        function = extractor.load(self.image, self._root)
        size = sampling.at_once(self.image)
        if chosen is None:
            return (function(batch) for batch in images.split(size))
        return (function(images[part]) for part in chosen.split(size))

    def _noted(self, name: str) -> str:
        """The name; the extractor's protocol is part of the metric's from now on."""
        if name not in self.used:
            extractor = self._registry.extractor(name)
            self.used[name] = {"fingerprint": extractor.fingerprint(), **extractor.protocol()}
        return name

    def _fingerprint(self, name: str) -> str:
        return self._registry.extractor(name).fingerprint()


def digest(data: LabeledImages) -> str:
    found = hashlib.sha256(str((tuple(data.images.shape), data.images.dtype)).encode())
    for tensor in (data.images, data.labels):
        if tensor is not None:
            found.update(tensor.contiguous().numpy().data)
    return found.hexdigest()


def _collected(batches: Iterable[Features], count: int) -> Features:
    """All rows of all batches; what is large in a file, so that memory does not grow with it."""
    rows = 0
    kept: dict[str, Tensor] = {}
    for batch in batches:
        for name, tensor in batch._asdict().items():
            if tensor is None:
                continue
            if name not in kept:
                kept[name] = _room(count, tensor.shape[1])
            kept[name][rows : rows + len(tensor)] = tensor
        rows += len(batch.embedding)
    return Features(kept["embedding"], kept.get("probabilities"))


def _room(rows: int, columns: int) -> Tensor:
    """Space for float32 (rows, columns)."""
    if 4 * rows * columns <= LARGE:
        return torch.empty(rows, columns)
    with tempfile.TemporaryFile(prefix="ganbench-features-") as file:
        file.truncate(4 * rows * columns)
        return torch.from_numpy(np.memmap(file, np.float32, "r+", shape=(rows, columns)))


def _as_tensors(moments: Moments) -> dict[str, Tensor]:
    return {
        "num_samples": torch.tensor(moments.num_samples),
        "mean": moments.mean,
        "covariance": moments.covariance,
        "root": moments.root,
    }


def _as_moments(tensors: dict[str, Tensor]) -> Moments:
    found = Moments(int(tensors["num_samples"]), tensors["mean"], tensors["covariance"])
    vars(found)["root"] = tensors["root"]  # what the cached property would compute again
    return found
