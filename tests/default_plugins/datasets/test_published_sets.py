"""Data sets by name: downloaded once and whole, checked ever after, and as torchvision has them."""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from types import ModuleType
from urllib.request import urlopen

import numpy as np
import pytest
import torch
from helpers import mutants, stand_ins
from torchvision import datasets as theirs

from ganbench import DataError
from ganbench.default_plugins.datasets.published import celeba, matlab
from ganbench.default_plugins.datasets.published.celeba import CelebA
from ganbench.default_plugins.datasets.published.cifar import CIFAR10, CIFAR100
from ganbench.default_plugins.datasets.published.flowers102 import Flowers102
from ganbench.default_plugins.datasets.published.mnist_like import EMNIST, KMNIST, FashionMNIST
from ganbench.default_plugins.datasets.published.stl10 import STL10
from ganbench.default_plugins.datasets.published.svhn import SVHN

SETS = [FashionMNIST(), KMNIST(), CIFAR10(), CIFAR100(), SVHN(), STL10(), Flowers102(resolution=8)]
SETS += [EMNIST(split=split) for split in ("balanced", "letters", "mnist")]
EVERY = pytest.mark.parametrize("dataset", SETS, ids=lambda d: f"{d.name}{getattr(d, 'split', '')}")
DAMAGEABLE = pytest.mark.parametrize("dataset", [FashionMNIST(), CIFAR10()], ids=lambda d: d.name)


@pytest.fixture(scope="module")
def published():
    with pytest.MonkeyPatch.context() as patch, stand_ins.serving() as server:
        stand_ins.publish(server, patch)
        yield server


@pytest.fixture(autouse=True)
def server(published, monkeypatch, tmp_path):
    for name in ("GANBENCH_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    published.asked.clear()
    return published


@pytest.fixture
def root(tmp_path, monkeypatch) -> Path:
    """A data folder that is not there yet."""
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path / "data"))
    return tmp_path / "data"


@pytest.fixture
def drive(monkeypatch, server) -> None:
    """gdown, reaching the stand-ins."""

    def download(url: str, output: str, quiet: bool) -> None:
        with urlopen(f"{server.base}drive/{url.rpartition('=')[2]}") as answer:
            Path(output).write_bytes(answer.read())

    gdown = ModuleType("gdown")
    gdown.download = download
    gdown.__spec__ = object()
    monkeypatch.setitem(sys.modules, "gdown", gdown)


def files(folder: Path) -> list[str]:
    found = (path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())
    return sorted(name for name in found if not name.endswith(".lock"))


@EVERY
def test_set_conforms(dataset, root):
    dataset.load("train", root)
    assert mutants.failures(dataset) == {}


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
    assert not [name for name in files(root) if name.endswith((".zip", ".tar.gz", ".tgz", ".gz"))]
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
    assert files(root) == []


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


def test_archive_that_the_user_brings_is_used_and_kept(root, server, monkeypatch):
    monkeypatch.setenv("GANBENCH_OFFLINE", "1")
    root.mkdir()
    archive = root / "cifar-10-python.tar.gz"
    archive.write_bytes(server.files[archive.name])
    assert CIFAR10().status(root).on_use
    assert len(CIFAR10().load("train", root)) == 50
    assert archive.is_file()
    archive.write_bytes(b"something else")
    (root / CIFAR10().parts()[0]).unlink()
    with pytest.raises(
        DataError, match=r"10-python\.tar\.gz: 14 bytes with MD5 \w+, expected \w+;"
    ):
        CIFAR10().load("train", root)


def test_copy_of_ones_own_is_read_and_never_written(root, tmp_path, server):
    CIFAR10().load("train", root)
    own = tmp_path / "own"
    (root / CIFAR10.folder).rename(own.joinpath(CIFAR10.folder).parent.mkdir() or own / "x")
    (own / "x").rename(own / CIFAR10.folder)
    server.asked.clear()
    before = files(own)
    dataset = CIFAR10(root=str(own))
    assert dataset.status(root).verified is True
    assert len(dataset.load("test", tmp_path / "elsewhere")) == 10
    assert (files(own), server.asked) == (before, [])
    (own / CIFAR10.folder / "test_batch").unlink()
    with pytest.raises(DataError, match=r"py lacks test_batch, which torchvision would keep there"):
        dataset.load("test", root)
    assert not dataset.status(root).on_use


def test_copy_of_ones_own_without_sums_is_not_called_verified(root, tmp_path):
    FashionMNIST().load("train", root)
    status = FashionMNIST(root=str(root)).status(tmp_path)
    assert (status.present, status.verified) == (True, None)


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "gzip.zip"])
def test_download_that_is_another_file_leaves_nothing(root, server, monkeypatch, name):
    dataset = CIFAR10() if "cifar" in name else EMNIST()
    monkeypatch.setitem(server.files, name, server.files[name][:-1] + b"!")
    with pytest.raises(DataError, match=rf"{name}: sent .* bytes with MD5 .*; nothing was kept"):
        dataset.load("train", root)
    assert files(root) == []


def test_server_that_has_it_no_more_is_explained(root, server, monkeypatch):
    monkeypatch.delitem(server.files, "cifar-10-python.tar.gz")
    with pytest.raises(DataError, match=r"HTTP Error 404: Not Found; nothing was kept\. Try again"):
        CIFAR10().load("train", root)


def sums(root: Path, name: str) -> Path:
    return root / "checksums" / f"{name}.json"


def test_checksums_of_the_archive_and_of_its_files_are_kept(root, server):
    CIFAR10().load("train", root)
    kept = json.loads(sums(root, "cifar10").read_text())
    archive = kept["archives"]["cifar-10-python.tar.gz"]
    content = server.files["cifar-10-python.tar.gz"]
    assert archive["md5"] == stand_ins.md5(content)
    assert archive["from"] == theirs.CIFAR10.url
    assert (archive["size"], len(archive["sha256"])) == (len(content), 64)
    assert sorted(kept["files"]) == sorted(CIFAR10().parts())


def test_another_archive_of_the_same_md5_is_refused(root):
    """MD5 can be forged; the SHA-256 of the first time cannot."""
    CIFAR10().load("train", root)
    path = sums(root, "cifar10")
    kept = json.loads(path.read_text())
    kept["archives"]["cifar-10-python.tar.gz"]["sha256"] = "0" * 64
    path.write_text(json.dumps(kept))
    (root / CIFAR10().parts()[0]).unlink()
    with pytest.raises(DataError, match=r"sent other content than when it was first downloaded: S"):
        CIFAR10().load("train", root)


def flip(path: Path, *, silently: bool = False) -> None:
    """Change the last byte; silently: so that size and time do not tell."""
    about, content = path.stat(), path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    times = (about.st_atime_ns, about.st_mtime_ns + (0 if silently else 10**9))
    os.utime(path, ns=times)


@DAMAGEABLE
def test_damage_is_seen_named_and_repaired(dataset, root):
    before = dataset.load("train", root).images.clone()
    part = dataset.parts()[0]
    flip(root / part)
    status = dataset.status(root)
    assert (status.present, status.verified) == (True, False)
    with pytest.raises(DataError, match=rf"damaged in {root}: {part}; remove them and run `ganb"):
        dataset.load("train", root)
    assert dataset.damage(root) == [part]
    (root / part).unlink()
    assert torch.equal(dataset.load("train", root).images, before)
    assert dataset.status(root).verified is True


@DAMAGEABLE
def test_rot_that_leaves_size_and_time_is_found_by_reading(dataset, root):
    dataset.load("train", root)
    flip(root / dataset.parts()[1], silently=True)
    assert dataset.status(root).verified is True
    assert dataset.damage(root) == [dataset.parts()[1]]


def test_copied_files_have_other_times_and_are_read_again(root):
    FashionMNIST().load("train", root)
    for part in FashionMNIST().parts():
        os.utime(root / part, ns=(1, 1))
    assert FashionMNIST().status(root).verified is True


def test_files_that_were_there_before_are_trusted_and_recorded(root, server):
    FashionMNIST().load("train", root)
    sums(root, "fashion-mnist").unlink()
    assert FashionMNIST().status(root).verified is None
    FashionMNIST().load("train", root)
    assert FashionMNIST().status(root).verified is True
    assert len(server.asked) == 4


def test_damaged_record_is_taken_anew(root):
    CIFAR10().load("train", root)
    for text in ("no JSON", "[]", '{"files": {"a": [1]}, "archives": {}}'):
        sums(root, "cifar10").write_text(text)
        assert CIFAR10().status(root).verified is True  # by torchvision's sums
        CIFAR10().load("train", root)
        assert len(json.loads(sums(root, "cifar10").read_text())["files"]) == 7


def test_unrecorded_pickles_of_others_are_not_loaded(root, tmp_path):
    CIFAR10().load("train", root)
    sums(root, "cifar10").unlink()
    bad = root / CIFAR10.folder / "data_batch_2"
    bad.write_bytes(b"cposix\nsystem\n(S'touch " + str(tmp_path / "bang").encode() + b"'\ntR.")
    for dataset in (CIFAR10(), CIFAR10(root=str(root))):
        with pytest.raises(
            DataError, match=r"damaged in .*: cifar-10-batches-py/data_batch_2; rem"
        ):
            dataset.load("train", root)
    assert not (tmp_path / "bang").exists()
    assert not sums(root, "cifar10").exists()


def test_killed_extraction_is_swept_and_begun_again(root):
    left = root / ".unpacking-cifar-10-python.tar.gz-abc"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"half")
    (root / ".cifar-10-python.tar.gz.xyz").write_bytes(b"half a download")
    assert len(CIFAR10().load("train", root)) == 50
    assert files(root) == ["checksums/cifar10.json", *sorted(CIFAR10().parts())]
    assert not left.exists()


def test_extraction_that_ends_early_leaves_no_folder_of_pictures(root, server, monkeypatch):
    dataset = Flowers102(resolution=8)

    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ganbench.default_plugins.datasets.published.extraction._move", stopped)
        with pytest.raises(KeyboardInterrupt):
            dataset.load("train", root)
    assert (root / "flowers-102/102flowers.tgz").is_file()  # whole, and used at the next start
    assert not (root / "flowers-102/jpg").exists()
    assert not dataset.status(root).present
    assert len(dataset.load("train", root)) == 102
    assert server.asked == [
        f"/flowers/{name}" for name in ("102flowers.tgz", "imagelabels.mat", "setid.mat")
    ]
    assert not (root / "flowers-102/102flowers.tgz").exists()


def test_two_at_once_download_once(root, server):
    found = []
    work = [
        threading.Thread(target=lambda: found.append(CIFAR10().load("test", root))) for _ in "ab"
    ]
    for thread in work:
        thread.start()
    for thread in work:
        thread.join()
    assert torch.equal(found[0].images, found[1].images)
    assert server.asked == ["/cifar-10-python.tar.gz"]


def test_folder_that_cannot_be_made_is_a_sentence(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        DataError, match=r"data set 'cifar10' is kept there, and GANBENCH_DATA name"
    ):
        CIFAR10().load("train", tmp_path / "file" / "data")


def test_full_disk_is_a_sentence(root, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "data_batch_1")

    monkeypatch.setattr("ganbench.default_plugins.datasets.published.extraction._extract", full)
    with pytest.raises(
        DataError, match=r"data_batch_1: No space left on device; data set 'cifar10'"
    ):
        CIFAR10().load("train", root)


def test_missing_flower_is_named(root):
    dataset = Flowers102(resolution=8)
    dataset.load("train", root)
    (root / "flowers-102/jpg/image_00003.jpg").unlink()
    assert dataset.damage(root) == ["flowers-102/jpg/image_00003.jpg"]
    with pytest.raises(DataError, match=r"damaged in .*: flowers-102/jpg/image_00003\.jpg; remove"):
        dataset.load("train", root)
