"""How long judging takes is measured by stand-ins, and nothing is loaded or kept for it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch

from ganbench import Column, LabeledImages, Metric, Unavailable
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.datasets.mnist import MNIST
from ganbench.evaluation import judging_time
from ganbench.evaluation.trial_evaluation import TrialEvaluation
from ganbench.registry.registry import Registry

NUM_REAL = 60_000


@dataclass
class Asks(Metric):
    """Takes as long as it is told, on a clock of its own."""

    name = "asks"
    columns = (Column("asked", "", "min", 1),)

    clock: Any = None
    ask: Callable[[TrialEvaluation, Any], object] = field(default=lambda evaluation, clock: None)

    def compute(self, evaluation: Any) -> Mapping[str, float]:
        self.ask(evaluation, self.clock)
        return {"asked": 1.0}


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(time, "perf_counter", found)
    return found


@pytest.fixture
def measured(
    plugins: Registry, clock: Clock, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., judging_time.Judging]:
    """Return what the metrics that ask so take, of MNIST that is nowhere."""

    def forbidden(*given: object) -> None:
        pytest.fail("a data set was loaded")

    monkeypatch.setattr(MNIST, "load", forbidden)

    def measured(*asks: Callable[[Any, Clock], object], count: int = 10_000, **how: Any) -> Any:
        metrics = [Asks(clock, ask) for ask in asks]
        return judging_time.estimate(MNIST(), metrics, count, plugins, tmp_path, **how)

    yield measured
    assert not list(tmp_path.iterdir())


def of_samples(evaluation: Any, clock: Clock) -> None:
    clock.now += 0.5 + 1e-3 * len(evaluation.fake)


def of_pairs(evaluation: Any, clock: Clock) -> None:
    clock.now += 1e-6 * len(evaluation.fake) ** 2


def of_reals(evaluation: Any, clock: Clock) -> None:
    def build() -> dict[str, torch.Tensor]:
        clock.now += 1e-3 * len(evaluation.reals())
        return {"built": torch.ones(1)}

    evaluation.remember("built", build)


def test_what_grows_with_samples_pairs_and_real_images_is_told_apart(
    measured: Callable[..., judging_time.Judging],
) -> None:
    assert measured(of_samples) == pytest.approx((0.0, 10.5), rel=0.2)
    assert measured(of_pairs) == pytest.approx((0.0, 100.0), rel=0.05)
    assert measured(of_reals) == pytest.approx((60.0, 0.0), rel=0.02)
    assert measured(of_samples, of_reals) == pytest.approx((60.0, 10.5), rel=0.2)


def test_half_of_the_real_images_takes_half_as_long(
    measured: Callable[..., judging_time.Judging],
) -> None:
    assert measured(of_reals, real_share=0.5).building == pytest.approx(30.0, rel=0.02)


def test_a_fixed_number_of_real_images_stays_as_many(
    measured: Callable[..., judging_time.Judging],
) -> None:
    def of_some(evaluation: Any, clock: Clock) -> None:
        clock.now += 1e-3 * len(evaluation.reals("train", 10_000))

    assert measured(of_some, count=1000).each == pytest.approx(10.0, rel=0.05)
    assert measured(of_some, count=10_000).each == pytest.approx(10.0, rel=0.05)


def test_what_takes_no_time_is_judged_whole_and_what_does_only_in_part(
    measured: Callable[..., judging_time.Judging],
) -> None:
    counts: list[int] = []

    def slow(evaluation: Any, clock: Clock) -> None:
        counts.append(len(evaluation.fake))
        clock.now += 0.1 * len(evaluation.fake)

    measured(lambda evaluation, clock: counts.append(len(evaluation.fake)))
    assert counts[-1] == 10_000
    assert counts == sorted(counts)
    counts.clear()
    assert measured(slow).each == pytest.approx(1000.0)
    assert 16 <= min(counts) < max(counts) < 100


def test_what_takes_long_however_few_the_images_is_not_taken_for_their_work(
    measured: Callable[..., judging_time.Judging],
) -> None:
    """As the root of a covariance does, of which a first part alone tells nothing."""
    began: list[int] = []

    def roots(evaluation: Any, clock: Clock) -> None:
        def build() -> dict[str, torch.Tensor]:
            clock.now += 8.0 + 1e-3 * len(evaluation.reals())
            return {"built": torch.ones(1)}

        began.append(len(evaluation.fake))
        evaluation.remember("built", build)
        clock.now += 8.0 + 1e-3 * len(evaluation.fake)

    assert measured(roots) == pytest.approx((68.0, 18.0), rel=0.02)
    assert len(set(began)) == 2  # as it takes long


def test_where_few_images_take_long_fewer_are_judged_beside_them(
    measured: Callable[..., judging_time.Judging],
) -> None:
    counts = set()

    def of_large(evaluation: Any, clock: Clock) -> None:
        counts.add(len(evaluation.fake))
        clock.now += 4.0 + 2.0 * len(evaluation.fake)

    assert measured(of_large) == pytest.approx((0.0, 20_004.0))
    assert counts == {4, 16}


def test_what_is_asked_of_a_generator_with_a_mapping_network_counts(
    measured: Callable[..., judging_time.Judging],
) -> None:
    seen = []

    def of_paths(evaluation: Any, clock: Clock) -> None:
        if evaluation.generator is None:
            raise Unavailable("no mapping network")
        for number, (begin, end) in enumerate(evaluation.generator.pairs(5000)):
            images = evaluation.generator.images(begin.lerp(end, 0.5), number)
            seen.append((images.dtype, tuple(images.shape[1:]), float(images.abs().max())))
            clock.now += 2e-3 * len(images)

    assert measured(of_paths) == (0.0, 0.0)
    assert measured(of_paths, mapped=True) == pytest.approx((0.0, 10.0), rel=0.05)
    assert {kind[:2] for kind in seen} == {(torch.float32, (1, 28, 28))}
    assert max(most for *_, most in seen) <= 1


def test_parts_that_are_too_small_for_a_metric_tell_nothing(
    measured: Callable[..., judging_time.Judging],
) -> None:
    def of_many(evaluation: Any, clock: Clock) -> None:
        if len(evaluation.fake) < 50:
            raise Unavailable("too few")
        clock.now += 0.1 + 1e-3 * len(evaluation.fake)

    assert measured(of_many) == pytest.approx((0.0, 10.1), rel=0.05)


def test_metrics_without_a_value_and_broken_ones_cost_nothing_and_change_nothing(
    measured: Callable[..., judging_time.Judging],
) -> None:
    threads = torch.get_num_threads()

    def none(evaluation: Any, clock: Clock) -> None:
        raise Unavailable("no value")

    def broken(evaluation: Any, clock: Clock) -> None:
        torch.set_num_threads(threads + 3)
        torch.manual_seed(3)
        raise ZeroDivisionError

    def ends(evaluation: Any, clock: Clock) -> None:
        raise SystemExit(7)

    state = torch.random.get_rng_state()
    assert measured(none, broken, ends) == (0.0, 0.0)
    assert torch.get_num_threads() == threads
    assert torch.equal(torch.random.get_rng_state(), state)


def test_trials_threads_count_meanwhile(measured: Callable[..., judging_time.Judging]) -> None:
    seen = set()
    before = torch.get_num_threads()
    measured(lambda evaluation, clock: seen.add(torch.get_num_threads()), threads=before + 1)
    assert seen == {before + 1}
    assert torch.get_num_threads() == before


@pytest.mark.parametrize("dataset", [MNIST(), Ring()])
def test_stand_ins_are_what_the_data_set_says(
    dataset: Any, plugins: Registry, tmp_path: Path
) -> None:
    seen: list[LabeledImages] = []

    def look(evaluation: Any, clock: object) -> None:
        seen.extend([evaluation.fake, evaluation.reals(), evaluation.reals("test")])
        assert evaluation.dataset.name == dataset.name
        assert evaluation.dataset.class_names() == dataset.class_names()
        assert evaluation.dataset.protocol() == dataset.protocol()
        assert (evaluation.dataset.mixture() is None) == (dataset.mixture() is None)
        seen.append(evaluation.fake)

    judging_time.estimate(dataset, [Asks(ask=look)], 100, plugins, tmp_path)
    image = dataset.image_spec()
    for images in seen:
        assert images.images.shape[1:] == (image.channels, image.resolution, image.resolution)
        assert images.images.dtype == (torch.uint8 if image.resolution > 1 else torch.float32)
        assert images.labels is not None
        assert int(images.labels.max()) < image.num_classes
    assert len(seen) % 4 == 0
