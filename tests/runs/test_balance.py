"""Balanced batches and uniform labels, from the file to the numbers."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch
from helpers import tiny

from ganbench import ImageSpec
from ganbench.config import benchmark_file, compatibility, plan
from ganbench.models.label_source import LabelSource
from ganbench.runs import beginning, runner

TEXT = tiny.INLINE


@pytest.fixture
def cells(tmp_path, plugins):
    def cells(*overrides: str):
        path = tiny.write(tmp_path, TEXT)
        return plan.make(
            benchmark_file.load(path, plugins, overrides=overrides), plugins, device="cpu"
        ).cells

    return cells


def test_uniform_labels_are_of_classes_that_are_there():
    labels = torch.tensor([0] * 90 + [2] * 10)
    drawn = LabelSource.of(labels, uniform=True).draw(4000, 0).bincount(minlength=3).tolist()
    assert drawn[1] == 0
    assert drawn[0] == pytest.approx(2000, abs=150)
    as_they_are = LabelSource.of(labels).draw(4000, 0).bincount(minlength=3).tolist()
    assert as_they_are[0] == pytest.approx(3600, abs=100)


CONCAT = "conditioning=concat"


def test_either_is_in_ids_where_it_is_asked_for(cells):
    plain = {cell.id for cell in cells(CONCAT)}
    assert {c.id for c in cells(CONCAT, "training.batches=shuffled")} == plain
    assert {c.id for c in cells(CONCAT, "evaluation.labels=data")} == plain
    balanced, uniform = (
        cells(CONCAT, "training.batches=balanced"),
        cells(CONCAT, "evaluation.labels=uniform"),
    )
    assert not plain & {cell.id for cell in (*balanced, *uniform)}
    trained = {cell.training_id for cell in cells(CONCAT)}
    assert {cell.training_id for cell in uniform} == trained
    assert not trained & {cell.training_id for cell in balanced}


def test_a_generator_without_labels_is_judged_as_ever(cells):
    asked = cells("conditioning=none", "evaluation.labels=uniform")
    assert [cell.id for cell in asked] == [cell.id for cell in cells("conditioning=none")]


def test_a_cell_with_both_is_judged_and_its_protocol_says_so(tmp_path, plugins):
    path = tiny.write(tmp_path, TEXT)
    asked = benchmark_file.load(
        path,
        plugins,
        overrides=(CONCAT, "training.batches=balanced", "evaluation.labels=uniform"),
    )
    planned = plan.make(asked, plugins, device="cpu")
    order = beginning.Order(asked, path, None, (), (), 1)
    run = beginning.create(tmp_path / "run", planned, order, plugins)
    for outcome in runner.execute(run, plugins):
        assert outcome.status == "ok", outcome.reason
        said = [protocol.get("sampler") for protocol in outcome.result.protocols.values()]
        uniform = {"name": "plain", "labels": "uniform"}
        assert all(found == (uniform if outcome.trial.cell else None) for found in said)


@pytest.mark.parametrize(
    ("batches", "labels", "image", "why"),
    [
        ("balanced", "data", ImageSpec(1, 8), "training.batches: balanced is of classes, .* none"),
        ("shuffled", "uniform", ImageSpec(1, 8, condition_dim=3), "evaluation.labels.* vectors"),
        ("balanced", "uniform", ImageSpec(1, 8, 4), None),
        ("shuffled", "data", ImageSpec(1, 8), None),
    ],
)
def test_of_data_without_classes_neither_is_planned(batches, labels, image, why):
    parts = SimpleNamespace(image=image, dataset=SimpleNamespace(name="mine"))
    cell = SimpleNamespace(schedule=SimpleNamespace(batches=batches), judged_labels=labels)
    if why is None:
        compatibility.check_classes(parts, cell)
        return
    with pytest.raises(compatibility.Incompatible, match=why):
        compatibility.check_classes(parts, cell)
