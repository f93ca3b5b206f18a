"""`ganbench datasets preview --suspects`: pages and a list of labels that are likely wrong."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner, Result
from helpers import stand_ins
from helpers.folders_of_pictures import picture

from ganbench.cli import cli
from ganbench.default_plugins.datasets.image_csv import ImageCSV
from ganbench.errors import ConfigError, DataError
from ganbench.evaluation import small_judge

RIGHT = [i % 2 for i in range(12)]
WRONG = {3: 0, 8: 1}  # labels that the CSV file has wrong, by id
NAMES = ("no", "yes")


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path) -> Path:
    """The working directory, and a judge that knows the right classes by brightness."""
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")

    def cross_validated(images, labels, classes, seed):
        bright = (images.float().mean((1, 2, 3)) > 100).long()
        return torch.nn.functional.one_hot(bright, classes) * 0.8 + 0.1

    monkeypatch.setattr(small_judge, "cross_validated", cross_validated)
    return tmp_path / "here"


@pytest.fixture
def faces(here) -> Path:
    """Twelve pictures, bright ones of class yes, and a CSV file with two labels wrong."""
    rows = []
    for i, label in enumerate(RIGHT):
        picture(here / "faces" / f"{i}.png", 200 * label, mode="L")
        rows.append(f"{i},{NAMES[WRONG.get(i, label)]}\n")
    (here / "faces" / "train.csv").write_text(f"who,glasses\n{''.join(rows)}")
    (here / "faces.yaml").write_text(
        "dataset: {name: image-csv, path: faces, csv: train.csv, id_column: who, "
        "label_column: glasses, resolution: 8, channels: 1}\n"
    )
    return here / "faces"


def run(*arguments: str) -> Result:
    words = ["datasets", "preview", *arguments]
    return CliRunner().invoke(cli, words, standalone_mode=False)


def said(*arguments: str) -> str:
    done = run(*arguments, "--quiet")
    assert done.exception is None, done.output
    return done.stdout


def labels_of(faces: Path, relabel: str | None) -> dict[str, str]:
    """What the data set takes the pictures for."""
    data = ImageCSV(
        path=str(faces),
        csv="train.csv",
        id_column="who",
        label_column="glasses",
        resolution=8,
        channels=1,
        relabel=relabel,
    )
    found = data.load("train", faces)
    names = data.class_names()
    return {called: names[i] for called, i in zip(found.ids, found.labels.tolist(), strict=True)}


def test_the_list_is_edited_and_read_back_by_relabel(faces, here):
    told = said("faces.yaml", "--suspects", "4")
    assert told.splitlines()[0] == "faces-suspects.png"
    assert "faces-suspects.csv: 4 suspects of 12 images; correct the labels in it" in told
    assert told.splitlines()[1].endswith("train with relabel: faces-suspects.csv")
    agrees = "the judge agrees with 83.3% of all labels; the largest class has 50.0%"
    assert told.splitlines()[2:] == [agrees]
    with (here / "faces-suspects.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [*rows[0]] == ["who", "glasses", "judge", "p_given"]
    assert [(row["who"], row["glasses"], row["judge"]) for row in rows[:2]] == [
        ("3", "no", "yes"),
        ("8", "yes", "no"),
    ]
    assert rows[0]["p_given"] == "0.1000"
    before = labels_of(faces, None)
    assert labels_of(faces, "faces-suspects.csv") == before, "unedited, it changes nothing"
    rows[0]["glasses"], rows[1]["glasses"] = "yes", ""
    with (here / "edited.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, [*rows[0]])
        table.writeheader()
        table.writerows(rows)
    del before["8"]
    assert labels_of(faces, "edited.csv") == {**before, "3": "yes"}


def test_every_page_is_drawn(faces, here):
    arguments = ["faces.yaml", "--suspects", "100", "-n", "2", "--out", "s.png", "--list", "s.csv"]
    about = json.loads(said(*arguments, "--json"))
    assert about["paths"] == ["s.png", "s-2.png", "s-3.png"]
    for name in about["paths"]:
        assert (here / name).read_bytes().startswith(b"\x89PNG")
    assert [one["id"] for one in about["suspects"]][:2] == ["3", "8"]
    first = {"id": "3", "label": "no", "judge": "yes", "p_given": pytest.approx(0.1)}
    assert about["suspects"][0] == first
    assert (about["agreement"], about["guessing"]) == (pytest.approx(10 / 12), 0.5)
    assert len(about["suspects"]) == 12
    done = run(*arguments[:-2], "--list", "t.csv")
    assert "s.png is there already" in str(done.exception)


def test_folders_and_arrays_say_what_the_list_is_for(here):
    for i in range(8):
        picture(here / "sorted" / NAMES[i % 2] / f"{i}.png", 200 * (i % 2), mode="L")
    (here / "sorted" / "no" / "0.png").rename(here / "sorted" / "yes" / "0.png")
    told = said("sorted", "--suspects", "1")
    assert "its ids are files in the folder; move those that are wrong" in told
    listed = (here / "sorted-suspects.csv").read_text()
    assert listed.splitlines()[:2] == ["id,label,judge,p_given", "yes/0.png,yes,no,0.1000"]
    images = np.full((8, 8, 8), 200, np.uint8)
    images[2] = 0
    np.savez(here / "a.npz", x=images, y=[1, 1, 1, 0, 1, 1, 1, 1])
    told = said("a.npz", "--suspects", "2")
    assert "the largest class has 87.5%, so that it has learned little of the classes" in told
    assert "its ids are places in the array, from 0" in told
    rows = (here / "a.npz-suspects.csv").read_text().splitlines()
    assert [row.split(",")[:3] for row in rows[1:]] == [["2", "1", "0"], ["3", "0", "1"]]


def test_columns_of_the_judge_make_way_and_earlier_corrections_are_named(faces, here):
    text = (faces / "train.csv").read_text().replace("who,glasses", "judge,p_given")
    (faces / "train.csv").write_text(text)
    (here / "old.csv").write_text("judge,p_given\n3,yes\n")
    names = ["id_column=judge", "label_column=p_given", "relabel=old.csv"]
    told = said("faces.yaml", "--suspects", "1", *(w for n in names for w in ("-o", n)))
    assert "with the lines of old.csv added" in told
    listed = (here / "faces-suspects.csv").read_text().splitlines()
    assert listed == ["judge,p_given,judge_,p_given_", "8,yes,no,0.1000"]


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["faces", "--suspects", "3"], "--suspects 3: data set 'image-folder' has no classes"),
        (["faces.yaml", "--suspects", "3", "--page", "1"], "--suspects has pages of its own"),
        (["faces.yaml", "--suspects", "3", "--class", "no"], "--suspects has pages of its own"),
        (["faces.yaml", "--list", "a.csv"], "--list a.csv: this is a list of suspects; add --susp"),
        (["faces.yaml", "--suspects", "3", "--list", "a.txt"], "the table is a CSV file; name it"),
        (["faces.yaml", "--suspects", "3", "--list", "no/a.csv"], "there is no folder no"),
        (
            ["faces.yaml", "--suspects", "3", "--out", "a.csv"],
            "the picture is a PNG; name it a.png",
        ),
        (["faces.yaml", "--suspects", "3", "--list", "mine.csv"], "mine.csv is there already"),
        (["ring", "--suspects", "3"], "is of points; there is no picture"),
        (
            ["image-csv", "--suspects", "3", "-o", "path=faces", "-o", "csv=null.csv"],
            "null.csv: a class is called 'null', which in relabel leaves a picture out",
        ),
        (["few.npz", "--suspects", "3"], "5 images are too few to judge; give 6 or more"),
        (["one.npz", "--suspects", "3"], "all images are of one class"),
    ],
)
def test_mistakes_are_explained(faces, here, arguments, why):
    (here / "mine.csv").write_text("mine")
    np.savez(here / "few.npz", x=stand_ins.noise(1, 5, 8, 8), y=[0, 1, 0, 1, 0])
    np.savez(here / "one.npz", x=stand_ins.noise(1, 9, 8, 8), y=[7] * 9)
    (faces / "null.csv").write_text("id,label\n1,null\n2,x\n")
    done = run(*arguments)
    assert isinstance(done.exception, ConfigError | DataError)
    assert why in str(done.exception)
    assert (here / "mine.csv").read_text() == "mine"
