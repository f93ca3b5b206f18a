"""From samples to numbers: nothing computed twice, nothing made up, every protocol told apart."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from ganbench import (
    Column,
    Evaluation,
    FeatureExtractor,
    Features,
    LabeledImages,
    Metric,
    hookimpl,
)
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.metrics.conditional import ConditionalAccuracy
from ganbench.default_plugins.metrics.frechet import FID
from ganbench.default_plugins.metrics.speed import Throughput
from ganbench.evaluation.evaluate import evaluate
from ganbench.records.columns import MEANINGLESS
from ganbench.records.windows import Timings
from ganbench.registry.discovery import PluginSource
from ganbench.registry.registry import Registry

RING = Ring(train_size=1200)
SEEN: list[int] = []  # sizes of the batches that extractors were given


@dataclass(kw_only=True)
class Counting(FeatureExtractor):
    """The coordinates, and a count of the points that were looked at."""

    name = "counting"

    def load(self, image, root, device="cpu"):
        def features(images: torch.Tensor) -> Features:
            SEEN.append(len(images))
            return Features(images.flatten(1), torch.eye(8)[: len(images)])

        return features

    def fingerprint(self) -> str:
        return "counting:v1"


@dataclass(kw_only=True)
class Other(Counting):
    """The same under another name."""

    name = "other"

    def fingerprint(self) -> str:
        return "other:v1"


@dataclass(kw_only=True)
class Given(Metric):
    """What a test wants said."""

    name = "given"
    values: dict[str, float]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column("a"), Column("b"))

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return self.values

    def protocol(self) -> dict[str, Any]:
        texts = {name: str(value) for name, value in self.values.items()}  # JSON has no infinity
        return {**super().protocol(), "values": texts}


@pytest.fixture
def extractors() -> Registry:
    SEEN.clear()
    module = ModuleType("counting_extractors")

    @hookimpl
    def register_feature_extractors(register) -> None:
        register(Counting)
        register(Other)

    module.register_feature_extractors = register_feature_extractors
    found = Registry()
    found.add(module, PluginSource("counting", "counting", "1"))
    return found


@pytest.fixture(autouse=True)
def cache(monkeypatch, tmp_path) -> Path:
    """Empty, so that each test computes the real statistics itself."""
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache" / "statistics"


@pytest.fixture
def seen(judged, extractors, tmp_path):
    def seen(num_samples: int = 300, timings: Timings | None = None):
        train, fake = RING.load("train", tmp_path), RING.load("test", tmp_path).images[:num_samples]
        return judged(RING, train, LabeledImages(fake, None), timings, extractors)

    return seen


def numbers(metrics: list[Metric], evaluation: Any) -> dict[str, float | None]:
    return {v.column.name: v.value for v in evaluate(metrics, evaluation)[0]}


def test_features_are_computed_once_for_all_metrics(seen):
    evaluation = seen()
    found = numbers([FID(features="counting"), FID(features="counting")], evaluation)
    evaluation.features("counting")
    assert sum(SEEN) == 1200 + 300
    assert found["fid@counting"] == pytest.approx(0, abs=0.02)
    evaluation.features("other")
    assert sum(SEEN) == 1200 + 300 + 300


def test_real_statistics_are_kept_and_read_back(seen, cache):
    first = numbers([FID(features="counting")], seen())
    assert len(list(cache.glob("*.safetensors"))) == 1
    SEEN.clear()
    assert numbers([FID(features="counting")], seen()) == first
    assert sum(SEEN) == 300


def test_other_images_and_other_extractors_have_statistics_of_their_own(
    judged, extractors, tmp_path, cache
):
    for size in (1200, 600):
        train = Ring(train_size=size).load("train", tmp_path)
        assert judged(RING, train, train, None, extractors).real("counting").num_samples == size
    assert judged(RING, train, train, None, extractors).real("other").num_samples == size
    assert len(list(cache.glob("*.safetensors"))) == 3


@pytest.mark.parametrize(
    "content", [b"", b"no statistics", b"\x08" + bytes(7) + b"{}      "], ids=len
)
def test_damaged_cache_is_computed_again(seen, cache, content):
    first = numbers([FID(features="counting")], seen())
    (path,) = cache.glob("*.safetensors")
    whole = path.read_bytes()
    path.write_bytes(content)
    SEEN.clear()
    assert numbers([FID(features="counting")], seen()) == first
    assert sum(SEEN) == 1200 + 300
    assert path.read_bytes() == whole


def test_cache_that_cannot_be_written_costs_only_time(seen, monkeypatch, tmp_path, caplog):
    first = numbers([FID(features="counting")], seen())
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "file"))
    assert numbers([FID(features="counting")], seen()) == first
    assert "real statistics are not kept" in caplog.text


def protocol(metric: Metric, evaluation: Any) -> str:
    values, protocols, *_ = evaluate([metric], evaluation)
    assert {v.protocol for v in values} == set(protocols)
    return values[0].protocol


def test_whatever_decides_a_number_changes_its_protocol(seen, judged, extractors, tmp_path):
    other_train = RING.load("test", tmp_path)
    ids = [
        protocol(FID(features="counting"), seen()),
        protocol(FID(features="counting"), seen(num_samples=299)),
        protocol(FID(features="other"), seen()),
        protocol(Given(values={"a": 1.0}), seen()),
        protocol(Given(values={"a": 2.0}), seen()),
        protocol(
            FID(features="counting"), judged(RING, other_train, other_train, None, extractors)
        ),
    ]
    assert len(set(ids)) == len(ids)
    assert protocol(FID(features="counting"), seen()) == ids[0]


@dataclass(kw_only=True)
class Few(Given):
    """A metric that looks at some of the samples."""

    name = "few"
    num_samples: int


def test_number_of_samples_that_a_metric_looks_at_is_part_of_its_protocol(seen):
    few, fewer, all_there_are, more = (
        protocol(Few(values={"a": 1.0}, num_samples=n), seen(num_samples=300))
        for n in (200, 100, 300, 400)
    )
    assert len({few, fewer, all_there_are}) == 3
    spelled = evaluate([Few(values={"a": 1.0}, num_samples=400)], seen())[1][more]
    assert spelled["num_samples"] == 300


@dataclass(kw_only=True)
class LooksAtTest(Given):
    """A metric that looks at the test set."""

    name = "tested"

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        evaluation.reals("test")
        return self.values


@dataclass(kw_only=True)
class Untested(Ring):
    """A ring without a test set."""

    name = "untested"
    splits = ("train",)


def test_metric_that_needs_a_test_set_has_a_reason_where_there_is_none(
    judged, extractors, tmp_path
):
    train = RING.load("train", tmp_path)
    evaluation = judged(Untested(train_size=1200), train, train, None, extractors)
    values, protocols, *_ = evaluate([LooksAtTest(values={"a": 1.0})], evaluation)
    assert {v.reason for v in values} == {"data set 'untested' has no test split"}
    assert [list(p["real"]) for p in protocols.values()] == [["train"]]


def test_protocol_spells_out_what_was_measured(seen):
    evaluation = seen()
    (spelled,) = evaluate([FID(features="counting")], evaluation)[1].values()
    assert spelled["extractors"] == {"counting": {"fingerprint": "counting:v1"}}
    assert spelled["num_samples"] == 300
    sha256 = evaluation.real_data.digest()
    assert spelled["real"] == {"train": {"num_images": 1200, "sha256": sha256}}


def test_each_recording_has_what_was_looked_at_meanwhile_also_if_it_was_computed_before(seen):
    evaluation = seen()
    with evaluation.recording() as first:
        evaluation.features("counting")
    with evaluation.recording() as second:
        evaluation.features("counting")
        evaluation.reals("test")
    evaluation.real("other")
    assert first.extractors == second.extractors == {"counting": {"fingerprint": "counting:v1"}}
    assert (first.splits, second.splits) == ({"train"}, {"train", "test"})


def test_undeclared_column_is_a_broken_contract(seen):
    found = evaluate([Given(values={"d": 1.0, "a": 1.0, "c": 2.0})], seen())
    assert {v.value for v in found.values} == {None}
    (error,) = found.errors
    assert "metric 'given' gave c, d, which its columns do not" in error


@dataclass(kw_only=True)
class Broken(Given):
    name = "broken"
    values: dict[str, float] = field(default_factory=dict)
    raises: type[BaseException] = RuntimeError

    def compute(self, evaluation):
        raise self.raises("out of ideas")


@dataclass(kw_only=True)
class Wordy(Given):
    name = "wordy"
    values: dict[str, float] = field(default_factory=dict)

    gives: object = None

    def compute(self, evaluation):
        return self.gives


@pytest.mark.parametrize(
    ("metric", "why"),
    [
        (Broken(), "RuntimeError: out of ideas"),
        (Broken(raises=MemoryError), "MemoryError: out of ideas"),
        (Broken(raises=SystemExit), "SystemExit: out of ideas"),
        (Wordy(), "compute gave None; give a mapping of columns' names to numbers"),
        (Wordy(gives=1.5), "compute gave 1.5; give a mapping of columns' names to numbers"),
        (Wordy(gives={"a": "1.5"}), "column 'a' is the text '1.5'; give a number"),
        (Wordy(gives={1: 2.0}), "metric 'wordy' gave 1, which its columns do not declare"),
    ],
)
def test_metric_that_raises_costs_its_own_columns(seen, metric, why, capsys):
    found = evaluate([Given(values={"a": 1.0}), metric, Given(values={"b": 2.0})], seen())
    assert [v.value for v in found.values] == [1.0, None, None, None, None, 2.0]
    failed = [v for v in found.values if v.value is None and not v.protocol]
    assert [(v.column.name, v.reason) for v in failed] == [("a", why), ("b", why)]
    assert found.errors == [f"metric '{metric.name}': {why}"]
    assert "Traceback" in capsys.readouterr().err
    assert len(found.protocols) == 2


def test_metric_that_is_to_end_the_trial_does(seen):
    with pytest.raises(KeyboardInterrupt):
        evaluate([Broken(raises=KeyboardInterrupt)], seen())


@dataclass(kw_only=True)
class Drawing(Given):
    name = "drawing"
    values: dict[str, float] = field(default_factory=dict)

    def compute(self, evaluation):
        return {"a": torch.rand(()).item() + random.random() + np.random.rand()}


def test_no_metric_sees_what_another_drew(seen):
    first, second = evaluate([Drawing(), Drawing()], seen()).values[::2]
    assert first.value == second.value


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_value_that_is_not_finite_becomes_a_reason(seen, bad):
    a, b = evaluate([Given(values={"a": bad, "b": 0.5})], seen())[0]
    assert (a.value, a.reason) == (None, f"the value is {bad}")
    assert (b.value, b.reason) == (0.5, "")


def test_column_left_out_has_a_reason_and_no_value(seen):
    a, b = evaluate([Given(values={"b": 0.0})], seen())[0]
    assert (a.value, a.reason, b.value) == (None, MEANINGLESS, 0.0)


def test_one_unavailable_metric_leaves_the_others(seen):
    timings = Timings(1.0, images_per_second=(1.0, 30.0, 10.0, 20.0), samples_per_second=7.0)
    found = numbers([ConditionalAccuracy(), Throughput()], seen(timings=timings))
    assert found["cond-accuracy"] is found["g-steps-per-s"] is None
    assert found["train-images-per-s"] == 20  # the median without the first window, the warm-up
    assert found["sample-images-per-s"] == 7
    values, *_ = evaluate([Throughput()], seen())
    assert {(v.value, v.reason) for v in values} == {(None, "nothing was trained")}
