"""What every metric must do."""

from __future__ import annotations

import dataclasses
import json
import math
from collections import Counter
from collections.abc import Mapping

from ganbench.contracts.feature_extractors import Unavailable
from ganbench.contracts.metrics import Metric
from ganbench.records.columns import Column
from ganbench.testing.fixtures.evaluations import (
    OF_VECTORS,
    SCENES,
    KitEvaluation,
    Scene,
    probes,
    with_features,
)
from ganbench.testing.fixtures.process import kept_process
from ganbench.testing.fixtures.seeding import seeded
from ganbench.testing.rulebook import Rulebook
from ganbench.testing.rules import metric_claims

Values = dict[str, float]
DIRECTIONS = ("min", "max", "none")
rules = Rulebook(metric_claims.rules)


@rules.rule
def columns_are_declared_once(metric: Metric) -> None:
    names = [column.name for column in metric.columns]
    twice = sorted(name for name, times in Counter(names).items() if times > 1)
    assert names, "declare at least one column"
    assert all(names), "give every column a name"
    assert not twice, f"the columns {twice} are declared twice; give each number its own name"


@rules.rule
def columns_have_a_direction(metric: Metric) -> None:
    for column in metric.columns:
        assert column.direction in DIRECTIONS, (
            f"column '{column.name}' has direction {column.direction!r}; use one of {DIRECTIONS}"
        )
        assert column.digits >= 0, f"column '{column.name}' has {column.digits} decimals"


@rules.rule
def columns_do_not_change(metric: Metric) -> None:
    assert metric.columns == dataclasses.replace(metric).columns, (  # type: ignore[type-var]
        "two metrics with the same options declare different columns; decide them by the options"
    )


@rules.rule
def protocol_is_json(metric: Metric) -> None:
    try:
        text = json.dumps(metric.protocol(), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise AssertionError(
            f"protocol() cannot be written as JSON ({error}); give plain numbers and strings"
        ) from error
    assert json.loads(text) == json.loads(json.dumps(metric.protocol())), (
        "protocol() differs from one call to the next; it must hold only what decides the value"
    )


@rules.rule
def protocol_holds_the_version(metric: Metric) -> None:
    protocol = metric.protocol()
    assert protocol.get("version") == metric.version, (
        "protocol() lacks `version`; extend super().protocol() rather than replacing it"
    )


@rules.rule
def values_are_the_declared_columns(metric: Metric) -> None:
    metric = with_features(metric)
    declared = {column.name for column in metric.columns}
    given: set[str] = set()
    for scene in (*SCENES, OF_VECTORS):
        values = _told(metric, scene.identical())
        undeclared = sorted(set(values) - declared)
        assert not undeclared, f"compute() gives {undeclared}, which its columns do not declare"
        for name, value in values.items():
            plain = isinstance(value, float | int | Unavailable) and not isinstance(value, bool)
            assert plain, f"'{name}' is a {type(value).__name__}, not a float; add .item()"
        given |= set(values)
    missing = sorted(declared - given)
    known = ", ".join(scene.name for scene in (*SCENES, OF_VECTORS))
    assert not missing, f"compute() never gives the declared columns {missing}; tried with {known}"


@rules.rule
def identical_sets_score_best(metric: Metric) -> None:
    """Noise may score better only where a collapse scores worse: that measures diversity."""
    metric = with_features(metric)
    for scene in SCENES:
        for column, best, collapsed, noise in _judged(metric, scene):
            beaten = _beats(column, collapsed, best)
            if not math.isnan(collapsed):
                beaten |= _beats(column, noise, best) and not _beats(column, best, collapsed)
            assert not beaten, (
                f"'{column.name}' of {scene.name} is {best:.4g} for the training set itself, "
                f"{collapsed:.4g} for one image over and over and {noise:.4g} for noise, and "
                f"direction is '{column.direction}'; is it the wrong way round?"
            )


@rules.rule
def worse_samples_score_worse(metric: Metric) -> None:
    metric = with_features(metric)
    found: dict[str, bool] = {}
    for scene in SCENES:
        for column, best, collapsed, noise in _judged(metric, scene):
            worse = _beats(column, best, collapsed) or _beats(column, best, noise)
            found[column.name] = found.get(column.name, False) or worse
    blind = sorted(name for name, seen in found.items() if not seen)
    assert not blind, (
        f"the columns {blind} score one image over and over, and noise, as well as the training "
        "set itself; use direction 'none' where no way is better"
    )


@rules.rule
def order_of_samples_does_not_matter(metric: Metric) -> None:
    metric = with_features(metric)
    for scene in SCENES:
        values, others = (_computed(metric, e) for e in (scene.mixed(), scene.permuted()))
        for name in values | others:
            before, after = values.get(name, math.nan), others.get(name, math.nan)
            assert abs(before - after) <= 1e-6 * (1 + abs(before)), (
                f"'{name}' of {scene.name} is {before:.6g}, and {after:.6g} with the samples in "
                "another order; it must not depend on the order or on a split into batches"
            )


@rules.rule
def odd_samples_give_a_number_or_a_reason(metric: Metric) -> None:
    metric = with_features(metric)
    for scene in SCENES:
        top = 255.0 if scene.name != "points of a mixture" else 1.0
        for what, evaluation in (
            ("constant images", scene.constant(0.0)),
            ("constant images", scene.constant(top)),
            ("two images", scene.first(2)),
            ("one image", scene.first(1)),
            ("samples without labels", scene.unlabelled()),
            ("vectors in the place of classes", OF_VECTORS.identical()),
        ):
            values = _surely_computed(metric, evaluation, f"{what} of {scene.name}")
            for name, value in values.items():
                assert math.isfinite(value), (
                    f"'{name}' is {value} for {what} of {scene.name}; raise Unavailable with the "
                    "reason, or leave the column out"
                )


@rules.rule
def value_is_repeatable(metric: Metric) -> None:
    metric = with_features(metric)
    for scene in SCENES:
        with seeded(1, others=1):
            once = _computed(metric, scene.mixed())
        with seeded(2, others=2):
            again = _computed(dataclasses.replace(metric), scene.mixed())  # type: ignore[type-var]
        assert once == again, (
            f"the same samples give {once} and {again}; seed what it draws, with a generator of "
            "its own"
        )


@rules.rule
def what_is_cheap_needs_no_training(metric: Metric) -> None:
    """`evaluation.every` measures it where there are no timings and no windows yet."""
    metric = with_features(metric)
    if not metric.cheap:
        return
    assert metric.watch is None, "it watches others, which is done at the end; leave out `cheap`"
    scenes = [scene.mixed() for scene in SCENES]
    if not any(_computed(metric, evaluation) for evaluation in scenes):
        return  # of other rules
    for evaluation in scenes:
        evaluation.timings, evaluation.windows = None, ()
    values = [_surely_computed(metric, e, "samples of a cell that still trains") for e in scenes]
    assert any(values), (
        "it says `cheap` and has no number while a cell trains, when there are no timings and no "
        "windows; leave out `cheap`"
    )


@rules.rule
def evaluation_is_not_modified(metric: Metric) -> None:
    metric = with_features(metric)
    for scene in SCENES:
        evaluation = scene.mixed()
        before = {name: tensor.clone() for name, tensor in evaluation.tensors().items()}
        _computed(metric, evaluation)
        for name, tensor in evaluation.tensors().items():
            same = tensor.shape == before[name].shape and bool((tensor == before[name]).all())
            assert same, f"it changes the evaluation's {name}, which other metrics use; copy them"


@rules.rule
def leaves_the_process_as_it_was(metric: Metric) -> None:
    metric = with_features(metric)
    for scene in SCENES:
        evaluation = scene.mixed()
        with kept_process():
            _computed(metric, evaluation)


def _computed(metric: Metric, evaluation: KitEvaluation) -> Values:
    """The numbers; without those that have a reason in their place."""
    found = _told(metric, evaluation)
    return {name: v for name, v in found.items() if not isinstance(v, Unavailable)}


def _told(metric: Metric, evaluation: KitEvaluation) -> Mapping[str, float | Unavailable]:
    if metric.watch is not None:
        evaluation.probes = probes(metric.watch, evaluation.timings)
    try:
        return metric.compute(evaluation)
    except Unavailable:
        return {}


def _surely_computed(metric: Metric, evaluation: KitEvaluation, what: str) -> Values:
    try:
        return {name: float(value) for name, value in _computed(metric, evaluation).items()}
    except Exception as error:
        raise AssertionError(
            f"{what} make it raise {type(error).__name__} ({error}); raise Unavailable with the "
            "reason why there is no value"
        ) from error


def _judged(metric: Metric, scene: Scene) -> list[tuple[Column, float, float, float]]:
    """Each column that has a direction: of the training set itself, of a collapse, of noise."""
    best, *bad = (
        _computed(metric, e) for e in (scene.identical(), scene.collapsed(), scene.noise())
    )
    return [
        (column, best[column.name], *(values.get(column.name, math.nan) for values in bad))  # type: ignore[misc]
        for column in metric.columns
        if column.direction != "none" and column.name in best
    ]


def _beats(column: Column, a: float, b: float) -> bool:
    """Whether a is better than b; a missing value is neither better nor worse."""
    gain = a - b if column.direction == "max" else b - a
    return gain > 1e-6 * (1 + abs(a) + abs(b))
