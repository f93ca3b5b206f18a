"""Scripts of benchmarks/textbook: drawn data of each layout."""

from __future__ import annotations

import csv
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml
from helpers import scripts
from PIL import Image

from ganbench.config import benchmark_file, plan
from ganbench.models.parts import Parts
from ganbench.registry.registry import Registry

FILES = sorted((scripts.BENCHMARKS / "textbook").glob("*.yaml"))
CARRIED = "cdcgan_mnist"


@pytest.fixture(scope="module")
def drawing() -> ModuleType:
    return scripts.script("textbook", "draw")


def draw(drawing: ModuleType, *arguments: object) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "argv", ["draw.py", *map(str, arguments)])
        drawing.main()


@pytest.fixture(scope="module")
def drawn(drawing: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which each kind of data was drawn as docs/textbook.md says."""
    folder = tmp_path_factory.mktemp("reader")
    draw(drawing, "bricks", folder / "data/lego-brick-images", "--count", 6)
    draw(drawing, "celeba", folder / "data/celeba", "--count", 12)
    draw(drawing, "glasses", folder / "data/glasses", "--count", 20, "--wrong", 0.1)
    return folder


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_evening_reads_drawn_pictures_where_the_file_looks_for_them(
    file: Path, drawn: Path, with_packages: Registry, monkeypatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(drawn)
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path))
    asked = benchmark_file.load(file, with_packages, profile="evening")
    (cell,) = plan.make(asked, with_packages, device="cpu").cells
    assert cell.incompatible is None
    if file.stem == CARRIED:
        return
    data = Parts.of(cell, with_packages).dataset.load("train", tmp_path)
    counts = {"lego": 6, "celeba": 12, "glasses": 20}
    (count,) = (n for key, n in counts.items() if key in str(cell.dataset.options["path"]))
    assert data.images.shape == (count, 1 if count == 6 else 3, 32, 32)
    assert data.images.float().std() > 10


def test_evening_changes_sizes_and_never_the_method() -> None:
    """What it says is a subset of what makes a training smaller."""
    for file in FILES:
        evening = yaml.safe_load(file.read_text("utf-8"))["profiles"]["evening"]
        assert set(evening) <= {"dataset", "architecture", "training", "evaluation"}
        sizes = {"batch_size", "budget", "n_critic", "g_lr", "d_lr", "log_every"}
        assert set(evening["training"]) <= sizes, file.stem


def test_wrong_labels_are_listed_with_the_right_ones(drawn: Path) -> None:
    said, right = (
        labels(drawn / "data/glasses" / name) for name in ("train.csv", "wrong_labels.csv")
    )
    assert len(said) == 20
    assert len(right) == 2
    assert all(said[key] != value for key, value in right.items())
    assert sum(map(int, {**said, **right}.values())) == 10


def labels(path: Path) -> dict[str, str]:
    with path.open(encoding="utf-8") as file:
        return {row["id"]: row["glasses"] for row in csv.DictReader(file)}


def test_bricks_in_folders_are_those_in_one(drawing, drawn: Path, tmp_path: Path) -> None:
    draw(drawing, "bricks", tmp_path / "bricks", "--count", 6, "--folders")
    sorted_ = {path.name: path for path in (tmp_path / "bricks").glob("brick */*.png")}
    flat = sorted((drawn / "data/lego-brick-images/dataset").glob("*.png"))
    assert len(flat) == len(sorted_) == 6
    assert len({path.parent for path in sorted_.values()}) == 5
    for path in flat:
        kind, name = path.name.rsplit(" ", 1)
        assert sorted_[name].parent.name == kind
        assert sorted_[name].read_bytes() == path.read_bytes()


def test_faces_show_what_their_labels_say(drawing) -> None:
    """Blond hair is brighter than dark hair, and a rim lies over the nose's root."""

    def shown(**has: bool) -> Image.Image:
        asked = {"blond": False, "glasses": False, "smiling": False, **has}
        return drawing.face(np.random.default_rng(5), (178, 218), **asked)

    plain, blond, glasses = shown(), shown(blond=True), shown(glasses=True)
    assert np.asarray(blond)[40:70].mean() > np.asarray(plain)[40:70].mean() + 20
    assert np.asarray(glasses)[80:120].mean() < np.asarray(plain)[80:120].mean() - 3
    assert shown().tobytes() == plain.tobytes()


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (["bricks", "full"], "full is not empty; name another folder"),
        (["bricks", "new", "--count", "0"], "--count must be positive"),
        (["glasses", "new", "--wrong", "1.5"], "a share from 0 to 1"),
    ],
)
def test_drawing_refuses(drawing, arguments, why: str, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.png").touch()
    with pytest.raises(SystemExit, match="2"):
        draw(drawing, *arguments)
    assert why in capsys.readouterr().err
    assert not (tmp_path / "new").exists()
