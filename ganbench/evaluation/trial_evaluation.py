"""From samples to numbers: features once per extractor, real statistics cached on disk."""

from __future__ import annotations

import hashlib
import json
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.images import (
    MEANINGLESS,
    Column,
    ImageSpec,
    LabeledImages,
    Probe,
    Split,
    Timings,
    Window,
)
from ganbench.contracts.metrics import Features, Metric, Unavailable
from ganbench.contracts.moments import Moments
from ganbench.errors import ContractError, DataError, noting
from ganbench.evaluation.statistics_cache import remembered
from ganbench.models import sampling
from ganbench.registry.registry import Registry
from ganbench.util.random_streams import stream

STATISTICS_VERSION = 2  # raise it when the same real images would give other statistics
LARGE = 64 * 2**20  # bytes of features, beyond which they lie in a file


@dataclass(frozen=True)
class MetricValue:
    """One number with everything needed to defend it, or the reason why there is none."""

    column: Column
    value: float | None
    protocol: str  # id
    reason: str = ""


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


def evaluate(
    metrics: Iterable[Metric], evaluation: TrialEvaluation
) -> tuple[list[MetricValue], dict[str, dict[str, Any]]]:
    """Every column of every metric, and the protocols by id."""
    values: list[MetricValue] = []
    protocols: dict[str, dict[str, Any]] = {}
    for metric in metrics:
        evaluation.used, evaluation.asked = {}, {"train"}
        started = time.perf_counter()
        with noting(partial(_computing, metric)):
            numbers, reason = _computed(metric, evaluation)
        name = metric.columns[0].name
        evaluation.seconds[name] = round(time.perf_counter() - started, 3)
        protocol = _protocol(metric, evaluation)
        identity = _short_digest(protocol)
        protocols[identity] = protocol
        for column in metric.columns:
            value, why = _value_of(numbers.get(column.name), reason)
            values.append(MetricValue(column, value, identity, why))
    return values, protocols


def _computing(metric: Metric) -> str:
    return f"while computing metric '{metric.name}'"


def _value_of(number: float | Unavailable | None, reason: str) -> tuple[float | None, str]:
    """A finite number, or None and why."""
    if number is None:
        return None, reason or MEANINGLESS
    if isinstance(number, Unavailable):
        return None, str(number)
    value = float(number)
    return (value, "") if math.isfinite(value) else (None, f"the value is {value}")


def _computed(
    metric: Metric, evaluation: TrialEvaluation
) -> tuple[Mapping[str, float | Unavailable], str]:
    try:
        numbers = metric.compute(evaluation)
    except (Unavailable, DataError) as error:
        return {}, str(error)
    undeclared = set(numbers) - {column.name for column in metric.columns}
    if undeclared:
        raise ContractError(
            f"metric '{metric.name}' gave {', '.join(sorted(undeclared))}, which its columns do "
            "not declare"
        )
    return numbers, ""


def _protocol(metric: Metric, evaluation: TrialEvaluation) -> dict[str, Any]:
    fake, own = evaluation.fake, metric.protocol()
    prepared = evaluation.dataset.protocol()
    return {
        **own,
        "columns": [[c.name, c.unit, c.direction] for c in metric.columns],
        "extractors": evaluation.used,
        **_calibration(evaluation.image),
        "num_samples": min(own.get("num_samples", len(fake)), len(fake)),
        "sample_values": "uint8, clamped and rounded"
        if fake.images.dtype == torch.uint8
        else "float32",
        "real": evaluation.real_protocol(),
        **({"preparation": prepared} if prepared else {}),
        "statistics_version": STATISTICS_VERSION,
    }


def _calibration(image: ImageSpec) -> dict[str, Any]:
    """By how many samples batch norm is calibrated, where large images leave time for fewer."""
    count = sampling.calibration_samples(image)
    return {} if count == sampling.CALIBRATION_SAMPLES else {"calibration_samples": count}


def _short_digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


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
