"""`ganbench new`: from somebody's images to a benchmark that trains as it is."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
import yaml
from click.testing import CliRunner
from helpers.folders_of_pictures import picture
from PIL import Image

from ganbench.cli import cli
from ganbench.default_plugins.datasets.image_files import prepared
from ganbench.errors import ConfigError, DataError
from ganbench.runs import first_benchmark
from ganbench.training.time_estimate import Estimate


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path) -> Path:
    """The working directory, and times that are not measured."""
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    slow = Estimate(0.5, 0.1, 0.0, None)
    monkeypatch.setattr(first_benchmark.Estimator, "estimate", lambda self, cell: slow)
    return tmp_path / "here"


def call(*arguments: object) -> str:
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.stdout


def dataset(path: str) -> dict:
    return yaml.safe_load(Path(path).read_text("utf-8"))["dataset"]


def noise(path: Path, count: int, size=(48, 40), grey: bool = False) -> None:
    rng = np.random.default_rng(count)
    for i in range(count):
        path.mkdir(parents=True, exist_ok=True)
        values = rng.integers(0, 255, (size[1], size[0], 1 if grey else 3), np.uint8)
        Image.fromarray(values.repeat(3, 2) if grey else values).save(path / f"{i}.png")


@pytest.fixture
def birds(here) -> Path:
    noise(here / "My birds" / "owl", 40)
    noise(here / "My birds" / "tit", 30)
    (here / "My birds" / "owl" / "broken.png").write_bytes(b"no")
    (here / "My birds" / "none").mkdir()
    return here / "My birds"


def test_a_folder_becomes_a_benchmark_that_trains(birds, monkeypatch) -> None:
    monkeypatch.undo()  # of times, too
    said = call("new", birds, "--out", birds.parent / "b.yaml", "--minutes", 0.002)
    *_, preview, run, sample = said.splitlines()
    assert (preview, run) == (
        f"ganbench datasets preview {birds.parent / 'b.yaml'} --out my-birds-data.png",
        f"ganbench run {birds.parent / 'b.yaml'} --out my-birds-run",
    )
    assert sample == "ganbench sample my-birds-run -n 64 --out my-birds-samples.png"
    assert f"#   {run}\n" in (birds.parent / "b.yaml").read_text("utf-8")
    found = dataset(birds.parent / "b.yaml")
    assert found["path"] == str(birds)
    assert (found["channels"], found["test_share"], found["stratified"]) == (3, 0.2, True)
    short = ("training.budget.kimg=0.128", "evaluation.num_samples=20", "execution.executor=inline")
    sets = [word for setting in short for word in ("--set", setting)]
    out = birds.parent / "r"
    call("run", birds.parent / "b.yaml", "--out", out, *sets)
    table = json.loads((out / "table.json").read_text("utf-8"))
    assert [row["status"] for row in table["rows"]] == ["ok", "ok"]
    notes = (out / "table.md").read_text("utf-8")
    skipped = "1 file cannot be used and is skipped, such as owl/broken.png: not a picture"
    for told in (skipped, "folder 'none' has no picture in it, and is no class"):
        assert f"Data set My birds: {told}" in notes
    assert "real test set (My birds), n = 14" in notes
    assert "real test set (My birds), n = 14" in (out / "report.html").read_text("utf-8")
    assert json.loads(call("list", birds.parent, "--json"))[0]["datasets"] == ["My birds"]
    assert call("list", birds.parent).endswith("2 ok  My birds\n")
    (card,) = out.glob("trials/bce-*/README.md")
    text = card.read_text("utf-8")
    assert "56 images of data set `My birds`" in text
    assert "Left out, as they cannot be used: 1 file: `owl/broken.png" in text
    assert "has no picture in it, and is no class" in text
    assert skipped in (out / "report.html").read_text("utf-8")
    call("sample", out, "-n", 4, "--out", birds.parent / "s.png")


@pytest.mark.parametrize("above", ["", "My birds/"])
def test_a_zip_is_its_folder(birds, above) -> None:
    with zipfile.ZipFile("packed.zip", "w") as archive:
        for path in sorted(birds.rglob("*")):
            archive.write(path, f"{above}{path.relative_to(birds)}")
    call("new", "packed.zip")
    call("new", birds)
    found, expected = dataset("packed.yaml"), dataset("my-birds.yaml")
    assert found.pop("path") == str(birds.parent / "packed.zip")
    assert found == {key: value for key, value in expected.items() if key != "path"}
    listed = json.loads(call("datasets", "prepare", "packed.zip", "--json"))
    assert listed["splits"]["train"]["per_class"] == {"owl": 40, "tit": 30}
    call("datasets", "preview", "packed.zip", "--out", "p.png")
    assert call("plan", "packed.yaml", "--no-estimate")


def test_pictures_are_decoded_once_for_it_and_its_run(here, monkeypatch) -> None:
    noise(here / "scans", 60)
    seen = []
    monkeypatch.setattr(
        prepared, "decode", lambda *a, f=prepared.decode: (seen.append(1), f(*a))[1]
    )
    call("new", "scans")
    found = dataset("scans.yaml")
    assert found["resolution"] == 40
    from ganbench.registry import registry

    options = {key: value for key, value in found.items() if key != "name"}
    data = registry.load([]).build("dataset", found["name"], options)
    assert sum(len(data.load(split, here)) for split in data.splits) == len(seen) == 60


def test_grey_pictures_without_classes(here) -> None:
    noise(here / "scans", 20, grey=True)
    call("new", "scans")
    found = dataset("scans.yaml")
    assert found == {
        "name": "image-folder", "path": str(here / "scans"), "channels": 1, "resolution": 40,
    }  # fmt: skip


def test_arrays_of_few_values_get_a_range(here) -> None:
    values = np.random.default_rng(0).integers(0, 17, (60, 8, 8)).astype(np.float64)
    np.savez("digits.npz", images=values, labels=np.arange(60) % 3)
    call("new", "digits.npz")
    found = dataset("digits.yaml")
    assert found["range"] == [0, 16]
    assert (found["resolution"], found["test_share"], found["stratified"]) == (32, 0.2, True)


def test_a_table_of_labels_is_taken(here) -> None:
    noise(here / "faces" / "img", 12)
    rows = "".join(f"{i},{i % 2}\n" for i in range(12))
    (here / "faces" / "train.csv").write_text("id,glasses\n" + rows)
    call("new", "faces")
    found = dataset("faces.yaml")
    assert (found["name"], found["csv"], found["label_column"]) == (
        "image-csv", "train.csv", "glasses",
    )  # fmt: skip
    call("new", "faces/train.csv", "--out", "same.yaml")
    assert dataset("same.yaml") == found


def test_folders_of_splits_and_idx_files(here) -> None:
    noise(here / "split" / "train", 20)
    noise(here / "split" / "test", 9)
    call("new", "split")
    assert dataset("split.yaml")["path"] == str(here / "split" / "train")
    assert dataset("split.yaml")["test_path"] == str(here / "split" / "test")
    (here / "idx").mkdir()
    for name, count in (("train", 20), ("t10k", 10)):
        pixels = np.random.default_rng(1).integers(0, 255, (count, 28, 28), np.uint8)
        header = bytes([0, 0, 8, 3, 0, 0, 0, count, 0, 0, 0, 28, 0, 0, 0, 28])
        (here / "idx" / f"{name}-images-idx3-ubyte").write_bytes(header + pixels.tobytes())
        labels = bytes(i % 2 for i in range(count))
        header = bytes([0, 0, 8, 1, 0, 0, 0, count])
        (here / "idx" / f"{name}-labels-idx1-ubyte").write_bytes(header + labels)
    said = json.loads(call("new", "idx", "--json"))
    found = dataset(said["file"])
    assert found["test_labels"] == str(here / "idx" / "t10k-labels-idx1-ubyte")
    assert found["resolution"] == 28


def test_what_is_given_stays(here) -> None:
    noise(here / "scans", 20)
    call("new", "scans", "-o", "resolution=64", "-o", "channels=1")
    found = dataset("scans.yaml")
    assert (found["resolution"], found["channels"]) == (64, 1)


def test_many_damaged_files_are_no_obstacle(here) -> None:
    noise(here / "mess", 20)
    for i in range(15):
        (here / "mess" / f"bad{i}.png").write_bytes(b"no")
    call("new", "mess")
    assert dataset("mess.yaml")["max_bad"] == 15
    assert "# Note: bad0.png: not a picture" in Path("mess.yaml").read_text("utf-8")


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        (("ring",), ConfigError, "ring: these are points, not pictures"),
        (("nowhere",), ConfigError, "there is none called 'nowhere'"),
        (("bad",), DataError, "none of its first pictures can be read"),
        (("bad", "--minutes", "0"), ConfigError, "--minutes 0: expected a number above 0"),
        (("bad", "--out", "x.txt"), ConfigError, "--out x.txt: expected .yaml, .yml"),
        (("bad", "--out", "there.yaml"), ConfigError, "there is such a file; --force replaces it"),
    ],
)
def test_what_gives_no_benchmark_is_a_sentence(here, arguments, error, said) -> None:
    (here / "there.yaml").write_text("x")
    picture(here / "bad" / "a.png", "red")
    (here / "bad" / "a.png").write_bytes(b"no")
    with pytest.raises(error, match=said):
        call("new", *arguments)
