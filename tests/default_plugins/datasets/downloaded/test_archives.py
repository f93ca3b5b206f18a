"""Archives come once and whole, from the server or from the user, or not at all."""

from __future__ import annotations

import gzip
import hashlib
import threading

import pytest
import torch
from helpers import stand_ins
from torchvision import datasets as theirs

from ganbench import DataError
from ganbench.default_plugins.datasets.downloaded.cifar import CIFAR10
from ganbench.default_plugins.datasets.downloaded.mnist_like import EMNIST, FashionMNIST


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
    before = stand_ins.files_below(own)
    dataset = CIFAR10(root=str(own))
    assert dataset.status(root).verified is True
    assert len(dataset.load("test", tmp_path / "elsewhere")) == 10
    assert (stand_ins.files_below(own), server.asked) == (before, [])
    (own / CIFAR10.folder / "test_batch").unlink()
    with pytest.raises(DataError, match=r"py lacks test_batch, which torchvision would keep there"):
        dataset.load("test", root)
    assert not dataset.status(root).on_use


def test_copy_of_ones_own_without_sums_is_not_called_verified(root, tmp_path):
    FashionMNIST().load("train", root)
    status = FashionMNIST(root=str(root)).status(tmp_path)
    assert (status.present, status.verified) == (True, None)


def packed_anew(server, name: str) -> bytes:
    """The same content, as another program packs it."""
    return gzip.compress(gzip.decompress(server.files[f"FashionMNIST/{name}"]), 1, mtime=7)


PACKED = [f"{split}-{what}.gz" for split in ("train", "t10k")
          for what in ("images-idx3-ubyte", "labels-idx1-ubyte")]  # fmt: skip


def test_archives_that_were_packed_anew_count_by_what_is_in_them(root, server, monkeypatch):
    monkeypatch.setenv("GANBENCH_OFFLINE", "1")
    folder = root / "FashionMNIST" / "raw"
    folder.mkdir(parents=True)
    for name in PACKED:
        (folder / name).write_bytes(packed_anew(server, name))
    with pytest.raises(DataError, match=r"gz: [\d,]+ bytes with MD5 \w+, expected \w+; remove"):
        FashionMNIST().load("train", root)
    contents = {
        name: hashlib.sha256(gzip.decompress(packed_anew(server, name))).hexdigest()
        for name in PACKED
    }
    monkeypatch.setattr(FashionMNIST, "contents", contents)
    assert len(FashionMNIST().load("train", root)) > 0
    assert FashionMNIST().status(root).verified is True
    (folder / PACKED[0]).write_bytes(packed_anew(server, PACKED[2]))
    (folder / PACKED[0].removesuffix(".gz")).unlink()
    with pytest.raises(DataError, match="expected"):  # other content
        FashionMNIST().load("train", root)
    (folder / PACKED[0]).write_bytes(b"no gzip")
    with pytest.raises(DataError, match="7 bytes with MD5"):
        FashionMNIST().load("train", root)


def test_contents_of_archives_are_of_the_files_that_torchvision_names():
    names = {url for url, _ in theirs.FashionMNIST.resources}
    assert FashionMNIST.contents.keys() == names
    assert all(len(bytes.fromhex(sha256)) == 32 for sha256 in FashionMNIST.contents.values())


def test_copy_of_ones_own_may_be_packed(root, server, tmp_path):
    plain = FashionMNIST().load("test", root)
    own = tmp_path / "own"
    (own / "FashionMNIST" / "raw").mkdir(parents=True)
    for name in PACKED:
        (own / "FashionMNIST" / "raw" / name).write_bytes(packed_anew(server, name))
    before = stand_ins.files_below(own)
    dataset = FashionMNIST(root=str(own))
    assert dataset.status(tmp_path).present
    assert torch.equal(dataset.load("test", tmp_path).images, plain.images)
    assert stand_ins.files_below(own) == before
    (own / "FashionMNIST" / "raw" / PACKED[3]).unlink()
    with pytest.raises(DataError, match="lacks t10k-labels-idx1-ubyte, which torchvision would"):
        dataset.load("test", tmp_path)


@pytest.mark.parametrize("name", ["cifar-10-python.tar.gz", "gzip.zip"])
def test_download_that_is_another_file_leaves_nothing(root, server, monkeypatch, name):
    dataset = CIFAR10() if "cifar" in name else EMNIST()
    monkeypatch.setitem(server.files, name, server.files[name][:-1] + b"!")
    with pytest.raises(DataError, match=rf"{name}: sent .* bytes with MD5 .*; nothing was kept"):
        dataset.load("train", root)
    assert stand_ins.files_below(root) == []


def test_server_that_has_it_no_more_is_explained(root, server, monkeypatch):
    monkeypatch.delitem(server.files, "cifar-10-python.tar.gz")
    with pytest.raises(DataError, match=r"HTTP Error 404: Not Found; nothing was kept\. Try again"):
        CIFAR10().load("train", root)


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
