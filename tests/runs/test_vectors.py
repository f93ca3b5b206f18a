"""Labels that are vectors, from the file to the picture: trained, judged, kept and asked for."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import methods, tiny
from PIL import Image

import ganbench
from ganbench.errors import ConfigError

CIRCLE = """\
version: 1
name: tiny
dataset: circle
matrix:
  conditioning: [{generator: concat, discriminator: projection}, improved-label-input, none]
regularizers: [vicinal]
loss: bce
architecture: {name: mlp, width: 16, depth: 1}
training: {batch_size: 50, budget: {kimg: 1}, log_every: 5, fake_labels: random}
evaluation:
  num_samples: 200
  controls: []
  metrics: [fid, condition-error, cond-accuracy, intra-fid, mode-coverage]
execution: {threads: 1, executor: inline}
reporters: [json]
"""

PICTURES = """\
version: 1
name: tiny
dataset: {name: tensor, path: pictures.npz, condition: shades}
conditioning: {generator: concat, discriminator: concat}
loss: bce
architecture: {name: mlp, width: 16, depth: 1}
training: {batch_size: 20, budget: {kimg: 0.2}, log_every: 5}
evaluation: {num_samples: 50, controls: [], metrics: [fid]}
execution: {threads: 1, executor: inline}
reporters: [json]
"""


SUM = ("--plus", "1,2", "--minus", "3", "--plus", "4")


def plugins() -> list[str]:
    return [str(methods.FILES[name]) for name in ("ccgan", "circle")]


@pytest.fixture(scope="module")
def circles(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("circles")
    path = tiny.write(folder, CIRCLE)
    ganbench.run(path, plugins=plugins(), out=folder / "run")
    return folder / "run"


@pytest.fixture(scope="module")
def pictures(tmp_path_factory) -> Path:
    """The folder of a run on 8×8 pictures whose two numbers are how bright each half is."""
    folder = tmp_path_factory.mktemp("pictures")
    shades = np.random.default_rng(0).uniform(-1, 1, (80, 2)).astype(np.float32)
    halves = (127.5 * (shades + 1)).round().astype(np.uint8)
    images = np.repeat(halves[:, None, :], 8, 1).repeat(4, 2)
    np.savez(folder / "pictures.npz", images=images, shades=shades)
    found = tiny.ganbench("run", tiny.write(folder, PICTURES), "--quiet", cwd=folder)
    assert found.returncode == 0, found.stderr
    (trial,) = (folder / "results").glob("tiny/*/trials/*")
    return trial


def test_each_number_is_there_or_has_its_reason(circles):
    found = list(tiny.results(circles).values())
    assert len(found) == 3
    for result in found:
        assert result["status"] == "ok"
        values = {m["name"]: m for m in result["metrics"]}
        assert values["fid@pixels"]["value"] is not None
        told = values["condition-error"]
        assert (told["value"] is None) == bool(told["reason"])
        told_one = told["value"] is not None
        for name in ("intra-fid@pixels", "modes", *["cond-accuracy"] * told_one):
            assert values[name]["value"] is None
            assert "vectors of one number, no classes" in values[name]["reason"]


def test_a_saved_model_keeps_vectors_of_training_images(circles):
    for trial in (circles / "trials").iterdir():
        model = ganbench.load_model(trial, plugins=plugins())
        assert model.labelled == ("none" not in trial.name)
        if not model.labelled:
            continue
        train = methods.plugins("circle")[0]().load("train", Path())
        assert torch.equal(model.label_source.vectors, train.labels)
        drawn = model.sample(20, seed=3)
        assert drawn.labels.shape == (20, 1)
        assert torch.isin(drawn.labels, train.labels).all()
        assert torch.equal(model.sample(20, drawn.labels, seed=3).images, drawn.images)
        same = model.sample(4, [0.5]).labels
        assert same.tolist() == [[0.5]] * 4
        assert model.sample(3, [0.1, 0.2, 0.3]).labels.flatten().tolist() == pytest.approx(
            [0.1, 0.2, 0.3]
        )


@pytest.mark.parametrize(
    ("labels", "told"),
    [
        ([0.1, 0.2], "expected 1 numbers, or as many for each of 3 images, found 2"),
        ("red", "found 'red'"),
        ([float("nan")], "not finite"),
        ([[0.1, 0.2]] * 3, "found 3×2"),
        ([None], "found [None]"),
    ],
)
def test_vectors_that_do_not_fit_are_refused(circles, labels, told):
    trial = next(t for t in (circles / "trials").iterdir() if "improved" in t.name)
    with pytest.raises(ConfigError, match="improved") as error:
        ganbench.load_model(trial, plugins=plugins()).sample(3, labels)
    assert told in str(error.value)


def test_classes_are_refused_in_a_sentence(circles):
    trial = next(t for t in (circles / "trials").iterdir() if "improved" in t.name)
    with pytest.raises(ConfigError, match="vectors of one number, and there are no classes"):
        ganbench.load_model(trial, plugins=plugins()).label("0")


def test_pictures_show_a_vector_in_each_row(pictures):
    with Image.open(pictures / "samples.png") as picture:
        assert min(picture.size) > 80


def test_commands_take_numbers_where_others_take_classes(pictures):
    run = pictures.parents[4]
    for arguments in (
        ("sample", pictures, "-n", 6, "--label=0.5,-1", "--out", "page.png"),
        ("sample", pictures, "-n", 3, "--out", "each"),
        ("interpolate", pictures, "--labels=-1,1:1,-1", "--steps", 3, "--out", "walk.png"),
        ("interpolate", pictures, "--label=1,1", "--rows", 2, "--out", "latents.gif"),
        ("arithmetic", pictures, "--sheet", "sheet.png", *SUM, "--out", "sum.png"),
        ("nearest", pictures, "-n", 2, "--out", "near.png"),
    ):
        found = tiny.ganbench(*arguments, cwd=run)
        assert found.returncode == 0, found.stderr
    for name in ("page.png", "walk.png", "latents.gif", "sheet.png", "sum.png", "near.png"):
        with Image.open(run / name) as picture:
            picture.load()
    assert sorted(path.name for path in (run / "each").iterdir())[0] == "00000.png"


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("sample", "--label", "cat"), "a vector of 2; give numbers with commas between them"),
        (("sample", "--label", "1"), "expected 2 numbers"),
        (("sample", "--per-label", "2"), "there are no classes"),
        (("interpolate", "--labels", "0,1"), "expected two vectors"),
        (("interpolate", "--labels", "0,1:0,1"), "nothing between a vector and itself"),
        (("arithmetic", "--plus", "label:2"), "there are no classes"),
    ],
)
def test_what_is_no_vector_is_refused(pictures, arguments, told):
    command, *options = arguments
    run = pictures.parents[4]
    found = tiny.ganbench(command, pictures, *options, "--out", "bad.png", cwd=run)
    assert found.returncode == 2
    assert told in found.stderr
    assert not (run / "bad.png").exists()


def test_what_takes_no_vectors_is_refused_by_the_plan(pictures):
    run = pictures.parents[4]
    for conditioning, told in (("embed-mul", "needs class ids"), ("cbn", "norm layers")):
        text = PICTURES.replace("{generator: concat, discriminator: concat}", conditioning)
        found = tiny.ganbench("plan", tiny.write(run, text), cwd=run)
        assert found.returncode == 2
        assert told in found.stderr + found.stdout


def test_datasets_prepare_shows_the_numbers(pictures):
    run = pictures.parents[4]
    target = ("tensor", "-o", "path=pictures.npz", "-o", "condition=shades")
    found = tiny.ganbench("datasets", "prepare", *target, cwd=run)
    assert found.returncode == 0, found.stderr
    assert "vectors:  of 2 numbers: -0.9" in found.stdout
    told = json.loads(tiny.ganbench("datasets", "prepare", *target, "--json", cwd=run).stdout)
    assert len(told["splits"]["train"]["numbers"]) == 2
