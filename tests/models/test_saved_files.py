"""A model's folder that is not as it should be is refused in a sentence."""

from __future__ import annotations

import json

import pytest
import torch
from helpers import toys
from safetensors.torch import load_file, save_file

import ganbench
from ganbench.errors import ConfigError, DataError, RunError
from ganbench.models.saved import files, find


def test_each_missing_file_is_named(folder, tmp_path):
    (folder / files.WEIGHTS).rename(tmp_path / "w")
    with pytest.raises(DataError, match=r"model.safetensors: missing; config.json is there"):
        ganbench.load_model(folder)
    (tmp_path / "w").rename(folder / files.WEIGHTS)
    (folder / files.CONFIG).unlink()
    with pytest.raises(DataError, match=r"config.json: missing; a model is a folder with"):
        ganbench.load_model(folder)
    (folder / files.WEIGHTS).unlink()
    with pytest.raises(RunError, match="no model in it"):
        ganbench.load_model(folder)


@pytest.mark.parametrize("spoil", ["cut", "empty", "other", "text"])
def test_weights_that_are_not_those_of_the_config_are_refused(folder, run, spoil):
    path = folder / files.WEIGHTS
    content = path.read_bytes()
    spoilt = {
        "cut": content[:-100],
        "empty": b"",
        "text": b"not tensors at all",
        "other": (find.find(run / "bce-none") / files.WEIGHTS).read_bytes(),
    }
    path.write_bytes(spoilt[spoil])
    with pytest.raises(DataError, match=r"not the file that config.json was written with"):
        ganbench.load_model(folder)


@pytest.mark.parametrize("spoil", ["cut", "text"])
def test_weights_that_are_no_safetensors_are_a_sentence(folder, spoil):
    path = folder / files.WEIGHTS
    path.write_bytes(path.read_bytes()[:-100] if spoil == "cut" else b"not tensors at all")
    toys.change_config(folder, weights_sha256=files._sha256(path))
    with pytest.raises(DataError, match="not a safetensors file"):
        ganbench.load_model(folder)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda tensors: tensors.pop("generator.backbone.project.bias"), "bias' is missing"),
        (lambda tensors: tensors.update({"generator.x": torch.ones(1)}), "there is no 'x' in it"),
        (
            lambda tensors: tensors.update({"generator.backbone.project.bias": torch.ones(3, 5)}),
            r"'backbone.project.bias' is 3×5, expected \d+",
        ),
    ],
)
def test_weights_of_another_shape_are_a_sentence(folder, edit, said):
    path = folder / files.WEIGHTS
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)
    toys.change_config(folder, weights_sha256=files._sha256(path))
    with pytest.raises(
        DataError, match=f"not the weights of the generator in config.json: .*{said}"
    ):
        ganbench.load_model(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not whole"),
        ('{"format": "ganb', "not whole"),
        ("[1, 2]", "not whole"),
        ('{"model_type": "bert"}', "of another program: its format is None"),
        (
            '{"format": "ganbench-model", "format_version": 9, "ganbench": "7.1"}',
            "use ganbench 7.1",
        ),
        ('{"format": "ganbench-model", "format_version": 1}', "not as ganbench writes it: "),
    ],
)
def test_configs_of_others_are_sentences(folder, content, said):
    (folder / files.CONFIG).write_text(content, "utf-8")
    with pytest.raises(DataError, match=f"config.json: .*{said}"):
        ganbench.load_model(folder)


def test_config_that_was_changed_is_refused_unless_it_is_meant(folder):
    path = folder / files.CONFIG
    path.write_text(path.read_text("utf-8").replace('"seed": 0', '"seed": 1'), "utf-8")
    with pytest.raises(DataError, match=r"config.json: not as it was written: .* take sha256 out"):
        ganbench.load_model(folder)
    found = json.loads(path.read_text("utf-8"))
    del found["sha256"]
    path.write_text(json.dumps(found), "utf-8")
    assert ganbench.load_model(folder).config.seed == 1


def test_a_cell_that_is_not_whole_is_a_sentence(folder):
    toys.change_config(folder, cell={"architecture": 3})
    with pytest.raises(DataError, match="not as ganbench writes it: dataset"):
        ganbench.load_model(folder)


def test_options_that_no_longer_exist_are_a_sentence(folder):
    cell = json.loads((folder / files.CONFIG).read_text())["cell"]
    cell["architecture"]["options"]["depht"] = 3
    toys.change_config(folder, cell=cell)
    with pytest.raises(ConfigError, match="copy: architecture 'dcgan' has no option 'depht'"):
        ganbench.load_model(folder)


def test_fields_that_a_later_version_adds_do_no_harm(folder):
    cell = json.loads((folder / files.CONFIG).read_text())["cell"]
    toys.change_config(folder, cell={**cell, "novelty": 1, "schedule": {}}, novelty=2)
    ganbench.load_model(folder).sample(1)


def test_state_that_is_no_tensor_is_refused_in_a_sentence():
    class Stateful(torch.nn.Module):
        def get_extra_state(self):
            return {"step": 3}

    with pytest.raises(ganbench.ContractError, match="keeps '_extra_state' beside its tensors"):
        files._tensors("generator", Stateful())
