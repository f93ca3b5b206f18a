"""Cells have short labels, in which no two are alike."""

from __future__ import annotations

import json

import numpy as np
import pytest
from helpers.bench import OPEN, TEXT

from ganbench.config.choices import own_name
from ganbench.errors import ConfigError


def test_labels_are_short_but_tell_cells_apart(planned):
    short = planned(OPEN + "matrix: {loss: [{name: bce, flip: 0.1}, lsgan]}\n")
    assert [c.label for c in short.cells] == ["bce/concat/dcgan", "lsgan/concat/dcgan"]
    long = planned(OPEN + "matrix: {loss: [{name: bce, flip: 0.1}, bce]}\n")
    assert [c.label for c in long.cells] == ["bce(flip=0.1)/concat/dcgan", "bce/concat/dcgan"]
    swept = planned(TEXT + "matrix: {training.batch_size: [8, 16]}\n")
    assert [c.label.rpartition("/")[2] for c in swept.cells] == ["batch_size=8", "batch_size=16"]


@pytest.fixture
def arrays(tmp_path):
    """Write the same images into files of these names, and return an axis of them as YAML."""

    def written(*names: str) -> str:
        for name in names:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            np.savez(tmp_path / name, x=np.full((64, 28, 28), 200, np.uint8), y=np.arange(64) % 2)
        chosen = [{"name": "tensor", "path": str(tmp_path / name)} for name in names]
        return TEXT.replace("dataset: mnist\n", "") + f"matrix: {{dataset: {json.dumps(chosen)}}}\n"

    return written


@pytest.mark.parametrize(
    "name",
    ["birds", "a (1)", "a((b)c)d", "a)(", "a)", "a(", "v1.2", "=x<b>[x](javascript:1)", "a\tb"],
)
def test_own_data_is_called_as_its_file_is(planned, arrays, name):
    found = planned(arrays(f"{name}.npz"))
    called = name.replace("\t", "?")
    assert found.cells[0].axes["dataset"] == called
    assert found.references == ()


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("~/birds", "birds"),
        ("birds/train/", "birds"),
        ("a/birds.zip/train", "birds"),
        ("FashionMNIST/raw/train-images-idx3-ubyte.gz", "FashionMNIST"),
        ("birds.v2", "birds.v2"),
        ("/train", ""),
        (3, ""),
        (None, ""),
    ],
)
def test_own_names_are_those_of_folders_that_say_something(path, name):
    assert own_name(path) == name


def test_titles_are_what_tables_call_data_and_change_no_id(planned, arrays):
    text = arrays("a.npz")
    (plain,) = planned(text).cells
    titled = text.replace('"name": "tensor"', '"name": "tensor", "title": "Ringed (2024)"')
    (cell,) = planned(titled).cells
    assert cell.axes["dataset"] == "Ringed (2024)"
    assert (cell.id, cell.training_id) == (plain.id, plain.training_id)
    assert "title" not in cell.dataset.options
    mnist = planned(TEXT.replace("dataset: mnist", "dataset: {name: mnist, title: Digits}"))
    assert mnist.references[0].label == "real test set (Digits)"
    assert mnist.id == planned(TEXT).id
    with pytest.raises(ConfigError, match="the same as cell"):
        planned(text.replace("}]}", '}, {"name": "tensor", "title": "x", "path": ' + path(text)))


def path(text: str) -> str:
    return text.rpartition('"path": ')[2]


@pytest.mark.parametrize("title", ['""', '" "', '"a\\nb"', "3", "[a]", f'"{"x" * 61}"'])
def test_titles_are_some_words_in_a_line(planned, title):
    with pytest.raises(ConfigError, match=r"dataset.title: expected|dataset.title: .*60"):
        planned(TEXT.replace("dataset: mnist", f"dataset: {{name: mnist, title: {title}}}"))


def test_long_paths_that_differ_anywhere_have_different_labels(planned, arrays):
    long = "long" * 20
    names = [f"{long}/a.npz", f"{long}/b.npz", f"{long}/a/{long}.npz", f"{long}/b/{long}.npz"]
    found = [cell.axes["dataset"] for cell in planned(arrays(*names)).cells]
    assert len(set(found)) == 4
    assert all(len(label) < 140 for label in found)
    assert found[1].partition("#")[0].endswith("/b.npz")


def test_cells_of_include_rules_are_told_apart_by_an_axis(planned):
    included = "[{loss: lsgan, training.n_critic: 2}, {loss: lsgan, training.n_critic: 3}]"
    bce, *twins = planned(OPEN + f"matrix: {{loss: [bce], include: {included}}}\n").cells
    assert [cell.axes.get("cell") for cell in twins] == [f"#{cell.id[:4]}" for cell in twins]
    assert [cell.label for cell in twins] == [f"lsgan/concat/dcgan#{c.id[:4]}" for c in twins]
    assert (bce.label, bce.axes.get("cell")) == ("bce/concat/dcgan", None)


def test_axes_of_blocks_name_their_player(planned):
    found = planned(
        TEXT + "matrix:\n  training.generator.lr: [1e-3]\n  training.discriminator.lr: [1e-3]\n"
        "  training.optimizer: [adam, {name: adam, amsgrad: true}]\n"
    )
    assert [cell.label for cell in found.cells] == [
        "bce/concat/dcgan/generator.lr=0.001/discriminator.lr=0.001/optimizer=adam",
        "bce/concat/dcgan/generator.lr=0.001/discriminator.lr=0.001/optimizer=adam(amsgrad=true)",
    ]
