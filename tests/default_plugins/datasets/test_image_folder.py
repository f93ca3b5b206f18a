"""Folders of the user's own pictures: classes, splits, and what is said when something is wrong."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

import pytest
import torch
from helpers import mutants
from helpers.folders_of_pictures import bricks, picture, unusable

from ganbench import DataError, LabeledImages
from ganbench.default_plugins.datasets.image_folder import ImageFolder
from ganbench.errors import ConfigError
from ganbench.evaluation import controls

RED, GREEN = (255, 0, 0), (0, 255, 0)


def loaded(folder: Path, split="train", **options) -> LabeledImages:
    data = ImageFolder(path=str(folder), **{"resolution": 8, **options})
    found = data.load(split, folder)
    assert found.images.dtype == torch.uint8
    assert found.images.shape[1:] == (data.channels, data.resolution, data.resolution)
    return found


def reds(found: LabeledImages) -> list[int]:
    return found.images[:, 0, 0, 0].tolist()


@pytest.fixture
def animals(tmp_path) -> Path:
    """Two classes, each of twenty pictures that differ in red."""
    for label, name in enumerate(["ant", "zebra"]):
        for i in range(20):
            picture(tmp_path / "animals" / name / f"{i:02d}.png", (20 * label + i, 0, 0))
    return tmp_path / "animals"


def test_subfolders_are_classes_in_the_order_of_their_names(tmp_path):
    picture(tmp_path / "zebra" / "1.png", "white")
    picture(tmp_path / "ant" / "deep" / "b.png", (20, 0, 0))
    picture(tmp_path / "ant" / "a.PNG", (10, 0, 0))
    picture(tmp_path / ".hidden" / "1.png", "white")
    picture(tmp_path / "ant" / "._a.png", "white")
    (tmp_path / "ant" / "notes.txt").write_text("no picture")
    (tmp_path / "scripts").mkdir()
    (tmp_path / "scripts" / "resize.py").write_text("no picture")
    found = loaded(tmp_path)
    assert found.labels.tolist() == [0, 0, 1]
    assert found.labels.dtype == torch.int64
    assert reds(found) == [10, 20, 255]
    data = ImageFolder(path=str(tmp_path))
    assert data.image_spec().num_classes == 2
    assert data.class_names() == ("ant", "zebra")
    status = data.status(tmp_path)
    assert (status.present, status.verified, status.note) == (True, None, "3 pictures")


def test_flat_folder_is_unlabelled(tmp_path):
    picture(tmp_path / "b.png", "white")
    picture(tmp_path / "a.jpg", "black")
    found = loaded(tmp_path)
    assert found.labels is None
    assert reds(found) == [0, 255]
    assert ImageFolder(path=str(tmp_path)).image_spec().num_classes == 0


def test_one_subfolder_is_unlabelled(tmp_path):
    bricks(tmp_path)
    found = loaded(tmp_path, channels=1, resolution=64)
    assert (found.labels, len(found), found.problems) == (None, 12, ())
    assert found.images[0, 0, 0, 0] == 60
    widths = (found.images[:, 0, 32] > 130).sum(1)
    assert widths.tolist() == sorted(widths.tolist())  # in the order of their names


def test_subfolders_may_mean_nothing(animals):
    found = loaded(animals, labels="none")
    assert (found.labels, len(found)) == (None, 40)


def test_picture_beside_the_classes_is_named(animals):
    picture(animals / "cover.png", "white")
    found = loaded(animals)
    assert len(found) == 40
    assert found.problems == ("cover.png: lies beside the folders of the classes",)


def test_folders_of_splits_are_no_classes(tmp_path):
    picture(tmp_path / "Train" / "1.png", "white")
    picture(tmp_path / "test" / "1.png", "black")
    with pytest.raises(DataError, match=r"Train, test look like splits, not classes; give one of"):
        ImageFolder(path=str(tmp_path)).image_spec()
    assert ImageFolder(path=str(tmp_path)).status(tmp_path).present is False
    train = {"path": str(tmp_path / "Train"), "test_path": str(tmp_path / "test"), "resolution": 8}
    assert reds(ImageFolder(**train).load("test", tmp_path)) == [0]


@pytest.mark.skipif(not hasattr(os, "symlink"), reason="needs links")
def test_links_are_followed_and_broken_ones_named(animals, tmp_path):
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "a").symlink_to(animals / "ant")
    (tmp_path / "linked" / "b").symlink_to(animals / "zebra")
    (animals / "ant" / "x.png").symlink_to(tmp_path / "nowhere.png")
    found = loaded(tmp_path / "linked")
    assert len(found) == 40
    assert found.problems == ("a/x.png: missing",)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs pipes")
def test_pipe_is_not_waited_for(animals):
    os.mkfifo(animals / "ant" / "pipe.png")
    assert loaded(animals).problems == ("ant/pipe.png: not a plain file",)


def test_names_need_not_be_text(animals, tmp_path):
    name = os.fsencode(animals / "ant") + b"/\xff.png"
    try:
        Path(os.fsdecode(name)).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes UTF-8 only")
    assert loaded(animals).problems == ("ant/\\xff.png: empty, 0 bytes",)


def test_share_of_the_pictures_is_held_out(animals):
    options = {"test_share": 0.3}
    train, test = (loaded(animals, split, **options) for split in ("train", "test"))
    assert len(train) + len(test) == 40
    assert 4 <= len(test) <= 20
    assert sorted(reds(train) + reds(test)) == list(range(40))
    assert ((test.images[:, 0, 0, 0] >= 20).long() == test.labels).all()


def test_held_out_picture_stays_so_whatever_else_is_there(animals):
    before = set(reds(loaded(animals, "test", test_share=0.3)))
    shutil.rmtree(animals / "zebra")
    picture(animals / "bee" / "1.png", (99, 0, 0))
    after = set(reds(loaded(animals, "test", test_share=0.3)))
    assert {red for red in before if red < 20} == {red for red in after if red < 20}


def test_splits_are_those_of_the_instance(animals, tmp_path):
    assert ImageFolder(path="x").splits == ("train",)
    assert ImageFolder(path="x", test_share=0.1).splits == ("train", "test")
    assert ImageFolder(path="x", test_path="y").splits == ("train", "test")
    with pytest.raises(DataError, match="'image-folder' has no test split; give it a test_share"):
        loaded(animals, "test")
    found = ImageFolder(path=str(animals), test_share=0.3, resolution=8)
    assert controls.unsupported("drop-class", found) is None
    judged = controls.make("test", found, 5, tmp_path)
    assert len(judged.samples) == 5


def test_test_set_of_its_own_has_the_same_classes(animals, tmp_path):
    picture(tmp_path / "held" / "zebra" / "1.png", (200, 0, 0))
    found = loaded(animals, "test", test_path=str(tmp_path / "held"))
    assert (reds(found), found.labels.tolist()) == ([200], [1])
    picture(tmp_path / "held" / "zbra" / "1.png", (200, 0, 0))
    with pytest.raises(
        DataError, match=r"'zbra' is no class of the training set; did you mean 'zeb"
    ):
        loaded(animals, "test", test_path=str(tmp_path / "held"))


def test_test_set_inside_the_training_set_is_refused(animals):
    with pytest.raises(DataError, match="whose pictures are all for training; put the two beside"):
        loaded(animals, "test", test_path=str(animals / "ant"))


def test_class_of_which_nothing_is_usable_is_an_error(animals):
    for path in (animals / "ant").iterdir():
        path.write_bytes(b"")
    with pytest.raises(DataError, match="no usable training picture of 'ant'; each class needs"):
        loaded(animals, max_bad=20)


def test_more_than_max_bad_is_an_error_that_names_some(animals, caplog):
    unusable(animals / "ant")
    assert len(loaded(animals, max_bad=9)) == 40
    assert "9 of 49 pictures cannot be used and are skipped:\n  ant/bomb.png" in caplog.text
    with pytest.raises(DataError) as caught:
        loaded(animals, max_bad=8)
    first, *listed, remedy = str(caught.value).splitlines()
    assert first == f"{animals}: 9 of 49 pictures cannot be used, and max_bad is 8:"
    assert listed[1] == "  ant/empty.png: empty, 0 bytes"
    assert (len(listed), listed[-1]) == (6, "  and 4 more")
    assert remedy == "repair or remove them, or raise max_bad to go on without them"


def test_empty_and_missing_folders_are_sentences(tmp_path):
    empty, missing = ImageFolder(path=str(tmp_path)), ImageFolder(path=str(tmp_path / "nothing"))
    with pytest.raises(DataError, match=r"no picture in it; looked for \.avif, \.bmp, \.gif"):
        empty.load("train", tmp_path)
    with pytest.raises(DataError, match="nothing is not a folder"):
        missing.image_spec()
    assert empty.status(tmp_path).present is missing.status(tmp_path).present is False
    assert missing.status(tmp_path).note == f"image-folder: {tmp_path}/nothing is not a folder"


def test_empty_test_share_is_a_sentence(tmp_path):
    picture(tmp_path / "a.png", "white")
    with pytest.raises(DataError, match="the test set is empty; change test_share"):
        loaded(tmp_path, "test", test_share=1e-9)


@pytest.mark.parametrize(
    ("options", "why"),
    [
        ({"resolution": 0}, "resolution must be positive, found 0"),
        ({"crop_size": -1}, "crop_size must be positive, found -1"),
        ({"max_bad": -1}, "max_bad must be 0 or more, found -1"),
        ({"test_share": 1.0}, r"test_share must be in \[0, 1\), found 1"),
        ({"test_share": 0.1, "test_path": "y"}, "test_path and test_share both name a test set"),
        ({"crop": "centre"}, "crop: expected 'fit', 'squash' or 'pad', found 'centre'"),
        ({"channels": 4}, "channels: expected 1 or 3, found 4"),
        ({"pth": "x"}, "has no option 'pth'; did you mean 'path'"),
    ],
)
def test_options_that_mean_nothing_are_refused(plugins, options, why):
    with pytest.raises(ConfigError, match=f"dataset 'image-folder'.*{why}"):
        plugins.build("dataset", "image-folder", {"path": "x", **options})


def test_protocol_is_of_the_preparation():
    found = ImageFolder(path="x", crop="pad", resolution=32).protocol()
    assert (found["crop"], found["resolution"]) == ("pad", 32)


@pytest.mark.parametrize("options", [{}, {"test_share": 0.4}, {"labels": "none"}], ids=str)
def test_conforms(animals, options):
    data = ImageFolder(path=str(animals), resolution=8, **options)
    assert mutants.failures(data) == {}


def test_conforms_where_it_is_not_there(tmp_path):
    assert mutants.failures(ImageFolder(path=str(tmp_path / "absent"))) == {}


@pytest.mark.parametrize("ending", ["", ".gz"])
def test_a_folder_of_arrays_is_told_which_data_set_reads_it(tmp_path, ending):
    for name in ("a-labels-idx1-ubyte", "b-images-idx3-ubyte"):
        (tmp_path / f"{name}{ending}").write_bytes(b"")
    said = f"no picture in it.*name: tensor, path: .*b-images-idx3-ubyte{ending}}}"
    data = ImageFolder(path=str(tmp_path))
    with pytest.raises(DataError, match=said):
        data.load("train", tmp_path)
    assert re.search(said, data.status(tmp_path).note)
