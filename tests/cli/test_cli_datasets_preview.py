"""`ganbench datasets preview`: what it shows of a data set, and what it refuses."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from helpers import stand_ins
from helpers.folders_of_pictures import picture
from PIL import Image

from ganbench.cli import cli
from ganbench.errors import ConfigError, DataError
from ganbench.pictures import montage

FILE = """\
version: 1
name: faces
dataset: {name: image-csv, path: faces, csv: train.csv, label_column: glasses, resolution: 8}
architecture: dcgan
"""


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path) -> Path:
    """The working directory; the cache and the data are elsewhere."""
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path / "data"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "here"


@pytest.fixture
def captions(monkeypatch) -> list[list[str]]:
    """What stands below the tiles of the last page, row by row."""
    found: list[list[str]] = []

    def draw(rows, title=""):
        found[:] = [[tile.caption for tile in row.tiles] for row in rows]
        return drawn(rows, title)

    drawn = montage.draw
    monkeypatch.setattr(montage, "draw", draw)
    return found


@pytest.fixture
def shapes(here) -> Path:
    """Pictures of two classes, three of blue and five of red."""
    for name, count, colour in (("blue", 3, (0, 0, 250)), ("red", 5, (250, 0, 0))):
        for i in range(count):
            picture(here / "shapes" / name / f"{i}.png", colour)
    return here / "shapes"


@pytest.fixture
def faces(here) -> Path:
    """Five pictures, their labels in a CSV file, and a benchmark file that names both."""
    for i in range(1, 6):
        picture(here / "faces" / f"{i}.png", (50 * i, 0, 0))
    rows = "".join(f"{i},{i % 2}\n" for i in range(1, 6))
    (here / "faces" / "train.csv").write_text(f"id,glasses\n{rows}")
    (here / "faces.yaml").write_text(FILE)
    return here / "faces.yaml"


def run(*arguments: str) -> Result:
    return CliRunner().invoke(cli, ["datasets", "preview", *arguments], standalone_mode=False)


def said(*arguments: str) -> str:
    done = run(*arguments, "--quiet")
    assert done.exception is None, done.output
    return done.stdout


def test_rows_of_classes_with_ids(shapes, here, captions):
    assert said("shapes", "-n", "4", "-o", "resolution=64") == "shapes-preview.png\n"
    assert sorted(captions[0]) == ["blue/0.png", "blue/1.png", "blue/2.png"]
    assert len(set(captions[1])) == 4
    assert set(captions[1]) < {f"red/{i}.png" for i in range(5)}
    with Image.open(here / "shapes-preview.png") as page:
        pixels = np.asarray(page.convert("RGB")).reshape(-1, 3)
    for colour, tiles in (((0, 0, 250), 3), ((250, 0, 0), 4)):
        assert (pixels == colour).all(1).sum() == tiles * 64 * 64
    again = here / "again.png"
    said("shapes", "-n", "4", "-o", "resolution=64", "--out", str(again))
    assert again.read_bytes() == (here / "shapes-preview.png").read_bytes()


def test_some_of_many_classes_floats_and_arrays(here, captions):
    told = json.loads(said("stacked-mnist", "-n", "2", "-o", "train_size=4000", "--json"))
    assert (told["rows"][0], told["rows"][-1], len(told["rows"])) == ("0", "999", 20)
    said("mixture1200", "-o", "train_size=100", "-n", "3", "--split", "test")
    np.save(here / "a.npy", stand_ins.noise(1, 5, 8, 8))
    assert json.loads(said("a.npy", "-n", "3", "--json"))["rows"] == []
    assert sorted(captions[0] + captions[1]) == list("01234")
    assert (here / "a.npy-preview.png").is_file()


def test_pages_have_all_images_in_their_order(shapes, captions):
    told = said("shapes", "-n", "2", "--page", "2")
    assert told == "shapes-preview.png\npage 2 of 2; all: 8 images\n"
    assert captions == [["red/1.png", "red/2.png"], ["red/3.png", "red/4.png"]]
    about = json.loads(said("shapes", "-n", "2", "--page", "1", "--json", "--force"))
    assert (about["page"], about["pages"], about["images"]) == (1, 2, 8)
    assert about["ids"] == ["blue/0.png", "blue/1.png", "blue/2.png", "red/0.png"]


def test_all_images_of_a_class(shapes, captions):
    told = said("shapes", "--class", "red")
    assert told == "shapes-preview.png\npage 1 of 1; class red: 5 images\n"
    assert captions == [[f"red/{i}.png" for i in range(5)]]
    said("shapes", "--class", "#0", "--force")
    assert captions == [[f"blue/{i}.png" for i in range(3)]]


def test_of_a_benchmark_file_it_is_the_data_set_that_it_names(faces, here, captions):
    said("faces.yaml", "--class", "1")
    assert captions == [["1", "3", "5"]]
    assert (here / "faces-preview.png").is_file()
    said("faces.yaml", "--force", "--page", "1", "-o", "pattern={id}.png", "-o", "where={id: [2]}")
    assert captions == [["2"]]
    faces.write_text("matrix: {dataset: [mnist]}\n")
    said("faces.yaml", "-n", "1", "--page", "60000", "--force")
    assert captions == [["59999"]]


def test_ids_are_of_the_pictures_that_could_be_read(shapes, captions):
    (shapes / "red" / "1.png").write_bytes(b"")
    said("shapes", "--class", "red", "-o", "test_share=0.01")
    assert captions == [[f"red/{i}.png" for i in (0, 2, 3, 4)]]


def test_long_ids_show_their_ends_and_shared_ones_the_files(here, captions):
    for name in ("a/7.png", "b/7.png"):
        picture(here / "x" / name, 0, mode="L")
    (here / "x" / "all.csv").write_text("id,label,in\n7,0,a\n7,1,b\n")
    said("image-csv", "-o", "path=x", "-o", "csv=all.csv", "-o", "pattern={in}/{id}.png")
    assert captions == [["a/7.png"], ["b/7.png"]]
    picture(here / "y" / "holidays" / "IMG_20250101_123.png", 0, mode="L")
    said("y")
    assert captions == [["…250101_123.png"]]


def test_no_file_is_replaced_unasked(here):
    path = here / "mnist-preview.png"
    path.write_bytes(b"mine")
    done = run("mnist", "-n", "1")
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith("mnist-preview.png is there already; --force replaces it")
    assert path.read_bytes() == b"mine"
    said("mnist", "-n", "1", "--force")
    assert path.read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["ring"], "data set 'ring' is of points; there is no picture of them"),
        (["mnist", "--out", "a.jpg"], "the picture is a PNG; name it a.png"),
        (["mnist", "--out", "no/a.png"], "there is no folder no"),
        (["mnist", "--out", "d.png"], "--out d.png: this is a folder"),
        (["shapes", "--split", "test"], "data set 'image-folder' has no test split"),
        (["shapes", "--page", "2"], "--page 2: all: expected a page of 1"),
        (["shapes", "--class", "red", "--page", "3"], "--page 3: class red: expected a page of 1"),
        (["shapes", "--class", "rde"], "--class rde: no class 'rde'; did you mean 'red'?"),
        (["shapes", "--class", "#2"], "no class '#2'"),
        (["shapes", "--class", "red", "-o", "labels=none"], "--class red: data set 'image-folder'"),
        (["no.yaml"], "no.yaml: there is no such file"),
        (["two.yaml"], "two.yaml:1:10: several data sets; give one of them by its name"),
        (["none.yaml"], "none.yaml: names no data set; add dataset: NAME"),
        (["list.yaml"], "list.yaml:1:1: dataset: expected a name, or a mapping"),
        (["typo.yaml"], "unknown dataset 'mnits'; did you mean 'mnist'?"),
    ],
)
def test_mistakes_are_explained(shapes, here, arguments, why):
    (here / "d.png").mkdir()
    (here / "two.yaml").write_text("matrix: {dataset: [mnist, cifar10]}\n")
    (here / "none.yaml").write_text("loss: bce\n")
    (here / "list.yaml").write_text("dataset: [mnist]\n")
    (here / "typo.yaml").write_text("dataset: mnits\n")
    done = run(*arguments)
    assert isinstance(done.exception, ConfigError | DataError)
    assert why in str(done.exception)
