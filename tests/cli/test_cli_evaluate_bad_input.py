"""Samples that cannot be judged, by `ganbench evaluate` and `ganbench run --with`: a sentence each.

Nothing is trained or written, and no pickle is run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers import outside as made
from helpers import toys

import ganbench
from ganbench.cli import cli
from ganbench.errors import ConfigError, DataError, GanbenchError, PluginError
from ganbench.evaluation.judges import judge, training
from ganbench.registry import registry

BENCHMARK = (
    made.DATA
    + """\
version: 1
name: small
loss: bce
conditioning: embed-mul
architecture: {{name: dcgan, width: 4, latent_dim: 6}}
training: {{batch_size: 20, budget: {{kimg: 0.1}}, precision: float32}}
evaluation: {{num_samples: 60, metrics: [fid], controls: []}}
execution: {{threads: 1, executor: inline}}
reporters: [json]
"""
)
SIDE = 28


@pytest.fixture(scope="module")
def shelf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A benchmark with its data, and a run of it with its model."""
    place = tmp_path_factory.mktemp("shelf")
    path = made.write_data(place, side=SIDE)
    (place / "small.yaml").write_text(BENCHMARK.format(path=path), "utf-8")
    call("run", place / "small.yaml", "--out", place / "run", "-q")
    return place


@pytest.fixture
def place(shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(shelf, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


def asked(command: str, samples: object, *more: object) -> tuple[object, ...]:
    if command == "evaluate":
        return "evaluate", samples, "--data", "small.yaml", "--metrics", "fid", *more
    return "run", "small.yaml", "--with", samples, *more


def refused(command: str, samples: object, error: type[Exception], told: str, *more: str) -> None:
    with pytest.raises(error, match=told):
        call(*asked(command, samples, *more), "--out", "out")
    assert not Path("out").exists()


both = pytest.mark.parametrize("command", ["evaluate", "run"])


class Bomb:
    """What a pickle would run."""

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path("ran"),)


def write_pickled_array(path: Path) -> None:
    np.save(path, np.full((60, SIDE, SIDE), Bomb(), dtype=object), allow_pickle=True)


def write_pickled_model(path: Path) -> None:
    torch.save({"images": Bomb()}, path)


def save(values: Callable[[], Any]) -> Callable[[Path], None]:
    return lambda path: np.save(path, values())


def noise(*shape: int) -> Any:
    return np.random.default_rng(0).integers(0, 255, shape).astype(np.uint8)


@both
@pytest.mark.parametrize(
    ("name", "write", "told"),
    [
        ("a.npy", write_pickled_array, "could run code|object"),
        ("a.pt", write_pickled_model, "could run code"),
        ("a.npy", save(lambda: noise(60, SIDE, SIDE, 3)), "images of 3×28×28, .* its own were$"),
        ("a.npy", save(lambda: noise(60, 2, SIDE, SIDE)), "no second or last axis of 1 or 3"),
        ("a.npy", save(lambda: noise(60, 32, 32)), "images of 1×32×32, .* -o resolution=28"),
        ("a.npy", save(lambda: noise(60, SIDE, SIDE) / 100 - 2), "values go from -2 to 0.5"),
        ("a.npy", save(lambda: noise(9, SIDE, SIDE)), "a.npy: 9 samples, and 60 are judged"),
    ],
    ids=["pickled array", "pickled file", "colours", "channels", "size", "range", "few"],
)
def test_arrays_that_are_no_samples_of_the_data(command, name, write, told, place):
    write(place / name)
    refused(command, name, DataError, told, *(("-n", "60") if command == "evaluate" else ()))
    assert not Path("ran").exists()


@both
def test_a_model_of_another_plugin_version(command, place):
    (trial,) = (place / "run" / "trials").iterdir()
    toys.change_source(trial, "architecture", "ganbench-extras 1.0 sha256:0123456789ab")
    told = r"trained with ganbench-extras 1.0 .*; install the former again"
    refused(command, trial, PluginError, told)
    call(*asked(command, trial), "--allow-other-versions", "--out", "out", "-q")
    rows = [o for o in ganbench.load_run("out").outcomes if o.trial.reference]
    (found,) = (o for o in rows if o.trial.reference.samples)
    (protocol,) = found.result.protocols.values()
    assert "was trained with ganbench-extras 1.0" in protocol["sampler"]["versions"][0]


def test_other_versions_are_of_models_that_are_named(place):
    output = call("run", "small.yaml", "--allow-other-versions", "--out", "out", code=2)
    assert "--allow-other-versions: of a model of --with; name one" in output


@both
def test_a_run_that_kept_no_models(command, place):
    (trial,) = (place / "run" / "trials").iterdir()
    (trial / "config.json").unlink()
    refused(
        command, trial, DataError, r"config\.json: missing; .* unless its file has execution\.keep"
    )


@both
def test_a_model_has_no_options_to_be_read_by(command, place):
    (trial,) = (place / "run" / "trials").iterdir()
    told = "a trained model has no options to be read by"
    refused(command, trial, GanbenchError, told, "-o", "labels=none")


def test_a_judge_of_other_classes(place, monkeypatch):
    monkeypatch.setattr(training, "LEAST_STEPS", 2)
    monkeypatch.setattr(training, "EPOCHS", 0)
    images, labels = made.images(60, 0, side=SIDE)
    np.savez("two.npz", images=images, labels=labels % 2)
    dataset = registry.load().build("dataset", "tensor", {"path": "two.npz"})
    judge.write(place / "judge", training.train(dataset, dataset.load("train", place), place))
    told = "not a judge of data set 'tensor': the judge tells 2 classes apart, and there are"
    np.savez("drawn.npz", images=images, labels=labels)
    refused("evaluate", "drawn.npz", ConfigError, told, "--judge", "judge")
    settings = ("--set", "evaluation.judge=judge")
    refused("run", "drawn.npz", ConfigError, f"evaluation.judge: judge: {told}", *settings)


def test_how_samples_of_with_are_read_is_asked_for_as_evaluate_asks(place):
    """Larger ones beside a trained model, which is drawn of as it is."""
    images, labels = made.images(60, 3, shift=20, side=32)
    np.savez("large.npz", images=images, labels=labels)
    (trial,) = (place / "run" / "trials").iterdir()
    rows = ("--with", "large.npz", "--with", f"model={trial}")
    call("run", "small.yaml", *rows, "-o", f"resolution={SIDE}", "--out", "out", "-q")
    values = fids("out")
    call(*asked("evaluate", "large.npz", "-o", f"resolution={SIDE}"), "--out", "alone", "-q")
    theirs = "large.npz (not trained here)"
    assert values[theirs] == fids("alone")[theirs]
    assert values["model (not trained here)"] in [v for k, v in values.items() if k[:3] == "bce"]


def fids(run: str) -> dict[str, float | None]:
    rows = ganbench.load_run(run).table.rows
    (name,) = (name for name in rows[0].values if name.startswith("fid@"))
    return {row.label: row.values[name].mean for row in rows}


def test_options_without_samples_are_refused(place):
    with pytest.raises(click.UsageError, match="says how samples of --with are read; name some"):
        cli.main(["run", "small.yaml", "-o", "resolution=28"], standalone_mode=False)
