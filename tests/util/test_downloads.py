"""Downloads happen where they are allowed, and archives write nowhere but where they should."""

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

from ganbench import DataError, download, offline
from ganbench.default_plugins.datasets.published.extraction import unpack
from ganbench.util.progress import observing


@pytest.fixture
def server(monkeypatch):
    for name in ("GANBENCH_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with stand_ins.serving() as server:
        server.files["file"] = b"right"
        yield server


def check(path: Path) -> str | None:
    return None if path.read_bytes() == b"right" else "something else"


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


def test_what_is_downloaded_is_there_whole_and_progress_is_told(server, tmp_path):
    told = []
    with observing(lambda *news: told.append(news)):
        download([f"{server.base}file"], tmp_path / "new" / "file", check, otherwise="wait")
    assert (tmp_path / "new" / "file").read_bytes() == b"right"
    assert told == [("downloading file", 0, 1), ("downloading file", 1, 1)]


def test_every_address_is_tried_and_every_problem_told(server, tmp_path):
    server.files["wrong"] = b"wrong"
    urls = [f"{server.base}{name}" for name in ("absent", "wrong")]
    why = r"absent: HTTP Error 404: Not Found; .*wrong: sent something else; nothing was kept\. Try"
    with pytest.raises(DataError, match=f"{why} again later, or bring it"):
        download(urls, tmp_path / "file", check, otherwise="bring it")
    assert names(tmp_path) == []
    download([*urls, f"{server.base}file"], tmp_path / "file", check, otherwise="bring it")
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(("value", "forbidden"), [("1", True), ("yes", True), ("0", False)])
def test_offline_is_one_variable(server, tmp_path, monkeypatch, value, forbidden):
    monkeypatch.setenv("GANBENCH_OFFLINE", value)
    assert offline() is forbidden
    if forbidden:
        with pytest.raises(
            DataError, match=f"forbids downloads; unset it, or copy f to {tmp_path}"
        ):
            download([f"{server.base}file"], tmp_path / "f", check, otherwise="")
        assert server.asked == []


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
