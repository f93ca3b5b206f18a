"""What metrics share stays as it is: no metric's numbers depend on what another wrote in place."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import pytest
import torch

from ganbench import Column, Evaluation, LabeledImages, Metric
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.metrics.frechet import FID
from ganbench.errors import ContractError
from ganbench.evaluation.evaluate import Evaluated, evaluate
from ganbench.evaluation.shared import Shared
from ganbench.evaluation.trial_evaluation import TrialEvaluation
from ganbench.registry.registry import Registry

RING = Ring(train_size=600, test_size=300)


@dataclass(kw_only=True)
class Does(Metric):
    """Does what a test wants done."""

    name = "does"
    what: Callable[[Evaluation], object]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column("done"),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        self.what(evaluation)
        return {"done": 1.0}

    def protocol(self):
        return {"version": 1}


def means(evaluation: Evaluation) -> dict[str, float]:
    """Numbers of all that metrics share."""
    features = evaluation.features("pixels").embedding
    moments = evaluation.real("pixels")
    labels = evaluation.fake.labels
    assert labels is not None
    return {
        "samples": evaluation.fake.images.abs().mean().item(),
        "labels": labels.float().mean().item(),
        "train": evaluation.reals().images.abs().mean().item(),
        "test": evaluation.reals("test").images.abs().mean().item(),
        "features": features.abs().mean().item(),
        "moments": moments.mean.sum().item() + moments.covariance.sum().item(),
    }


@dataclass(kw_only=True)
class Means(Metric):
    """Looks at all that metrics share."""

    name = "means"

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(map(Column, ("samples", "labels", "train", "test", "features", "moments")))

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return means(evaluation)


@pytest.fixture
def evaluation(plugins: Registry, tmp_path, monkeypatch) -> TrialEvaluation:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))

    def made() -> tuple[LabeledImages, LabeledImages]:
        test = RING.load("test", tmp_path)
        return RING.load("train", tmp_path), replace(test, images=test.images + 0.1)

    return TrialEvaluation(RING, *made(), plugins, tmp_path, again=made)


def raises(evaluation: Evaluation) -> None:
    evaluation.fake.images.zero_()
    raise ValueError("out of ideas")


WRITES: dict[str, Callable[[Evaluation], object]] = {
    "samples": lambda e: e.fake.images.mul_(2),
    "samples, as NumPy's": lambda e: e.fake.images.numpy()[::-1].sort(axis=0),
    "samples in another order": lambda e: e.fake.images.copy_(e.fake.images.flip(0)),
    "labels of samples": lambda e: e.fake.labels.fill_(3),
    "real images": lambda e: e.reals().images.clamp_(0, 1),
    "labels of real images": lambda e: e.reals().labels.fill_(3),
    "images (test)": lambda e: e.reals("test").images.zero_(),
    "features of pixels": lambda e: e.features("pixels").embedding.sub_(1),
    "mean of real images (pixels)": lambda e: e.real("pixels").mean.sub_(1),
    "covariance of real images (pixels)": lambda e: e.real("pixels").covariance.numpy().fill(0),
}


def values(found: Evaluated) -> list[tuple[str, float | None, str]]:
    return [(v.column.name, v.value, v.protocol) for v in found.values if v.column.name != "done"]


@pytest.mark.parametrize("warm", [False, True], ids=["first", "last"])
@pytest.mark.parametrize("what", WRITES)
def test_metric_that_writes_in_place_costs_itself_alone(evaluation, what, warm):
    metrics = [Means(), FID(features="pixels")]
    expected = evaluate(metrics, evaluation)
    writing = Does(what=WRITES[what])
    found = evaluate([*metrics, writing] if warm else [writing, *metrics], evaluation)
    assert values(found) == values(expected)
    (error,) = found.errors
    name = what.partition(",")[0].removesuffix(" in another order")
    assert error == (
        f"metric 'does': it changed {name} in place, which other metrics see too; change a copy"
    )
    (lost,) = (v for v in found.values if v.column.name == "done")
    assert (lost.value, lost.protocol) == (None, "")
    assert values(evaluate(metrics, evaluation)) == values(expected)


def test_metric_that_writes_and_raises_is_told_of_both(evaluation, capsys):
    expected = evaluate([Means()], evaluation)
    found = evaluate([Does(what=raises), Means()], evaluation)
    assert "it changed samples in place" in found.errors[0]
    assert "out of ideas" in capsys.readouterr().err
    assert values(found) == values(expected)


def set_aside(evaluation: Evaluation) -> None:
    evaluation.fake = evaluation.fake.take(slice(5))


@pytest.mark.parametrize(
    "what",
    [
        set_aside,
        lambda e: e.features("pixels").embedding.nan_to_num_(),
        lambda e: e.reals(count=50).images.zero_(),
        lambda e: e.real_features("pixels").embedding.zero_(),
        lambda e: e.classes,
    ],
    ids=["attribute", "same values", "some reals", "their features", "nothing"],
)
def test_what_no_other_metric_sees_is_a_metrics_own(evaluation, what):
    expected = evaluate([Means()], evaluation)
    found = evaluate([Does(what=what), Means()], evaluation)
    assert found.errors == []
    assert values(found) == values(expected)


def test_what_cannot_be_brought_back_ends_the_trial(evaluation, tmp_path):
    evaluation._again = None
    with pytest.raises(ContractError, match="'does': it changed samples in place, and they cannot"):
        evaluate([Does(what=WRITES["samples"])], evaluation)


def test_what_comes_out_otherwise_ends_the_trial(evaluation, plugins, tmp_path):
    given = evaluation.real_data.train, evaluation.fake
    others = TrialEvaluation(RING, *given, plugins, tmp_path, again=lambda: given)
    with pytest.raises(ContractError, match="came out otherwise when they were made again"):
        evaluate([Does(what=WRITES["samples"])], others)


def test_features_are_made_again_without_the_images(evaluation):
    evaluation._again = None
    expected = evaluate([Means()], evaluation)
    found = evaluate([Does(what=WRITES["features of pixels"]), Means()], evaluation)
    assert values(found) == values(expected)


def test_writes_into_large_tensors_are_seen_wherever_they_are(monkeypatch):
    monkeypatch.setattr("ganbench.evaluation.shared.LOOKED_AT", 2**14)
    large = torch.zeros(128, 1024, dtype=torch.uint8)
    shared = Shared()
    shared.note("large", large)
    assert shared.changed() == []
    large[3] = 1  # between the rows that are looked at
    assert shared.changed() == ["large"]
    large[3] = 0
    assert shared.is_restored()
    large[::8] = 1
    assert not shared.is_restored()


@pytest.mark.parametrize("dtype", [torch.uint8, torch.bool, torch.bfloat16, torch.float64], ids=str)
@pytest.mark.parametrize("shape", [(0, 3), (5,), (7, 2, 1, 1)], ids=str)
def test_tensors_of_any_kind_are_known_again(shape, dtype):
    tensor, shared = torch.ones(shape, dtype=dtype), Shared()
    shared.note("it", tensor)
    assert shared.changed() == []
    if tensor.numel():
        tensor[-1] = 0
        assert shared.changed() == ["it"]


def test_transposed_tensors_are_looked_at_in_their_own_order():
    shared, tensor = Shared(), torch.arange(24).view(2, 3, 4).transpose(1, 2)
    shared.note("it", tensor)
    assert shared.changed() == []
    tensor[1, 2, 0] = 7
    assert shared.changed() == ["it"]
