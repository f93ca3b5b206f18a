"""A .zip of pictures: read as its folder, and refused where it is no such thing."""

from __future__ import annotations

import stat
import zipfile
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from helpers.folders_of_pictures import glasses, picture

from ganbench import DataError
from ganbench.default_plugins.datasets.image_csv import ImageCSV
from ganbench.default_plugins.datasets.image_files import zipped
from ganbench.default_plugins.datasets.image_folder import ImageFolder
from ganbench.evaluation.real_data import digest


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    zipped._root.cache_clear()
    return tmp_path / "cache"


@pytest.fixture
def birds(tmp_path) -> Path:
    """A folder of two classes and an empty one."""
    for i in range(6):
        picture(tmp_path / "birds" / "owl" / f"{i}.png", (40 * i, 0, 0))
        picture(tmp_path / "birds" / "tit" / f"{i}.jpg", (0, 40 * i, 0))
    (tmp_path / "birds" / "none").mkdir()
    return tmp_path / "birds"


def packed(folder: Path, above: str = "") -> Path:
    """Write a folder's .zip beside it, as a finder does: with more files than anybody asked for."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for inner in sorted(folder.rglob("*")):
            archive.write(inner, f"{above}{inner.relative_to(folder)}")
        archive.writestr("__MACOSX/._0.png", b"no")
        archive.writestr(f"{above}.DS_Store", b"no")
    return path


def loaded(path: Path, **options):
    return ImageFolder(path=str(path), resolution=8, **options).load("train", Path())


@pytest.mark.parametrize("above", ["", "birds/", "a/birds/"])
def test_it_is_its_folder(birds, above, cache):
    plain, found = loaded(birds), loaded(packed(birds, above))
    assert digest(found) == digest(plain)
    assert found.ids == plain.ids
    assert found.remarks == plain.remarks
    data = ImageFolder(path=str(birds.with_suffix(".zip")))
    assert data.class_names() == ("owl", "tit")
    assert data.status(Path()).images == 12
    assert len(list((cache / "pictures").glob("*.u8"))) == 1  # as the files are the same


def test_folders_in_it_are_paths(birds):
    (birds / "owl").rename(birds / "train")
    (birds / "tit").rename(birds / "test")
    archive = packed(birds, "birds/")
    data = ImageFolder(path=f"{archive}/train", test_path=f"{archive}/test", resolution=8)
    assert len(data.load("train", Path())) == len(data.load("test", Path())) == 6
    assert (
        ImageFolder(path=f"{archive}/val")
        .status(Path())
        .note.endswith("birds.zip/val is not a folder")
    )


def test_tables_in_it_are_read(tmp_path):
    glasses(tmp_path / "faces", [0, 1, 0, 1])
    archive = packed(tmp_path / "faces")
    data = ImageCSV(
        path=str(archive), csv="train.csv", label_column="glasses", pattern="faces/face-{id}.png"
    )
    assert data.load("train", Path()).labels.tolist() == [0, 1, 0, 1]


def test_it_is_unpacked_once_and_again_where_that_is_gone(birds, cache, monkeypatch):
    archive = packed(birds)
    count = []
    monkeypatch.setattr(zipped, "_unpack", lambda *a, f=zipped._unpack: (count.append(1), f(*a)))
    for _ in range(2):
        zipped._root.cache_clear()
        assert len(loaded(archive)) == 12
    assert len(count) == 1
    for path in [*(cache / "pictures").rglob("*")]:  # as `ganbench clean` leaves it
        if path.is_file() and path.suffix != ".lock":
            path.unlink()
    zipped._root.cache_clear()
    assert len(loaded(archive)) == 12
    assert len(count) == 2
    picture(birds / "owl" / "new.png", "red")
    assert len(loaded(packed(birds))) == 13


def member(
    name: str, content: bytes = b"x", *, link: bool = False
) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.external_attr = (stat.S_IFLNK | 0o777) << 16 if link else 0
    info.compress_type = zipfile.ZIP_DEFLATED
    return info, content


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([member("../a.png")], r"'../a.png' leaves the folder"),
        ([member("/etc/a.png")], r"'/etc/a.png' leaves the folder"),
        ([member("a/..\\..\\b.png")], "leaves the folder"),
        ([member("c:/a.png")], "leaves the folder"),
        ([member("a.png", b"/etc/passwd", link=True)], "'a.png' leaves the folder"),
        ([member("a/b.png"), member("a")], "cannot be unpacked"),
    ],
)
def test_what_would_lie_elsewhere_is_refused(tmp_path, cache, members, said):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for info, content in members:
            archive.writestr(info, content)
    with pytest.raises(DataError, match=rf"a\.zip: .*{said}"):
        loaded(tmp_path / "a.zip")
    assert not list((cache / "pictures").rglob("*.png"))


def test_bombs_are_refused(tmp_path, monkeypatch):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.pgm", b"P5 1000 1000 255\n" + bytes(10**6))
        archive.writestr("b.pgm", b"P5 1000 1000 255\n" + bytes(10**6))
    assert zipped.unpacked(tmp_path / "a.zip")  # a white picture is packed as much
    for name, value, said in (
        ("FREELY", 10**6, "0.002 GB unpacked of .*, which no pictures are"),
        ("LARGEST", 10**5, "'a.pgm' is of 0.001 GB unpacked, and so no picture"),
        ("MOST_FILES", 1, "2 files; at most 1 are unpacked"),
    ):
        zipped._root.cache_clear()
        (path,) = tmp_path.glob("cache/pictures/unpacked/a-*")
        (path / zipped.WHOLE).unlink(missing_ok=True)
        with monkeypatch.context() as patch:
            patch.setattr(zipped, name, value)
            with pytest.raises(DataError, match=said):
                zipped.unpacked(tmp_path / "a.zip")
        assert zipped.unpacked(tmp_path / "a.zip")
    zipped._root.cache_clear()
    (path / zipped.WHOLE).unlink()
    monkeypatch.setattr(zipped.shutil, "disk_usage", lambda path: SimpleNamespace(free=10))
    with pytest.raises(DataError, match=r"unpacking needs 0.002 GB, and 1e-08 GB are free"):
        zipped.unpacked(tmp_path / "a.zip")


def test_encrypted_and_damaged_archives_are_sentences(birds, tmp_path):
    archive = packed(birds)
    whole = archive.read_bytes()
    at = whole.index(b"PK\x01\x02")
    archive.write_bytes(whole[: at + 8] + bytes([whole[at + 8] | 1]) + whole[at + 9 :])
    with pytest.raises(DataError, match="is encrypted; unpack it with its password, and give"):
        loaded(archive)
    archive.write_bytes(whole[:100])
    with pytest.raises(DataError, match=r"birds.zip: cannot be unpacked: File is not a zip file"):
        loaded(archive)
    at = whole.index(b"owl/0.png") + 30
    archive.write_bytes(whole[:at] + b"rot" + whole[at + 3 :])
    with pytest.raises(DataError, match=r"birds.zip: cannot be unpacked: "):
        loaded(archive)


def test_values_of_pictures_are_those_of_the_files(birds):
    found = loaded(packed(birds))
    assert found.images[:6, 0, 0, 0].tolist() == [0, 40, 80, 120, 160, 200]
    assert found.images.dtype == torch.uint8
