"""Samplers of cells: what they are part of, and which cannot be."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from typing import Any

import pytest
from helpers.registering import HERE, module
from torch import Tensor

from ganbench import ImageSpec, Transform, hookimpl
from ganbench.config import benchmark_file, plan
from ganbench.config.yaml_document import Document
from ganbench.errors import ConfigError
from ganbench.records.cells import Cell, Plan
from ganbench.registry.registry import Registry

TEXT = """\
version: 1
name: bench
dataset: ring
loss: bce
conditioning: none
architecture: {name: mlp, width: 8}
"""


@dataclass(kw_only=True)
class Pairs(Transform):
    """Two points in one."""

    name = "pairs"
    per_sample = False

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        return replace(image, channels=2 * image.channels)

    def apply(self, images: Tensor) -> Tensor:
        return images.unflatten(0, (-1, 2)).flatten(1, 2)


def only(found: Plan) -> Cell:
    (cell,) = found.cells
    return cell


def sampled(*samplers: object) -> str:
    return TEXT + f"evaluation: {{samplers: {json.dumps(samplers)}}}\n"


def test_plain_alone_is_no_part_of_a_cell(planned):
    cell, spelled = only(planned(TEXT)), only(planned(sampled("plain")))
    assert spelled.samplers == cell.samplers == ()
    assert spelled.id == cell.id
    assert cell.by_sampler() == (cell,)


def test_samplers_are_in_the_cells_id_and_in_no_training_id(planned):
    cell = only(planned(TEXT))
    truncated = only(planned(sampled("truncation")))
    several = only(planned(sampled("rejection", "truncation", "plain")))
    assert len({cell.id, truncated.id, several.id}) == 3
    assert len({cell.training_id, truncated.training_id, several.training_id}) == 1
    rows = several.by_sampler()
    assert [row.axes["sampler"] for row in rows] == ["plain", "rejection", "truncation"]
    assert [row.id for row in rows[::2]] == [cell.id, truncated.id]
    assert truncated.by_sampler()[0].id == truncated.id
    assert rows[0].by_sampler() == (rows[0],)


def test_samplers_of_one_name_are_told_apart_by_their_options(planned):
    two = [{"name": "truncation", "psi": psi} for psi in (0.5, 1.0)]
    names = only(planned(sampled(*two, "plain"))).sampler_names
    assert names == ("plain", "truncation(psi=0.5)", "truncation(psi=1.0)")


@pytest.mark.parametrize(
    ("samplers", "why"),
    [
        (["truncation", {"name": "truncation", "psi": 0.7}], "'truncation' stands twice with"),
        (["plain", "plain"], "'plain' stands twice with the same options"),
        (["trunkation"], r"unknown sampler 'trunkation'; did you mean 'truncation'"),
        ([{"name": "truncation", "phi": 1}], "sampler 'truncation' has no option 'phi'; did you"),
        ([{"name": "truncation", "psi": 1e-5}], "truncation of 1e-05 keeps 0.00% of this prior"),
        ([{"name": "truncation", "psi": -1}], "a truncation greater than 0, found -1"),
        ([{"name": "rejection", "percentile": 101}], "expected null, or 0 to 100, found 101"),
        ([], "evaluation.samplers: expected 1 or more values"),
    ],
)
def test_samplers_that_cannot_be_are_refused_in_a_sentence(planned, samplers, why):
    with pytest.raises(ConfigError, match=why):
        planned(sampled(*samplers))


def test_a_sampler_that_asks_d_of_single_images_goes_with_no_packing():
    @hookimpl
    def register_transforms(register: Any) -> None:
        register(Pairs)

    own = Registry()  # the fixture's is everyone's
    own.add_built_ins()
    own.add(module(register_transforms=register_transforms), HERE)
    text = sampled("rejection") + "transforms: [pairs]\n"
    asked = benchmark_file.parse(Document.parse(text, "b.yaml"), own)
    with pytest.raises(ConfigError, match="'rejection' asks D about single images, and transform"):
        plan.make(asked, own, device="cpu")


def test_cells_that_share_a_row_are_refused(planned):
    text = TEXT + "matrix: {evaluation.samplers: [[plain], [plain, truncation]]}\n"
    with pytest.raises(ConfigError, match="is the same as cell"):
        planned(text)
