"""CelebA as its authors and as Kaggle lay it out, in small."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from helpers import mutants
from helpers.folders_of_pictures import celeba

from ganbench import DataError
from ganbench.default_plugins.datasets.celeba_attributes import CelebAAttributes
from ganbench.errors import ConfigError

VALUES = [(-1, -1, 1), (-1, 1, 1), (1, -1, -1), (1, 1, -1), (1, 1, 1), (-1, -1, -1)]
NAMES = [f"{i:06d}.jpg" for i in range(1, 7)]
FACES = {
    name: dict(zip(["Bald", "Blond_Hair", "Male"], values, strict=True))
    for name, values in zip(NAMES, VALUES, strict=True)
}
LAYOUTS = pytest.mark.parametrize("csv", [False, True], ids=["authors", "kaggle"])


@pytest.fixture
def root(tmp_path) -> Path:
    celeba(tmp_path, FACES)
    return tmp_path


def data(root: Path, *attributes: str, **options) -> CelebAAttributes:
    return CelebAAttributes(
        path=str(root), attributes=list(attributes), **{"resolution": 8, **options}
    )


@LAYOUTS
def test_attribute_makes_two_classes(tmp_path, csv):
    celeba(tmp_path, FACES, csv=csv)
    faces = data(tmp_path, "Blond_Hair")
    assert faces.class_names() == ("not Blond_Hair", "Blond_Hair")
    found = faces.load("train", tmp_path)
    assert found.labels.tolist() == [0, 1, 0, 1, 1, 0]
    assert found.images[:, 0, 0, 0].tolist() == pytest.approx(list(range(1, 7)), abs=2)
    assert faces.image_spec().num_classes == 2
    assert faces.status(tmp_path).present


def test_several_attributes_are_bits_of_the_class(root):
    faces = data(root, "Male", "Bald")
    assert faces.class_names() == (
        "not Male, not Bald",
        "not Male, Bald",
        "Male, not Bald",
        "Male, Bald",
    )
    assert faces.load("train", root).labels.tolist() == [2, 2, 1, 1, 3, 0]


def test_vectors_are_the_attributes_themselves(root):
    classes = data(root, "Male", "Bald").load("train", root).labels
    dataset = data(root, "Male", "Bald", vectors=True)
    found = dataset.load("train", root)
    expected = torch.stack([2 * (classes // 2) - 1, 2 * (classes % 2) - 1], 1).float()
    assert torch.equal(found.labels, expected)
    assert (dataset.image_spec().num_classes, dataset.image_spec().condition_dim) == (0, 2)
    assert dataset.class_names() == ()


def test_no_attribute_is_no_label(root):
    found = data(root).load("train", root)
    assert (found.labels, len(found)) == (None, 6)
    assert data(root).image_spec().num_classes == 0


def test_combination_that_no_face_has_is_an_error(root):
    faces = data(root, "Male", "Bald", "Blond_Hair")
    with pytest.raises(DataError, match="no usable training picture of 'not Male, not Bald, Blond"):
        faces.load("train", root)


def test_square_in_the_middle_is_the_default(root):
    assert CelebAAttributes(path="x").protocol()["crop_size"] == 178
    assert data(root, crop_size=140).load("train", root).problems == ()
    problem = data(root, crop_size=200, max_bad=6)
    with pytest.raises(DataError, match="178×218 pixels, smaller than crop_size 200"):
        problem.load("train", root)


@pytest.mark.parametrize("name", ["list_eval_partition.txt", "list_eval_partition.csv"])
def test_partition_is_that_of_the_authors(root, name):
    parts = list(zip(NAMES, "002120", strict=True))
    if name.endswith("txt"):
        text = "".join(f"{image} {part}\n" for image, part in parts)
    else:
        text = "image_id,partition\n" + "".join(f"{image},{part}\n" for image, part in parts)
    (root / name).write_text(text)
    faces = data(root, "Blond_Hair", partition=True)
    assert faces.splits == ("train", "test")
    assert faces.load("train", root).labels.tolist() == [0, 1, 0]
    assert faces.load("test", root).labels.tolist() == [0, 1]  # the fourth is for validation
    assert len(data(root, "Blond_Hair").load("train", root)) == 6


def test_partition_must_be_there_and_whole(root):
    faces = data(root, partition=True)
    assert "holds no list_eval_partition.txt" in faces.status(root).note
    (root / "list_eval_partition.txt").write_text(f"{NAMES[0]} 0\n")
    with pytest.raises(DataError, match=r"5 images are not in it, such as '000002\.jpg'"):
        faces.load("train", root)


def test_unknown_attribute_has_a_suggestion(root):
    why = r"txt: no attribute 'blond_hair'; did you mean 'Blond_Hair'\?\n  known: Bald, Blond_Hair"
    with pytest.raises(DataError, match=why):
        data(root, "blond_hair").image_spec()
    assert data(root, "blond_hair").status(root).present is False


def changed(root: Path, old: str, new: str) -> None:
    path = root / "list_attr_celeba.txt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("6\n", "7\n", "its first line says 7 images, and it lists 6; the file is not whole"),
        ("6\n", "", "its first line is 'Bald Blond_Hair Male', not the number of images"),
        ("-1  -1  1\n", "-1  -1\n", r"txt:3: expected the name of an image and 3 values, found"),
        ("-1  -1  1\n", "-1  2  1\n", r"000001\.jpg: '2' is neither 1 nor -1"),
        ("000001", "../000001", r"txt:3: expected the name of an image"),
    ],
)
def test_list_that_is_not_whole_is_an_error(root, old, new, why):
    changed(root, old, new)
    with pytest.raises(DataError, match=why):
        data(root, "Blond_Hair").load("train", root)


def test_missing_images_are_named_and_counted(root):
    (root / "img_align_celeba" / NAMES[2]).unlink()
    found = data(root).load("train", root)
    assert (len(found), found.problems) == (5, ("000003.jpg: missing",))
    with pytest.raises(DataError, match="of an incomplete copy, image-folder takes what there is"):
        data(root, max_bad=0).load("train", root)


def test_folder_without_celeba_is_a_sentence(tmp_path):
    with pytest.raises(DataError, match=r"holds no list_attr_celeba\.txt or list_attr_celeba\.csv"):
        data(tmp_path, "Male").image_spec()
    with pytest.raises(DataError, match="nothing is not a folder"):
        data(tmp_path / "nothing", "Male").image_spec()


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"attributes": ["Male", "Male"]}, "attributes names one twice: Male, Male"),
        ({"attributes": [f"a{i}" for i in range(11)]}, "attributes may name 10, found 11"),
        ({"partition": True, "test_share": 0.1}, "partition and test_share both name a test set"),
    ],
)
def test_options_that_mean_nothing_are_refused(plugins, options, why):
    with pytest.raises(ConfigError, match=f"dataset 'celeba-attributes': {why}"):
        plugins.build("dataset", "celeba-attributes", {"path": "x", **options})


@pytest.mark.parametrize("attributes", [(), ("Male",), ("Male", "Bald")], ids=str)
def test_conforms(root, attributes):
    assert mutants.failures(data(root, *attributes)) == {}


def test_conforms_where_it_is_not_there(tmp_path):
    assert mutants.failures(data(tmp_path, "Male")) == {}
