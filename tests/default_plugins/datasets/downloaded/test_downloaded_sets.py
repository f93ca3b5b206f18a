"""Data sets by name: as torchvision has them, and a sentence where they cannot be had."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch
from helpers import mutants, stand_ins
from torchvision import datasets as theirs

from ganbench import DataError
from ganbench.default_plugins.datasets.downloaded import celeba, matlab
from ganbench.default_plugins.datasets.downloaded.celeba import CelebA
from ganbench.default_plugins.datasets.downloaded.cifar import CIFAR10, CIFAR100
from ganbench.default_plugins.datasets.downloaded.flowers102 import Flowers102
from ganbench.default_plugins.datasets.downloaded.mnist_like import EMNIST, KMNIST, FashionMNIST
from ganbench.default_plugins.datasets.downloaded.stl10 import STL10
from ganbench.default_plugins.datasets.downloaded.svhn import SVHN

SETS = [FashionMNIST(), KMNIST(), CIFAR10(), CIFAR100(), SVHN(), STL10(), Flowers102(resolution=8)]
SETS += [EMNIST(split=split) for split in ("balanced", "letters", "mnist")]
EVERY = pytest.mark.parametrize("dataset", SETS, ids=lambda d: f"{d.name}{getattr(d, 'split', '')}")


@EVERY
def test_set_conforms(dataset, root):
    dataset.load("train", root)
    noise = {"labels_tell_of_their_images"}  # which the stand-ins' labels do not
    assert set(mutants.failures(dataset)) <= noise


@EVERY
def test_set_that_is_absent_conforms(dataset, root, monkeypatch):
    monkeypatch.setenv("GANBENCH_OFFLINE", "1")
    assert mutants.failures(dataset) == {}


@EVERY
def test_first_use_downloads_and_later_ones_do_not(dataset, root, server, monkeypatch):
    before = dataset.status(root)
    assert (before.present, before.verified, before.on_use) == (False, None, True)
    assert not root.exists()
    first = dataset.load("train", root)
    asked = len(server.asked)
    assert asked == len(dataset.archives())
    after = dataset.status(root)
    assert (after.present, after.verified) == (True, True)
    monkeypatch.setenv("GANBENCH_OFFLINE", "1")
    assert torch.equal(dataset.load("train", root).images, first.images)
    dataset.load("test", root)
    assert len(server.asked) == asked
    assert not [
        name
        for name in stand_ins.files_below(root)
        if name.endswith((".zip", ".tar.gz", ".tgz", ".gz"))
    ]
    assert dataset.damage(root) == []


@EVERY
def test_classes_have_names(dataset):
    names, classes = dataset.class_names(), dataset.image_spec().num_classes
    assert len(names) == len(set(names)) == (0 if dataset.name == "svhn" else classes)


@pytest.mark.parametrize(
    ("dataset", "theirs"),
    [
        (FashionMNIST(), lambda root, train: theirs.FashionMNIST(root, train)),
        (KMNIST(), lambda root, train: theirs.KMNIST(root, train)),
        (CIFAR10(), lambda root, train: theirs.CIFAR10(root, train)),
        (CIFAR100(), lambda root, train: theirs.CIFAR100(root, train)),
        (STL10(), lambda root, train: theirs.STL10(root, "train" if train else "test")),
    ],
    ids=lambda d: getattr(d, "name", ""),
)
def test_torchvision_reads_the_same_folder_and_finds_the_same(dataset, theirs, root):
    for split in ("train", "test"):
        found = dataset.load(split, root)
        other = theirs(str(root), split == "train")
        assert len(other) == len(found)
        for i in (0, len(found) - 1):
            picture, label = other[i]
            pixels = torch.from_numpy(np.atleast_3d(np.array(picture))).permute(2, 0, 1)
            assert torch.equal(pixels, found.images[i])
            assert label == found.labels[i]


def test_torchvision_reads_the_same_house_numbers_and_flowers(root):
    found = SVHN().load("test", root)
    other = theirs.SVHN(str(root / "SVHN"), "test")
    assert np.array_equal(other.data, found.images.numpy())
    assert other.labels.tolist() == found.labels.tolist()
    assert sorted(found.labels.tolist()) == list(range(10))
    flowers = Flowers102(resolution=8).load("test", root)
    assert theirs.Flowers102(str(root), "test")._labels == flowers.labels.tolist()
    both = Flowers102(resolution=8, source="train+val").load("train", root)
    assert len(both) == 2 * 102
    assert both.images.shape[1:] == (3, 8, 8)


def test_letters_stand_upright_and_are_counted_from_zero(root):
    found = EMNIST(split="letters").load("train", root)
    published = torch.from_numpy(stand_ins.noise(30, 26, 28, 28))
    assert torch.equal(found.images[:, 0], published.transpose(1, 2))
    assert found.labels.tolist() == list(range(26))
    assert EMNIST(split="letters").class_names()[:2] == ("a", "b")
    assert EMNIST().protocol() == {"orientation": "upright; published transposed"}


def test_all_selections_of_letters_come_with_one_download(root, server):
    for split in stand_ins.CLASSES:
        EMNIST(split=split).load("train", root)
    assert server.asked == ["/gzip.zip"]


def test_unlabelled_photographs_have_no_labels(root):
    dataset = STL10(source="unlabeled")
    found = dataset.load("train", root)
    assert (len(found), found.labels, dataset.image_spec().num_classes) == (4, None, 0)
    assert dataset.load("test", root).labels is None


def test_resolution_is_had_by_resizing_and_said(root):
    dataset = CIFAR10(resolution=16)
    found = dataset.load("test", root)
    assert found.images.shape == (10, 3, 16, 16)
    assert dataset.protocol() == {"resized_from": 32, "filter": "lanczos, antialiased"}
    assert CIFAR10().protocol() == CIFAR10(resolution=32).protocol() == {}
    whole = CIFAR10().load("test", root).images.float()
    assert found.images.float().mean().item() == pytest.approx(whole.mean().item(), abs=1)
    with pytest.raises(ValueError, match="resolution must be positive, found 0"):
        CIFAR10(resolution=0)


def test_celeba_comes_from_google_drive(root, server, drive):
    dataset = CelebA(attributes=["Blond_Hair", "Smiling"], resolution=16)
    assert dataset.status(root).on_use
    assert mutants.failures(dataset) == {}  # which loads it
    train, test = dataset.load("train", root), dataset.load("test", root)
    assert train.labels.tolist() == [0, 2, 1, 3, 0, 2, 1, 3]
    assert test.labels.tolist() == [0, 2, 1, 3]
    assert train.images.shape == (8, 3, 16, 16)
    assert dataset.class_names()[1:3] == ("not Blond_Hair, Smiling", "Blond_Hair, not Smiling")
    assert server.asked == [f"/drive/{id}" for id in stand_ins.CELEBA.values()]
    assert CelebA(resolution=16).load("test", root).labels is None
    misspelt = CelebA(attributes=["Blonde_Hair"]).status(root)
    assert not misspelt.present
    assert "did you mean 'Blond_Hair'?" in misspelt.note


def test_celeba_without_gdown_says_what_to_do(root, monkeypatch):
    monkeypatch.setattr(celeba, "find_spec", lambda name: None)
    with pytest.raises(
        DataError,
        match=r"data/celeba lacks img_align_celeba, list_attr_celeba\.txt, list_eval_partition\.txt"
        r"; CelebA is on Google Drive: `pip install gdown` reaches it, or copy img_align_celeba"
        r"\.zip, list_attr_celeba\.txt, list_eval_partition\.txt to .*/celeba, or name a folder",
    ):
        CelebA().load("train", root)
    assert mutants.failures(CelebA()) == {}


def test_refusal_of_google_drive_is_explained(root, drive, monkeypatch, server):
    monkeypatch.delitem(server.files, "drive/zip-id")
    with pytest.raises(DataError, match=r"uc\?id=zip-id: HTTP Error 404.*; nothing was kept\. Goo"):
        CelebA().load("train", root)
    assert stand_ins.files_below(root) == []


@pytest.mark.parametrize("dataset", [SVHN(), Flowers102()], ids=lambda d: d.name)
def test_without_scipy_nothing_is_downloaded(dataset, root, server, monkeypatch):
    monkeypatch.setattr(matlab, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"are MATLAB's, and SciPy reads them: `pip install scipy`"):
        dataset.load("train", root)
    status = dataset.status(root)
    assert (status.present, status.on_use, server.asked) == (False, False, [])
    assert "pip install scipy" in status.note


@EVERY
def test_offline_and_absent_is_a_sentence(dataset, root, server, monkeypatch):
    monkeypatch.setenv("GANBENCH_OFFLINE", "1")
    why = r"lacks .*; downloads are forbidden by --offline or GANBENCH_OFFLINE: allow them, or copy"
    with pytest.raises(DataError, match=f"data set '{dataset.name}': .*{why}"):
        dataset.load("train", root)
    status = dataset.status(root)
    assert (status.present, status.on_use) == (False, False)
    assert "allow them, or copy" in status.note
    assert server.asked == []
    assert not root.exists()


def test_pipe_is_no_file_of_a_data_set(tmp_path):
    dataset = FashionMNIST(root=str(tmp_path))
    for part in dataset.parts():
        (tmp_path / part).parent.mkdir(parents=True, exist_ok=True)
        os.mkfifo(tmp_path / part)
    assert not dataset.status(tmp_path).present
    with pytest.raises(DataError, match="lacks"):
        dataset.load("train", tmp_path)


def test_missing_flower_is_named(root):
    dataset = Flowers102(resolution=8)
    dataset.load("train", root)
    (root / "flowers-102/jpg/image_00003.jpg").unlink()
    assert dataset.damage(root) == ["flowers-102/jpg/image_00003.jpg"]
    with pytest.raises(DataError, match=r"damaged in .*: flowers-102/jpg/image_00003\.jpg; remove"):
        dataset.load("train", root)
