"""`ganbench datasets prepare` of a folder of pictures offers the labels of a CSV file in it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner
from helpers.folders_of_pictures import glasses, picture

from ganbench.cli import cli
from ganbench.cli.commands.datasets.offered import offered
from ganbench.default_plugins.datasets.image_csv import ImageCSV
from ganbench.errors import DataError


def written(folder: Path, names: list[str], text: str, called: str = "all.csv") -> Path:
    """Pictures of these names, and a CSV file beside them."""
    for name in names:
        picture(folder / name, 0, mode="L")
    (folder / called).write_text(text)
    return folder


def test_prepare_prints_lines_that_work(tmp_path, monkeypatch):
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    glasses(tmp_path / "x", [0, 1, 1, 0, 1, 0, 0, 1, 1, 1, 0])
    (tmp_path / "x" / "more.csv").write_text("a,b\n")
    command = ["datasets", "prepare", str(tmp_path / "x"), "--quiet"]
    done = CliRunner().invoke(cli, command, catch_exceptions=False)
    lines = done.stdout.splitlines()
    start = lines.index("labels:   train.csv has some; these lines of a benchmark file take them:")
    offer = yaml.safe_load("\n".join(lines[start + 1 :]))["dataset"]
    assert offer == {
        "name": "image-csv",
        "path": str(tmp_path / "x"),
        "csv": "train.csv",
        "id_column": "id",
        "label_column": "glasses",
        "pattern": "faces/face-{id}.png",
    }
    told = json.loads(CliRunner().invoke(cli, [*command, "--json"]).stdout)
    assert told["offer"] == offer
    del offer["name"]
    found = ImageCSV(**offer).load("train", tmp_path)
    assert found.labels.tolist() == [0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1]  # 1, 10, 11, 2, …
    assert found.ids[:3] == ["1", "10", "11"]


@pytest.mark.parametrize(
    ("names", "text", "expected"),
    [
        (["a.png", "b.png"], "file,y\na.png,0\nb.png,1\n", ("file", "y", "{id}")),
        (["a.jpg", "b.jpg"], "kind;id\nx;a\ny;b\n", ("id", "kind", "{id}.jpg")),
        (["p/001.png", "p/012.png"], "n,class\n1,u\n12,v\n", ("n", "class", "p/{id:0>3}.png")),
        (["{x}1.png", "{x}2.png"], "id,label\n1,0\n2,1\n", ("id", "label", "{{x}}{id}.png")),
        (["s1.png", "s2.png"], "id,age,label,k\n1,3,0,1\n2,4,1,2\n", ("id", "label", "s{id}.png")),
    ],
)
def test_ids_and_labels_are_found(tmp_path, names, text, expected):
    found = offered(str(written(tmp_path, names, text)))
    assert (found["id_column"], found["label_column"], found["pattern"]) == expected


def test_without_one_file_that_is_meant_nothing_is_offered(tmp_path):
    folder = written(tmp_path, ["a.png"], "id,label\na,0\n")
    (folder / "other.csv").write_text("id,label\na,0\n")
    assert offered(str(folder)) is None
    (folder / "other.csv").unlink()
    (folder / "all.csv").unlink()
    assert offered(str(folder)) is None


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("id,label\nz,0\ny,1\n", "no column names the pictures below"),
        ("id,label\n", "no column names the pictures below"),
        ("id,v\na,1\nb,1\n", "no column has few enough different values to be a label"),
        ("id,label\na,0,1\n", "3 values, and the header names 2 columns"),
        ("", "empty; its first line names the columns"),
    ],
)
def test_a_file_of_something_else_says_so(tmp_path, text, why):
    with pytest.raises(DataError, match=why):
        offered(str(written(tmp_path, ["a.png", "b.png"], text)))
