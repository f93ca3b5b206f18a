"""A training that begins with a model's weights, some of which stay: FreezeD (Mo et al., 2020)."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path

import pytest
import torch
from helpers import tiny
from safetensors.torch import load_file

from ganbench.config import benchmark_file, plan
from ganbench.config.yaml_document import Document
from ganbench.errors import ConfigError, DataError
from ganbench.evaluation.loading import load
from ganbench.models.parts import Parts
from ganbench.models.saved.files import CONFIG, WEIGHTS
from ganbench.models.saved.find import find
from ganbench.registry import registry
from ganbench.training.build import make_trainer
from ganbench.util import files

FIRST = tiny.INLINE.replace("[bce, lsgan]", "[bce]").replace("mode-coverage, fid, ", "")
FROZEN = "backbone.layers.0.*"
PLAYER = "discriminator"


def begun(model: object, players: str = f"[{PLAYER}]", freeze: str = f'["{FROZEN}"]') -> str:
    """A benchmark whose cell begins with a model."""
    init = f"init_from: {{model: {model}, players: {players}, freeze: {freeze}}}, "
    return FIRST.replace("training: {", "training: {" + init).replace("name: tiny", "name: begun")


@pytest.fixture(scope="module")
def model(tmp_path_factory) -> Path:
    """The folder of a trained model."""
    folder = tmp_path_factory.mktemp("first")
    done = tiny.ganbench("run", tiny.write(folder, FIRST), "--out", "a", cwd=folder)
    assert done.returncode == 0, done.stderr
    return find(folder / "a")


def planned(text: str):
    plugins = registry.load([])
    config = benchmark_file.parse(Document.parse(text, "begun.yaml"), plugins)
    (cell,) = plan.make(config, plugins, device="cpu").cells
    return cell


def trainer_of(cell):
    parts = Parts.of(cell, registry.load([]))
    return make_trainer(cell, parts, load(parts.dataset, "train", files.data()), 0, "cpu")


def test_frozen_weights_stay_and_the_others_begin_with_the_model(model, tmp_path):
    done = tiny.ganbench("run", tiny.write(tmp_path, begun(model)), "--out", "b", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    second = find(tmp_path / "b")
    before, after = (load_file(folder / WEIGHTS) for folder in (model, second))
    for name in before:
        stays = name.startswith(f"{PLAYER}.{FROZEN[:-1]}")
        assert torch.equal(before[name], after[name]) == stays, name
    cell = planned(begun(model))
    trainer = trainer_of(cell)
    trainer.begin()
    for name, value in trainer.discriminator.state_dict().items():
        assert torch.equal(value, before[f"{PLAYER}.{name}"])
    both = trainer_of(planned(begun(model, "[generator, discriminator]")))
    both.begin()
    assert both.average is not None
    for generator in (both.generator, both.average.generator):
        for name, value in generator.state_dict().items():
            assert torch.equal(value, before[f"generator.{name}"])


def test_ids_count_weights_players_and_patterns_and_no_path(model, tmp_path):
    copied = shutil.copytree(model, tmp_path / "elsewhere")
    here = planned(begun(model)).id
    assert planned(begun(copied)).id == here
    others = [FIRST, begun(model, freeze="[]"), begun(model, "[generator, discriminator]")]
    assert len({here, *(planned(text).id for text in others)}) == 4


def test_going_on_does_not_read_the_model(model, tmp_path):
    copied = shutil.copytree(model, tmp_path / "gone")
    cell = planned(begun(copied))
    whole, states = trainer_of(cell), []
    whole.begin()
    whole.on_window = lambda window: states.append(copy.deepcopy(whole.state().plain()))
    expected = whole.run()
    shutil.rmtree(copied)
    later = trainer_of(cell)
    later.restore(type(whole.state()).from_plain(states[1]))
    found = later.run()
    for one, other in (
        (expected.generator, found.generator),
        (expected.discriminator, found.discriminator),
    ):
        assert all(map(torch.equal, one.state_dict().values(), other.state_dict().values()))
    with pytest.raises(DataError, match=f"{CONFIG}: missing"):
        trainer_of(cell).begin()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (("width: 16", "width: 8"), "does not fit: 'backbone.layers.0.weight' is 16×2, expected"),
        (("depth: 1", "depth: 2"), r"does not fit: '.*' is"),
        ((FROZEN, "backbone.convs.*"), "freeze: no weight is called 'backbone.convs.*'; there are"),
        ((FROZEN, "*"), "freeze leaves the discriminator nothing to train"),
        (("trials", "trails"), "training.init_from: .*there is no such folder"),
    ],
)
def test_what_does_not_fit_is_said_in_the_plan(model, change, why):
    with pytest.raises(ConfigError, match=why.replace("*'; ", r"\*'; ")):
        planned(begun(model).replace(*change))
