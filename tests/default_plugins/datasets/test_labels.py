"""Labels that do not fit are used rightly, refused or remarked on; none is dropped in silence."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import folders_of_pictures, stand_ins

from ganbench import DataError
from ganbench.default_plugins.datasets.image_csv import ImageCSV, sorted_labels
from ganbench.default_plugins.datasets.tensor import Tensors

IMAGES = stand_ins.noise(1, 6, 8, 8, 3)
IDS = np.arange(6) % 3


def tensors(folder: Path, suffix: str = ".npz", **content) -> Tensors:
    options = content.pop("options", {})
    path = folder / f"data{suffix}"
    if suffix == ".npz":
        np.savez(path, images=IMAGES, **content)
    else:
        torch.save({"images": torch.from_numpy(IMAGES), **content}, path)
    return Tensors(path=str(path), **options)


@pytest.mark.parametrize("name", ["labels", "label", "y", "y_train", "targets", "train.classes"])
@pytest.mark.parametrize(
    ("values", "names"),
    [
        (IDS + 1.0, ("1", "2", "3")),
        (np.eye(3)[IDS], ()),
        (np.eye(3, dtype=np.uint8)[IDS], ()),
        (np.eye(3, dtype=bool)[IDS], ()),
        (np.eye(4)[IDS + 1], ("1", "2", "3")),
    ],
)
def test_classes_as_fractions_and_one_hot_rows_are_taken(tmp_path, name, values, names):
    dataset = tensors(tmp_path, **{name: values})
    assert dataset.load("train", Path()).labels.tolist() == IDS.tolist()
    assert dataset.class_names() == names


@pytest.mark.parametrize("suffix", [".npz", ".pt"])
@pytest.mark.parametrize(
    ("values", "why"),
    [
        (
            IDS[:5],
            r"data\.\w+: labels: labels of shape \(5,\) for 6 images; give one class of each",
        ),
        (IDS[:5] + 1.0, r"labels of shape \(5,\) for 6 images.*, or labels: none"),
        (np.ones((6, 3)), r"labels of shape \(6, 3\) for 6 images"),
        (IDS / 2, "labels are fractions"),
        (np.array([0, 1, 2, 0, 1, np.nan]), "1 of 6 labels are NaN or infinite, as where there is"),
    ],
)
def test_arrays_called_labels_that_are_none_are_refused(tmp_path, suffix, values, why):
    if suffix == ".pt":
        values = torch.from_numpy(values)
    dataset = tensors(tmp_path, suffix, labels=values)
    for asked in (dataset.image_spec, lambda: dataset.load("train", Path())):
        with pytest.raises(DataError, match=why):
            asked()
    assert "labels" in dataset.status(Path()).note


def test_labels_may_be_left_aside(tmp_path):
    dataset = tensors(tmp_path, labels=IDS[:5], options={"labels": "none"})
    assert dataset.image_spec().num_classes == 0
    assert dataset.load("train", Path()).labels is None
    np.save(tmp_path / "bare.npy", IMAGES)
    bare = Tensors(path=str(tmp_path / "bare.npy"), labels="none")
    assert bare.load("train", Path()).labels is None


@pytest.mark.parametrize(
    "beside",
    [
        {"weights": np.ones(6)},
        {"label_names": np.array(["a", "b", "c"])},
        {"classes": np.array(["a", "b", "c"])},
        {"test_labels": IDS[:3]},
        {"attributes": np.ones((6, 3))},
    ],
)
def test_other_arrays_are_no_labels(tmp_path, beside):
    assert tensors(tmp_path, **beside).load("train", Path()).labels is None


def pictures(folder: Path, *rows: str, **options) -> ImageCSV:
    for i in range(4):
        folders_of_pictures.picture(folder / f"{i}.png", (200 + i, 0, 0))
    (folder / "a.csv").write_text("\n".join(["id,label", *rows]) + "\n")
    return ImageCSV(path=str(folder), csv="a.csv", resolution=8, **options)


def test_pictures_without_a_row_are_remarked_on(tmp_path):
    (tmp_path / "note.txt").write_text("no picture")
    whole = pictures(tmp_path, "0,cat", "1,dog", "2,cat", "3,dog")
    assert whole.load("train", Path()).remarks == ()
    chosen = pictures(tmp_path, "0,cat", "1,dog", "2,cat", "3,dog", where={"label": "cat"})
    assert chosen.load("train", Path()).remarks == ()  # which were left out on purpose
    (remark,) = pictures(tmp_path, "0,cat", "1,dog").load("train", Path()).remarks
    assert remark == "2 pictures have no row in a.csv, such as '2.png'"


def test_the_same_id_with_another_label_is_a_problem(tmp_path):
    dataset = pictures(tmp_path, "0,cat", "1,dog", "0,dog")
    found = dataset.load("train", Path())
    assert found.problems == ("a.csv: line 4: '0.png' again, after line 2, there with label cat",)


@pytest.mark.parametrize("name", ["fix.csv", "fix.yaml"])
def test_corrections_that_contradict_each_other_are_refused(tmp_path, name):
    text = "id,label\n0,dog\n0,cat\n" if name == "fix.csv" else "0: dog\n0: cat\n"
    (tmp_path / name).write_text(text)
    with pytest.raises(DataError, match=rf"{name}: '0' gets label 'dog' and 'cat'"):
        pictures(tmp_path, "0,cat", "1,dog", relabel=name).class_names()


def test_order_of_classes_does_not_hang_on_what_is_no_number():
    assert sorted_labels(["10", "9", "nan"]) == ("10", "9", "nan")
    assert sorted_labels(["10", "9", "-1"]) == ("-1", "9", "10")


NESTED = "a: " + "[" * 600
ALIASES = "a: &a x\nb: [*a, *a]\n"


@pytest.mark.parametrize("text", [NESTED, ALIASES, "a: {b: c}\n", "[a, b]: c\n", "a\n", ""])
def test_corrections_that_are_no_list_are_refused(tmp_path, text):
    (tmp_path / "fix.yaml").write_text(text)
    with pytest.raises(DataError, match=r"fix\.yaml: .*expected one line `id: label` for each"):
        pictures(tmp_path, "0,cat", "1,dog", relabel="fix.yaml").class_names()


def test_tables_of_any_width_are_not_read(tmp_path):
    wide = pictures(tmp_path)
    (tmp_path / "a.csv").write_text(",".join(f"c{i}" for i in range(1_000_000)))
    with pytest.raises(DataError, match=r"names 1,000,000 columns, and 10,000 are possible"):
        wide.class_names()
    (tmp_path / "a.csv").write_bytes(b"x" * 17_000_000)
    with pytest.raises(DataError, match=r"a line of more than 16,777,216 characters; not CSV"):
        wide.class_names()
