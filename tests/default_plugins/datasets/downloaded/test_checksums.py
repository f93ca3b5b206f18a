"""What was downloaded is held to its checksums ever after, and damage is named."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import torch
from helpers import stand_ins
from torchvision import datasets as theirs

from ganbench import DataError
from ganbench.default_plugins.datasets.downloaded.cifar import CIFAR10
from ganbench.default_plugins.datasets.downloaded.mnist_like import FashionMNIST

DAMAGEABLE = pytest.mark.parametrize("dataset", [FashionMNIST(), CIFAR10()], ids=lambda d: d.name)


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
