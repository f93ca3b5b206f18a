"""Archives write nowhere but where they should, and leave whole parts or none."""

from __future__ import annotations

import gzip
import io
import os
import stat
import tarfile
import zipfile
from pathlib import Path

import pytest
from helpers import stand_ins

from ganbench import DataError
from ganbench.default_plugins.datasets.downloaded.cifar import CIFAR10
from ganbench.default_plugins.datasets.downloaded.extraction import unpack
from ganbench.default_plugins.datasets.downloaded.flowers102 import Flowers102


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def tar_of(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        about = tarfile.TarInfo(name)
        about.type, about.linkname = kind, target
        content = b"evil" if kind == tarfile.REGTYPE else b""
        about.size = len(content)
        archive.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def zip_of(name: str, mode: int = 0) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        about = zipfile.ZipInfo(name)
        about.external_attr = mode << 16
        archive.writestr(about, b"/etc")
    return packed.getvalue()


EVIL = {
    "up.tar.gz": tar_of("../evil"),
    "absolute.tar.gz": tar_of("/evil"),
    "link.tar.gz": tar_of("part", tarfile.SYMTYPE, "/etc"),
    "hard.tar.gz": tar_of("part", tarfile.LNKTYPE, "../outside"),
    "device.tar.gz": tar_of("part", tarfile.CHRTYPE),
    "up.zip": zip_of("../evil"),
    "deep.zip": zip_of("a/../../evil"),
    "absolute.zip": zip_of("/evil"),
    "windows.zip": zip_of("..\\evil"),
    "drive.zip": zip_of("C:/evil"),
    "link.zip": zip_of("part", stat.S_IFLNK | 0o777),
    "empty.zip": zip_of("./"),
}


@pytest.mark.parametrize("name", EVIL)
def test_archives_that_would_write_elsewhere_are_refused(tmp_path, name):
    into = tmp_path / "deep" / "into"
    into.mkdir(parents=True)
    archive = into / name
    archive.write_bytes(EVIL[name])
    with pytest.raises(
        DataError, match=rf"{name}: (would write outs|cannot be unpacked: |holds no )"
    ):
        unpack(archive, [into / "part"], into)
    assert names(tmp_path) == ["deep", "deep/into", f"deep/into/{name}"]


@pytest.mark.parametrize("kind", ["tar", "zip", "gz"])
@pytest.mark.parametrize("damage", ["half", "garbled"])
def test_archives_that_are_not_whole_leave_nothing(tmp_path, kind, damage):
    content = stand_ins.noise(1, 50_000).tobytes()
    packed = {
        "tar": stand_ins.tar({"part": content}),
        "zip": stand_ins.zipped({"part": content}),
        "gz": gzip.compress(content),
    }[kind]
    middle = len(packed) // 2
    broken = {"half": packed[:middle], "garbled": packed[:middle] + b"!!" + packed[middle + 2 :]}
    archive = tmp_path / ("part.gz" if kind == "gz" else f"archive.{kind}")
    archive.write_bytes(broken[damage])
    with pytest.raises(
        DataError, match=rf"{archive.name}: cannot be unpacked: .*; remove the file"
    ):
        unpack(archive, [tmp_path / "part"], tmp_path)
    assert names(tmp_path) == [archive.name]


def test_only_the_parts_come_out_and_none_is_replaced(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(stand_ins.zipped({"one": b"1", "two": b"2", "three/deep": b"3"}))
    (tmp_path / "one").write_bytes(b"mine")
    unpack(archive, [tmp_path / "one", tmp_path / "three"], tmp_path)
    assert names(tmp_path) == ["a.zip", "one", "three", "three/deep"]
    assert (tmp_path / "one").read_bytes() == b"mine"


@pytest.mark.skipif(os.name != "posix", reason="of file modes")
def test_files_can_be_read_by_others(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(stand_ins.zipped({"folder/file": b"1"}))
    unpack(archive, [tmp_path / "folder"], tmp_path)
    assert (tmp_path / "folder/file").stat().st_mode & 0o444


def test_killed_extraction_is_swept_and_begun_again(root):
    left = root / ".unpacking-cifar-10-python.tar.gz-abc"
    left.mkdir(parents=True)
    (left / "half").write_bytes(b"half")
    (root / ".cifar-10-python.tar.gz.xyz").write_bytes(b"half a download")
    assert len(CIFAR10().load("train", root)) == 50
    assert stand_ins.files_below(root) == ["checksums/cifar10.json", *sorted(CIFAR10().parts())]
    assert not left.exists()


def test_extraction_that_ends_early_leaves_no_folder_of_pictures(root, server, monkeypatch):
    dataset = Flowers102(resolution=8)

    def stopped(*arguments: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("ganbench.default_plugins.datasets.downloaded.extraction._move", stopped)
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


def test_full_disk_is_a_sentence(root, monkeypatch):
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device", "data_batch_1")

    monkeypatch.setattr("ganbench.default_plugins.datasets.downloaded.extraction._extract", full)
    with pytest.raises(
        DataError, match=r"data_batch_1: No space left on device; data set 'cifar10'"
    ):
        CIFAR10().load("train", root)
