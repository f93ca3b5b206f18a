"""What a metric sees of a trial: features once per extractor, real statistics cached on disk."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ganbench.contracts.datasets import Dataset
from ganbench.contracts.feature_extractors import FeatureExtractor, Features, Unavailable
from ganbench.contracts.images import LabeledImages, Split
from ganbench.contracts.metrics import MappedGenerator, require_classes
from ganbench.contracts.moments import Moments
from ganbench.errors import ContractError
from ganbench.evaluation import extraction, statistics_cache
from ganbench.evaluation.real_data import RealData
from ganbench.evaluation.shared import Shared, Spoiled
from ganbench.records.windows import Probe, Timings, Window
from ganbench.registry.registry import Registry
from ganbench.util import float32
from ganbench.util.random_streams import stream

Remembered = Callable[[str, Callable[[], dict[str, Tensor]]], dict[str, Tensor]]
STATISTICS_VERSION = 2  # raise it when the same real images would give other statistics


@dataclass
class Usage:
    """What was looked at while it was recorded: it decides numbers, so protocols name it."""

    extractors: dict[str, dict[str, Any]] = field(default_factory=dict)  # name -> its protocol
    splits: set[Split] = field(default_factory=lambda: {"train"})


class TrialEvaluation:
    """The Evaluation that metrics see; its methods are described there.

    Beside it, for whoever runs the metrics: `recording`, `protected` and `real_data`.
    """

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
        again: Callable[[], tuple[LabeledImages, LabeledImages]] | None = None,
        sampler: Mapping[str, Any] | None = None,
        judge: FeatureExtractor | None = None,
        generator: MappedGenerator | None = None,
        device: torch.device | str = "cpu",
        remembered: Remembered = statistics_cache.remembered,
    ) -> None:
        """`split` says what `train` is, where it is not the whole training set.

        `again` makes `train` and `fake` another time, the same to the bit.
        `sampler` is what protocols say of how `fake` was drawn: nothing of `plain`. `judge` tells
        classes in the place of the data set's own, and `generator` is what made `fake`. Features
        are computed on `device`, and metrics are given them on the CPU. `remembered` keeps what
        real data alone decides.
        """
        self.extracts_on = torch.device(device)
        has_float64 = self.extracts_on.type != "mps"
        self.device = self.extracts_on if has_float64 else torch.device("cpu")
        self.dataset = dataset
        self.image = dataset.image_spec()
        self.fake = fake
        self.timings = timings
        self.windows = windows
        self.probes = probes
        self.directory = directory
        self.sampler = sampler
        self.generator = generator
        self.real_data = RealData(dataset, train, root, split)
        self._judge = judge
        self._registry = registry
        self._root = root
        self._again = again
        self._remembered = remembered
        self._usage = Usage()
        self._features: dict[str, Features] = {}
        self._loaded: dict[str, Callable[[Tensor], Features]] = {}
        self._moments: dict[tuple[str, int | None], Moments] = {}
        self._images, self._derived = Shared(), Shared()  # as given, and what follows from them
        self._note_images()

    @contextmanager
    def recording(self) -> Iterator[Usage]:
        """Note in the Usage what is looked at meanwhile, also where it was computed before."""
        before, self._usage = self._usage, Usage()
        try:
            yield self._usage
        finally:
            self._usage = before

    @contextmanager
    def protected(self) -> Iterator[None]:
        """Bring back what is changed in place meanwhile; then raise ContractError.

        Raises Spoiled where it cannot be brought back.
        """
        try:
            yield
        finally:
            if changed := [*self._images.changed(), *self._derived.changed()]:
                told = f"it changed {' and '.join(changed)} in place"
                self._restore(told)
                raise ContractError(f"{told}, which other metrics see too; change a copy")

    def _restore(self, told: str) -> None:
        self._features.clear()
        self._moments.clear()
        self._derived.forget()
        self.real_data.forget()
        if not self._images.changed():
            return
        if self._again is None:
            raise Spoiled(f"{told}, and they cannot be made again")
        try:
            for now, then in zip((self.real_data.train, self.fake), self._again(), strict=True):
                now.images.copy_(then.images)
                if now.labels is not None and then.labels is not None:
                    now.labels.copy_(then.labels)
        except Exception as error:
            raise Spoiled(f"{told}, and they cannot be made again: {error}") from error
        if not self._images.is_restored():
            raise Spoiled(f"{told}, and they came out otherwise when they were made again")

    def _note_images(self) -> None:
        for what, data in (("real images", self.real_data.train), ("samples", self.fake)):
            self._images.note(what, data.images)
            self._images.note(f"labels of {what}", data.labels)

    def features(self, extractor: str) -> Features:
        """Return the fakes' features, computed once."""
        if extractor not in self._features:
            found = self._features[extractor] = self._extract(extractor, self.fake.images)
            self._derived.note(f"features of {extractor}", found.embedding)
            self._derived.note(f"probabilities of {extractor}", found.probabilities)
        self._note_extractor(extractor)
        return self._features[extractor]

    def embed(self, extractor: str, images: Tensor) -> Features:
        """Return features of images that a metric has made."""
        self._note_extractor(extractor)
        if extractor not in self._loaded:
            self._loaded[extractor] = extraction.loaded(
                self._usable(extractor), self.image, self._root, self.extracts_on
            )
        with float32.exact():
            return self._loaded[extractor](images.to(self.extracts_on))

    def real(self, extractor: str, label: int | None = None) -> Moments:
        """Return moments of the training set's features, or of one class's."""
        self._note_extractor(extractor)
        key = (extractor, label)
        if key not in self._moments:
            tensors = self.remember(
                f"moments|{label}|{self._fingerprint(extractor)}",
                lambda: _as_tensors(self._real_moments(extractor, label)),
            )
            self._moments[key] = _as_moments(tensors)
            for name in ("mean", "covariance", "root"):
                of = f"{name} of real images" + ("" if label is None else f" of class {label}")
                self._derived.note(f"{of} ({extractor})", tensors[name])
        return self._moments[key]

    def real_features(
        self, extractor: str, split: Split = "train", count: int | None = None
    ) -> Features:
        """Return features of `count` real images of a split, always the same ones, or of all."""
        self._note_extractor(extractor)
        found = self.remember(
            f"features|{split}|{count}|{self._fingerprint(extractor)}",
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
        """Return the images that `real_features` describes, in the same order."""
        whole = self._split(split)
        if count is None or count >= len(whole):
            return whole
        order = torch.randperm(len(whole), generator=stream(0, f"real {split}"))
        return whole.take(order[:count])

    def remember(
        self,
        name: str,
        compute: Callable[[], dict[str, Tensor]],
        splits: tuple[Split, ...] = ("train",),
    ) -> dict[str, Tensor]:
        """Return tensors that these splits and `name` alone decide, from the cache if they can."""
        for split in splits:
            self._split(split)
        digests = "|".join(self.real_data.digest(split) for split in splits)
        return self._remembered(f"{digests}|{name}|{STATISTICS_VERSION}", compute)

    def classes(self) -> Tensor:
        """Return the class of each fake, (N,), as the data set's judge sees it."""
        name = self._judge.name if self._judge else self.dataset.judge
        if name is None:
            train = "; evaluation.judge: auto trains one" if self.image.num_classes > 1 else ""
            raise Unavailable(f"data set '{self.dataset.name}' has no judge of classes{train}")
        probabilities = self.features(name).probabilities
        if probabilities is None:
            raise ContractError(f"judge '{name}' gives no probabilities")
        return probabilities.argmax(1)

    def class_shares(self) -> Tensor:
        """Return the share of each class in the training set, (K,) float64."""
        counts = self._class_ids().bincount(minlength=self.image.num_classes)
        return counts.double() / counts.sum()

    def _class_ids(self) -> Tensor:
        """Return the classes of the training images, (N,). Raises Unavailable without any."""
        require_classes(self)
        labels = self._split("train").labels
        if labels is None:
            raise Unavailable(f"data set '{self.dataset.name}' has no labels")
        return labels

    def _split(self, split: Split) -> LabeledImages:
        """Return a split's images; it is part of the metric's protocol from now on."""
        loaded = self.real_data.is_loaded(split)
        found = self.real_data.split(split)
        if not loaded:
            self._derived.note(f"images ({split})", found.images)
            self._derived.note(f"labels ({split})", found.labels)
        self._usage.splits.add(split)
        return found

    def _note_extractor(self, name: str) -> None:
        """Make the extractor's protocol part of the metric's."""
        if name not in self._usage.extractors:
            extractor = self._extractor(name)
            self._usage.extractors[name] = {
                "fingerprint": extractor.fingerprint(),
                **extractor.protocol(),
            }

    def _real_moments(self, extractor: str, label: int | None) -> Moments:
        train = self._split("train")
        chosen = torch.arange(len(train))
        if label is not None:
            chosen = (self._class_ids() == label).nonzero().flatten()
        if len(chosen) < 2:
            raise Unavailable(f"statistics need at least two real images, found {len(chosen)}")
        batches = self._batches(extractor, train.images, chosen)
        found = Moments.of(features.embedding.to(self.device) for features in batches)
        return Moments(found.num_samples, found.mean.cpu(), found.covariance.cpu())

    def _extract(self, name: str, images: Tensor) -> Features:
        return extraction.concatenate(self._batches(name, images), len(images))

    def _batches(
        self, name: str, images: Tensor, chosen: Tensor | None = None
    ) -> Iterator[Features]:
        return extraction.batches(
            self._usable(name), self.image, self._root, images, chosen, self.extracts_on
        )

    def _usable(self, name: str) -> FeatureExtractor:
        extractor = self._extractor(name)
        if why := extractor.unsupported(self.image) or extractor.missing(self._root):
            raise Unavailable(f"feature extractor '{name}': {why}")
        return extractor

    def _fingerprint(self, name: str) -> str:
        return self._extractor(name).fingerprint()

    def _extractor(self, name: str) -> FeatureExtractor:
        if self._judge and name == self._judge.name:
            return self._judge
        found: FeatureExtractor = self._registry.extractor(name)
        return found


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
