"""Each file of benchmarks/textbook takes any built-in loss and conditioning for one line.

Or its comments say which other line goes with it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import torch
from helpers import folders_of_pictures as layouts
from helpers.textbook import FILES, FOLDER

from ganbench.config import benchmark_file, plan
from ganbench.contracts.images import LabeledImages
from ganbench.contracts.losses import Regularizer
from ganbench.errors import ConfigError
from ganbench.models.parts import Parts
from ganbench.records.cells import Cell
from ganbench.registry import registry
from ganbench.registry.registry import Registry
from ganbench.training.build import make_trainer

CLIPPED, ALTERNATING = "regularizers: [weight-clipping]", "updates: alternating"
BESIDE: dict[tuple[str, str], tuple[str, ...]] = {  # lines that a change of loss needs
    ("cdcgan_mnist", "wgan-gp"): ("fake_labels: real",),
    **{(name, "wgan"): (CLIPPED,) for name in FILES},
    **{(name, "wgan-gp"): (ALTERNATING,) for name in FILES if "bricks" in name},
    **{(name, "wgan"): (CLIPPED, ALTERNATING) for name in FILES if "bricks" in name},
}
UNLABELLED = [name for name in FILES if "bricks" in name or name.endswith("_faces")]
SORTED = "a folder for each class"  # what conditionings need of these files' data


def usable(kind: str) -> list[str]:
    """The built-in plugins that stand for one line of a file."""
    found = registry.load()
    return [entry.name for entry in found.entries(kind) if not issubclass(entry.cls, Regularizer)]


LOSSES, CONDITIONINGS = usable("loss"), usable("conditioning")


@pytest.fixture(scope="module")
def sorted_pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The pictures of a file without labels, sorted by hand."""
    root = tmp_path_factory.mktemp("sorted")
    for i in range(8):
        layouts.picture(root / ("G", "NoG")[i % 2] / f"{i}.png", (20 * i, 0, 0), (64, 64))
    return root


def small(name: str) -> list[str]:
    """Settings that make the file's networks narrow, its images small and its training short."""
    short = ["training.batch_size=2", "training.budget.kimg=0.01", "training.log_every=1"]
    if name == "cdcgan_mnist":  # of one size alone
        return short
    widths = "width=8" if name == "cgan_eyeglasses" else "widths=[8,8,8]"
    return [*short, f"architecture.{widths}", "dataset.resolution=32"]


def changed(name: str, axis: str, value: str) -> str:
    in_matrix = f"\n  {axis}:" in (FOLDER / f"{name}.yaml").read_text("utf-8")
    return f"matrix.{axis}=[{value}]" if in_matrix else f"{axis}={value}"


def as_setting(line: str) -> str:
    key, _, value = line.partition(": ")
    return f"{key if key == 'regularizers' else f'training.{key}'}={value}"


def comments(name: str) -> str:
    lines = (FOLDER / f"{name}.yaml").read_text("utf-8").splitlines()
    found = [line.partition("#")[2].strip() for line in lines if "#" in line]
    return " ".join(found)


@pytest.fixture(scope="module")
def first_images(with_packages: Registry, mnist_root: Path):
    """A few training images of a cell's data, read once for all cells that share them."""
    read: dict[str, LabeledImages] = {}

    def first_images(cell: Cell) -> LabeledImages:
        key = repr(cell.dataset)
        if key not in read:
            whole = Parts.of(cell, with_packages).dataset.load("train", mnist_root)
            labels = None if whole.labels is None else whole.labels[:8]
            read[key] = LabeledImages(whole.images[:8].clone(), labels)
        return read[key]

    return first_images


@pytest.fixture
def steps(with_packages: Registry, first_images):
    """Some training steps of a cell, after which all weights are finite."""

    def steps(cell: Cell) -> None:
        parts = Parts.of(cell, with_packages)
        done = make_trainer(cell, parts, first_images(cell), 0, "cpu").run()
        assert done.progress.g_updates >= 1
        for player in (done.generator, done.discriminator):
            assert all(p.isfinite().all() for p in player.parameters())

    return steps


@pytest.mark.parametrize("names", [("0", "1"), ("G", "NoG")])
def test_sorted_folders_train_the_same_model_as_a_table(
    names: tuple[str, str], tmp_path: Path, with_packages: Registry
) -> None:
    """To the last bit, where the classes' pictures are in the same order."""
    labels = [0, 0, 0, 0, 1, 1, 1, 1]
    layouts.glasses(tmp_path / "csv", labels)
    for i, label in enumerate(labels, start=1):
        face = f"face-{i}.png"
        target = tmp_path / "sorted" / names[label] / face
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(tmp_path / "csv" / "faces" / face, target)
    table = ("dataset.pattern=faces/face-{id}.png", f"dataset.path={tmp_path / 'csv'}")
    folder = ("dataset.name=image-folder", f"dataset.path={tmp_path / 'sorted'}")
    trained = []
    for dataset in (table, folder):
        overrides = (*small("cgan_eyeglasses"), *dataset)
        asked = benchmark_file.load(
            FOLDER / "cgan_eyeglasses.yaml", with_packages, overrides=overrides
        )
        (cell,) = plan.make(asked, with_packages, device="cpu").cells
        parts = Parts.of(cell, with_packages)
        data = parts.dataset.load("train", tmp_path)
        assert data.images.shape == (8, 3, 32, 32)  # the size stays with another data set
        trained.append(make_trainer(cell, parts, data, 0, "cpu").run())
    for player in ("generator", "discriminator"):
        one, other = (getattr(done, player).state_dict() for done in trained)
        assert one.keys() == other.keys()
        assert all(torch.equal(value, other[key]) for key, value in one.items())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("name", FILES)
def test_any_loss_takes_one_line_or_those_that_the_file_says(name, loss, planned, steps) -> None:
    one_line = (*small(name), changed(name, "loss", loss))
    beside = BESIDE.get((name, loss), ())
    for i, line in enumerate(beside):
        assert f"`{line}`" in comments(name), line
        others = [as_setting(other) for other in (*beside[:i], *beside[i + 1 :])]
        with pytest.raises(ConfigError):
            planned(name, *one_line, *others)
    (cell,) = planned(name, *one_line, *map(as_setting, beside)).cells
    assert (cell.incompatible, cell.loss.name) == (None, loss)
    steps(cell)


@pytest.mark.parametrize("conditioning", CONDITIONINGS)
@pytest.mark.parametrize("name", FILES)
def test_any_conditioning_takes_one_line_or_sorted_pictures(
    name, conditioning, planned, steps, sorted_pictures
) -> None:
    one_line = (*small(name), changed(name, "conditioning", conditioning))
    if name in UNLABELLED and conditioning != "none":
        assert SORTED in comments(name)
        with pytest.raises(ConfigError, match="needs labels, and data set 'image-folder' has none"):
            planned(name, *one_line)
        one_line = (*one_line, f"dataset.path={sorted_pictures}")
    (cell,) = planned(name, *one_line).cells
    assert (cell.incompatible, cell.g_conditioning.name) == (None, conditioning)
    steps(cell)
