"""A generator as one file gives the images that the model gives, without ganbench."""

from __future__ import annotations

import json

import pytest
import torch
from click.testing import CliRunner
from torch.nn.utils.parametrizations import spectral_norm

import ganbench
from ganbench.cli import cli
from ganbench.contracts.images import quantise
from ganbench.errors import ConfigError, RunError
from ganbench.models.saved import exported, find

pytestmark = pytest.mark.filterwarnings("ignore:.*torch.jit.load.*:FutureWarning")


def invoke(*arguments: object):
    return CliRunner().invoke(cli, ["export", *map(str, arguments)], standalone_mode=False)


@pytest.fixture(params=["none", "cbn"])
def model(run, request):
    return ganbench.load_model(find.find(run / f"bce-{request.param}"))


def difference(model, path) -> float:
    """Of a file from the model's own images, of latents and a number of them that it never saw."""
    script = torch.jit.load(path)
    given = model.sample(7, seed=99)
    more = () if given.labels is None else (given.labels,)
    images = script(given.latents, *more)
    return (quantise(images).float() - given.images.float()).abs().max().item()


def test_torchscript_gives_the_same_images(model, tmp_path):
    done = exported.write(model, "torchscript", tmp_path / "deep" / "g.pt")
    assert done.path == tmp_path / "deep" / "g.pt"
    assert done.difference < 1e-5
    assert list(done.inputs) == ["latents", "labels"] if model.labelled else ["latents"]
    assert difference(model, done.path) <= 1  # a byte is rounded


def test_normalised_weights_are_exported_as_the_numbers_that_they_come_to(model, tmp_path):
    layer = next(m for m in model.generator.modules() if isinstance(m, torch.nn.Linear))
    spectral_norm(layer)
    model.generator.eval()
    exported.write(model, "torchscript", tmp_path / "g.pt")
    assert difference(model, tmp_path / "g.pt") <= 1
    assert model.sample(2).images.shape[0] == 2  # the model is as it was


def test_onnx_gives_the_same_images(model, tmp_path):
    for name in exported.NEEDED["onnx"]:
        pytest.importorskip(name)
    done = exported.write(model, "onnx", tmp_path / "g.onnx")
    assert done.difference < 1e-4


def test_a_file_that_gives_other_images_is_not_written(model, tmp_path, monkeypatch):
    loaded = exported._loaded

    def dimmer(to, content):
        run = loaded(to, content)
        return lambda z, y: 0.9 * run(z, y)

    monkeypatch.setattr(exported, "_loaded", dimmer)
    with pytest.raises(RunError, match=r"it gives other images, by up to 0\.\d+ on a scale"):
        exported.write(model, "torchscript", tmp_path / "g.pt")
    assert list(tmp_path.iterdir()) == []


def test_a_generator_that_cannot_be_exported_is_a_sentence(model, tmp_path, monkeypatch):
    def refuses(*given):
        raise ValueError("not this one")

    monkeypatch.setattr(torch.jit, "trace", refuses)
    with pytest.raises(RunError, match="cannot be exported to torchscript: ValueError: not this"):
        exported.write(model, "torchscript", tmp_path / "g.pt")


def test_missing_packages_are_named_before_anything_is_loaded(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(exported, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match="pip install onnx onnxscript onnxruntime"):
        raise invoke(folder, "--to", "onnx", "--out", tmp_path).exception
    assert list(tmp_path.glob("*.onnx")) == []


def test_the_command_writes_checks_and_says_how_it_is_called(folder, tmp_path):
    done = invoke(folder, "--to", "torchscript", "--out", tmp_path)
    assert done.return_value == 0, done.output
    first, latents, labels, last = done.stdout.splitlines()
    assert first == str(tmp_path / "generator.pt")
    assert latents.startswith("  latents: float32 (N, ")
    assert labels.startswith("  labels: int64 (N,): 0 ")
    assert last.startswith("checked: run on other latents, its images differ by at most")
    done = invoke(folder, "--to", "torchscript", "--out", tmp_path / "other.pt", "--json")
    assert json.loads(done.stdout)["files"] == [str(tmp_path / "other.pt")]
    assert "verdicts" in str(invoke(folder, "--to", "torchscript", "--against", "x").exception)
