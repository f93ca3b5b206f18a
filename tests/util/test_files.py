"""Files are whole or not there, JSON is strict, and folders are where the user says."""

from __future__ import annotations

import importlib
import json
import math
import os
from pathlib import Path

import platformdirs.unix
import pytest

from ganbench.errors import ConfigError
from ganbench.util import files


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_cache_and_data_are_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "c"))
    monkeypatch.delenv("GANBENCH_DATA", raising=False)
    assert (files.cache(), files.data()) == (tmp_path / "c", tmp_path / "c" / "data")
    monkeypatch.setenv("GANBENCH_DATA", str(tmp_path / "d"))
    assert files.data() == tmp_path / "d"


def test_cache_is_in_the_users_cache_folder_otherwise(monkeypatch, tmp_path):
    monkeypatch.delenv("GANBENCH_CACHE", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert files.cache() == tmp_path / "ganbench"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("USERPROFILE", str(tmp_path / "home"))
    monkeypatch.setattr(platformdirs, "PlatformDirs", platformdirs.unix.Unix)
    assert files.cache() == tmp_path / "home" / ".cache" / "ganbench"


@pytest.mark.parametrize("system", ["Unix", "MacOS"])
def test_cache_is_where_the_system_keeps_caches_unless_it_is_in_the_old_place(
    monkeypatch, tmp_path, system
):
    for name in ("GANBENCH_CACHE", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(name, str(tmp_path))
    folders = {
        "Unix": tmp_path / ".cache" / "ganbench",
        "MacOS": tmp_path / "Library" / "Caches" / "ganbench",
    }
    module = importlib.import_module(f"platformdirs.{system.lower()}")
    monkeypatch.setattr(platformdirs, "PlatformDirs", getattr(module, system))
    assert files.cache() == folders[system]
    before = tmp_path / ".cache" / "ganbench"
    before.mkdir(parents=True)
    assert files.cache() == before


def test_tilde_is_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    monkeypatch.setenv("GANBENCH_CACHE", "~/c")
    monkeypatch.setenv("GANBENCH_DATA", "~/d")
    assert (files.cache(), files.data()) == (tmp_path / "c", tmp_path / "d")


def test_text_is_written_whole_and_replaces(tmp_path):
    path = tmp_path / "a.txt"
    files.write_text(path, "first, and longer\n")
    files.write_text(path, "zweite: äöü\n")
    assert path.read_bytes() == "zweite: äöü\n".encode()
    assert path.stat().st_mode & 0o777 == 0o644
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [ValueError("no"), KeyboardInterrupt(), OSError(28, "full")])
def test_writer_that_fails_leaves_the_old_file(tmp_path, error):
    path = tmp_path / "a.txt"
    path.write_text("old")

    def half(temporary: Path) -> None:
        temporary.write_text("new, but only ha", "utf-8")
        raise error

    with pytest.raises(type(error)):
        files.write_atomically(path, half)
    assert path.read_text() == "old"
    assert names(tmp_path) == ["a.txt"]


def test_writer_that_fails_leaves_no_file_where_none_was(tmp_path):
    with pytest.raises(ZeroDivisionError):
        files.write_atomically(tmp_path / "a.txt", lambda temporary: print(1 / 0))
    assert names(tmp_path) == []


def test_temporary_file_stands_beside_its_target(tmp_path):
    """Only a rename within one file system is atomic."""
    seen: list[Path] = []

    def write(temporary: Path) -> None:
        seen.append(temporary)
        temporary.write_text("x", "utf-8")

    files.write_atomically(tmp_path / "a.txt", write)
    assert seen[0].parent == tmp_path
    assert seen[0].name.startswith(".a.txt.")


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_json_refuses_what_is_not_a_number(tmp_path, bad):
    path = tmp_path / "a.json"
    files.write_json(path, {"x": 1})
    with pytest.raises(ValueError, match="not JSON compliant"):
        files.write_json(path, {"x": [bad]})
    assert files.read_json(path) == {"x": 1}
    assert names(tmp_path) == ["a.json"]


def test_json_comes_back_as_it_was(tmp_path):
    value = {"text": "± äöü", "numbers": [1, 2.5, -1e-300], "none": None, "yes": True}
    files.write_json(tmp_path / "a.json", value)
    assert files.read_json(tmp_path / "a.json") == value
    assert "± äöü" in (tmp_path / "a.json").read_text("utf-8")
    assert json.loads((tmp_path / "a.json").read_text("utf-8")) == value


@pytest.mark.parametrize("content", [b"", b'{"status": "o', b"\xff\xfe{}"])
def test_json_that_is_not_whole_is_none(tmp_path, content):
    (tmp_path / "a.json").write_bytes(content)
    assert files.read_json(tmp_path / "a.json") is None


def test_json_that_is_missing_is_none(tmp_path):
    assert files.read_json(tmp_path / "a.json") is None
    (tmp_path / "file").touch()
    assert files.read_json(tmp_path / "file" / "a.json") is None


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"NaN", "NaN is no number"),
        (b"[-Infinity]", "no number"),
        (b"1e999", "1e999 is no number"),
        (b"1" * 5000, "5,000 digits"),
        (b"[" * 101 + b"]" * 101, "100 levels"),
        (b"[" * 100_000, "100 levels"),
        (rb'{"a": "\ud800"}', "surrogates"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_json_beyond_reason_is_none(tmp_path, content, says):
    with pytest.raises(ValueError, match=says):
        files.parse_json(content)
    (tmp_path / "a.json").write_bytes(content)
    assert files.read_json(tmp_path / "a.json") is None


def test_json_of_a_hundred_levels_is_read():
    assert files.parse_json(b"[" * 100 + b"]" * 100)
    assert files.parse_json(rb'"\ud83d\ude00"') == "\U0001f600"


def test_only_regular_files_of_a_reasonable_size_are_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path in (tmp_path / "pipe", Path("/dev/zero")):
        with pytest.raises(OSError, match="not a regular file"):
            files.read_bytes(path)
    (tmp_path / "a").write_bytes(b"12345")
    assert files.read_bytes(tmp_path / "a", 5) == b"12345"
    with pytest.raises(OSError, match="at most 4 are read"):
        files.read_bytes(tmp_path / "a", 4)


def test_a_user_without_a_home_has_a_cache_of_their_own(monkeypatch, tmp_path):
    for name in ("HOME", "GANBENCH_CACHE", "GANBENCH_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)  # no such user
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    mine = tmp_path / f"ganbench-{os.getuid()}"
    assert files.data() == mine / "data"
    mine.mkdir()
    assert files.cache() == mine
    monkeypatch.setattr("os.getuid", lambda: 4321)
    (tmp_path / "ganbench-4321").mkdir()
    with pytest.raises(ConfigError, match=r"ganbench-4321 is another user's.*set GANBENCH_CACHE"):
        files.cache()
    monkeypatch.setattr("os.path.expanduser", str)
    monkeypatch.delattr("os.getuid")  # as on Windows, whose users have a folder each
    assert files.cache() == tmp_path / "ganbench"


@pytest.mark.parametrize("name", ["GANBENCH_CACHE", "GANBENCH_DATA", "XDG_CACHE_HOME"])
def test_a_cache_in_nobodys_home_is_refused(monkeypatch, name):
    for other in ("GANBENCH_CACHE", "GANBENCH_DATA", "XDG_CACHE_HOME"):
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, "~nosuchuser/cache")
    with pytest.raises(ConfigError, match=f"{name} is ~nosuchuser/cache, and no home folder"):
        files.data()


@pytest.mark.skipif(not os.path.exists("/dev/null"), reason="of systems with devices")
def test_nothing_is_put_in_the_place_of_a_device(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "replace", lambda *paths: pytest.fail("a device was replaced"))
    link = tmp_path / "link"
    link.symlink_to("/dev/null")
    for path in (link, Path("/dev/null")):
        with pytest.raises(OSError, match="a device or a pipe, and no file"):
            files.write_text(path, "x")
    assert names(tmp_path) == ["link"]


def test_links_to_files_and_pipes_give_way(tmp_path):
    (tmp_path / "file").write_text("mine")
    (tmp_path / "link").symlink_to(tmp_path / "file")
    (tmp_path / "nowhere").symlink_to(tmp_path / "none")
    os.mkfifo(tmp_path / "pipe")
    for name in ("link", "nowhere", "pipe"):
        files.write_text(tmp_path / name, "new")
        assert (tmp_path / name).read_text() == "new"
    assert (tmp_path / "file").read_text() == "mine"


@pytest.fixture
def busy(monkeypatch):
    """Let so many replacements fail as on Windows, where somebody has the old file open."""

    def busy(refusals: float, patience: float) -> list[int]:
        calls: list[int] = []
        replace = os.replace

        def refusing(*places):
            calls.append(1)
            if len(calls) <= refusals:
                raise PermissionError(13, "in use by another process")
            replace(*places)

        monkeypatch.setattr(os, "replace", refusing)
        monkeypatch.setattr(files, "_BUSY_SECONDS", patience)
        return calls

    return busy


def test_a_file_that_somebody_reads_is_replaced_once_it_is_let_go(tmp_path, busy):
    calls = busy(2, patience=20.0)
    files.write_text(tmp_path / "a.txt", "new")
    assert len(calls) == 3
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize(("patience", "once"), [(0.0, True), (0.05, False)])
def test_a_file_that_is_never_let_go_is_an_error(tmp_path, busy, patience, once):
    calls = busy(math.inf, patience)
    with pytest.raises(PermissionError):
        files.write_text(tmp_path / "a.txt", "new")
    assert (len(calls) == 1) is once
    assert names(tmp_path) == []
