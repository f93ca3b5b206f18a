"""From samples to numbers: features once per extractor, real statistics cached on disk."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import filelock
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ganbench import folders
from ganbench.contracts.datasets import Dataset
from ganbench.contracts.metrics import (
    FeatureExtractor,
    Features,
    Metric,
    RealStatistics,
    Unavailable,
)
from ganbench.errors import ContractError, noting
from ganbench.registry import Registry
from ganbench.specs import MEANINGLESS, Column, LabeledImages, Timings

STATISTICS_VERSION = 1  # raise it when the same real images would give other statistics
BATCH = 500


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
    ) -> None:
        self.dataset = dataset
        self.image = dataset.image_spec()
        self.fake = fake
        self.timings = timings
        self.used: dict[str, str] = {}  # extractor -> fingerprint
        self._train = train
        self._registry = registry
        self._root = root
        self._features: dict[str, Features] = {}
        self._real: dict[str, RealStatistics] = {}

    def features(self, extractor: str) -> Features:
        if extractor not in self._features:
            self._features[extractor] = _joined(self._extract(extractor, self.fake.images))
        self.used[extractor] = self._extractor(extractor).fingerprint()
        return self._features[extractor]

    def real(self, extractor: str) -> RealStatistics:
        if extractor not in self._real:
            fingerprint = self._extractor(extractor).fingerprint()
            key = f"{self.digest}|train|{fingerprint}|{STATISTICS_VERSION}"
            name = hashlib.sha256(key.encode()).hexdigest()[:24]
            self._real[extractor] = cached_statistics(
                folders.cache() / "statistics" / f"{name}.safetensors",
                lambda: accumulate(self._extract(extractor, self._train.images)),
            )
        return self._real[extractor]

    def classes(self) -> Tensor:
        if self.dataset.judge is None:
            raise Unavailable(f"data set '{self.dataset.name}' has no judge of classes")
        probabilities = self.features(self.dataset.judge).probabilities
        if probabilities is None:
            raise ContractError(f"judge '{self.dataset.judge}' gives no probabilities")
        return probabilities.argmax(1)

    def class_shares(self) -> Tensor:
        if self._train.labels is None:
            raise Unavailable(f"data set '{self.dataset.name}' has no labels")
        counts = self._train.labels.bincount(minlength=self.image.num_classes)
        return counts.double() / counts.sum()

    @cached_property
    def digest(self) -> str:
        """The SHA-256 of the training images and labels."""
        return digest(self._train)

    @property
    def num_real(self) -> int:
        return len(self._train)

    def _extractor(self, name: str) -> FeatureExtractor:
        return self._registry.build("feature extractor", name, {})

    def _extract(self, name: str, images: Tensor) -> Iterable[Features]:
        extractor = self._extractor(name)
        if why := extractor.unsupported(self.image):
            raise Unavailable(f"feature extractor '{name}': {why}")
        function = extractor.load(self.image, self._root)
        return (function(batch) for batch in images.split(BATCH))


def digest(data: LabeledImages) -> str:
    found = hashlib.sha256(str((tuple(data.images.shape), data.images.dtype)).encode())
    for tensor in (data.images, data.labels):
        if tensor is not None:
            found.update(tensor.contiguous().numpy().tobytes())
    return found.hexdigest()


def accumulate(batches: Iterable[Features]) -> RealStatistics:
    """Mean and covariance of a stream, from float64 sums about the first batch's mean."""
    count, shift = 0, torch.empty(0)
    total = products = torch.empty(0)
    for batch in batches:
        x = batch.embedding.double()
        if not count:
            shift, total = x.mean(0), torch.zeros_like(x[0])
            products = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64)
        x = x - shift
        count += len(x)
        total += x.sum(0)
        products += x.T @ x
    if count < 2:
        raise Unavailable("statistics of the real data need at least two images")
    mean = total / count
    covariance = (products - count * torch.outer(mean, mean)) / (count - 1)
    return RealStatistics(count, shift + mean, covariance)


def cached_statistics(path: Path, compute: Callable[[], RealStatistics]) -> RealStatistics:
    """From the file where it is there and whole, else computed and kept; one process at a time."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = filelock.FileLock(f"{path}.lock").acquire()
    except OSError as error:
        print(f"real statistics are not kept: {path}: {error.strerror}", flush=True)
        return compute()
    with lock:
        found = _read_statistics(path)
        if found is None:
            found = compute()
            try:
                _write_statistics(path, found)
            except (OSError, SafetensorError) as error:
                print(f"real statistics are not kept: {path}: {error}", flush=True)
        return found


def evaluate(
    metrics: Iterable[Metric], evaluation: TrialEvaluation
) -> tuple[list[MetricValue], dict[str, dict[str, Any]]]:
    """Every column of every metric, and the protocols by id."""
    values: list[MetricValue] = []
    protocols: dict[str, dict[str, Any]] = {}
    for metric in metrics:
        evaluation.used = {}
        with noting(partial(_computing, metric)):
            numbers, reason = _computed(metric, evaluation)
        protocol = _protocol(metric, evaluation)
        identity = _short_digest(protocol)
        protocols[identity] = protocol
        for column in metric.columns:
            value = float(numbers[column.name]) if column.name in numbers else None
            why = "" if value is not None else reason or MEANINGLESS
            if value is not None and not math.isfinite(value):
                value, why = None, f"the value is {value}"
            values.append(MetricValue(column, value, identity, why))
    return values, protocols


def _computing(metric: Metric) -> str:
    return f"while computing metric '{metric.name}'"


def _computed(metric: Metric, evaluation: TrialEvaluation) -> tuple[dict[str, float], str]:
    try:
        numbers = metric.compute(evaluation)
    except Unavailable as error:
        return {}, str(error)
    undeclared = set(numbers) - {column.name for column in metric.columns}
    if undeclared:
        raise ContractError(
            f"metric '{metric.name}' gave {', '.join(sorted(undeclared))}, which its columns do "
            "not declare"
        )
    return numbers, ""


def _protocol(metric: Metric, evaluation: TrialEvaluation) -> dict[str, Any]:
    fake = evaluation.fake
    return {
        **metric.protocol(),
        "columns": [[c.name, c.unit, c.direction] for c in metric.columns],
        "extractors": evaluation.used,
        "num_samples": len(fake),
        "sample_values": "uint8, clamped and rounded"
        if fake.images.dtype == torch.uint8
        else "float32",
        "real": {"split": "train", "num_images": evaluation.num_real, "sha256": evaluation.digest},
        "statistics_version": STATISTICS_VERSION,
    }


def _short_digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:8]


def _joined(batches: Iterable[Features]) -> Features:
    embeddings, probabilities = zip(*batches, strict=True)
    known = [p for p in probabilities if p is not None]
    return Features(torch.cat(embeddings), torch.cat(known) if known else None)


def _read_statistics(path: Path) -> RealStatistics | None:
    if not path.is_file():
        return None
    try:
        stored = load_file(path)
        found = RealStatistics(int(stored["num_samples"]), stored["mean"], stored["covariance"])
    except (SafetensorError, KeyError) as error:
        print(f"{path}: not usable ({error}); computing it again", flush=True)
        return None
    whole = found.mean.isfinite().all() and found.covariance.isfinite().all()
    return found if whole else None


def _write_statistics(path: Path, statistics: RealStatistics) -> None:
    tensors = {
        "num_samples": torch.tensor(statistics.num_samples),
        "mean": statistics.mean.contiguous(),
        "covariance": statistics.covariance.contiguous(),
    }
    folders.write_atomically(path, lambda temporary: save_file(tensors, temporary))
