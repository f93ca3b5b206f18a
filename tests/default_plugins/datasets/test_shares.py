"""What is held out as a test set, of pictures and arrays, by names or of each class."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import stand_ins
from helpers.folders_of_pictures import picture

from ganbench import DataError
from ganbench.default_plugins.datasets.image_csv import ImageCSV
from ganbench.default_plugins.datasets.image_folder import ImageFolder
from ganbench.default_plugins.datasets.shares import held_out
from ganbench.default_plugins.datasets.tensor import Tensors

NAMES = [f"{i}.png" for i in range(111)]
CLASSES = [0] * 100 + [1] * 10 + [2]


def test_each_class_gives_its_share_and_keeps_one() -> None:
    tested = held_out(NAMES, 0.2, CLASSES)
    counts = np.bincount(np.array(CLASSES)[tested], minlength=3)
    assert counts.tolist() == [20, 2, 0]
    assert sum(held_out(["a", "b"], 0.9, [0, 1])) == 0


def test_without_classes_a_name_decides_alone() -> None:
    tested = held_out(NAMES, 0.2)
    assert 8 <= sum(tested) <= 40
    assert held_out(NAMES[50:60], 0.2) == tested[50:60]


@pytest.fixture
def arrays(tmp_path):
    def arrays(**options) -> Tensors:
        images = np.arange(111, dtype=np.uint8)[:, None, None].repeat(8, 1).repeat(8, 2)
        images[:, 0, 0] = 255
        np.savez(tmp_path / "a.npz", images=images, labels=np.array(CLASSES))
        return Tensors(path=str(tmp_path / "a.npz"), **options)

    return arrays


@pytest.mark.parametrize("stratified", [True, False])
def test_a_share_of_arrays_is_the_test_set(arrays, stratified) -> None:
    found = arrays(test_share=0.2, stratified=stratified)
    assert found.splits == ("train", "test")
    train, test = (found.load(split, Path()) for split in ("train", "test"))
    assert len(train) == found.num_images() == 111 - len(test)
    assert f"{len(train):,} + {len(test):,} images" in found.status(Path()).note
    places = [int(name) for name in (*train.ids, *test.ids)]
    assert sorted(places) == list(range(111))
    for part in (train, test):
        assert part.images[:, 0, 4, 4].tolist() == [int(name) for name in part.ids]
        assert part.labels.tolist() == [CLASSES[int(name)] for name in part.ids]
    if stratified:
        assert test.labels.bincount(minlength=3).tolist() == [20, 2, 0]


def test_no_share_leaves_arrays_as_they_are(arrays) -> None:
    found = arrays()
    assert found.splits == ("train",)
    assert len(found.load("train", Path())) == 111


def test_a_share_of_each_folder_is_the_test_set(tmp_path) -> None:
    for i, label in enumerate(CLASSES):
        picture(tmp_path / "abc"[label] / f"{i}.png", (i, 0, 0))
    found = ImageFolder(path=str(tmp_path), test_share=0.2, stratified=True, resolution=8)
    train, test = (found.load(split, Path()) for split in ("train", "test"))
    assert test.labels.bincount(minlength=3).tolist() == [20, 2, 0]
    reds = torch.cat([train.images[:, 0, 0, 0], test.images[:, 0, 0, 0]])
    assert sorted(reds.tolist()) == list(range(111))


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"stratified": True}, "stratified says how test_share is drawn; give test_share"),
        ({"test_share": 1.0}, r"test_share must be in \[0, 1\), found 1"),
        ({"test_share": 0.1, "test_path": "x"}, "both name a test set; give one"),
        ({"test_share": 0.1, "stratified": True, "labels": "none"}, "these images have none"),
    ],
)
def test_options_that_contradict_each_other_are_told(options, why) -> None:
    with pytest.raises(ValueError, match=why):
        Tensors(path="a.npz", **options)


def test_what_has_no_classes_has_no_share_of_each(tmp_path) -> None:
    np.save(tmp_path / "a.npy", stand_ins.noise(1, 12, 8, 8, 3))
    found = Tensors(path=str(tmp_path / "a.npy"), test_share=0.5, stratified=True)
    with pytest.raises(DataError, match="stratified needs labels; leave it out"):
        found.load("train", tmp_path)
    picture(tmp_path / "p" / "a.png", "white")
    plain = ImageFolder(path=str(tmp_path / "p"), test_share=0.5, stratified=True)
    with pytest.raises(DataError, match="stratified needs classes; leave it out"):
        plain.load("train", tmp_path)
    (tmp_path / "p" / "a.csv").write_text("id,x\na,0.5\n")
    vectors = ImageCSV(
        path=str(tmp_path / "p"), csv="a.csv", condition=["x"], test_share=0.5, stratified=True
    )
    with pytest.raises(DataError, match="stratified needs classes; leave it out"):
        vectors.load("train", tmp_path)
