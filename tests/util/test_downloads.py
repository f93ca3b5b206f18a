"""Downloads happen where they are allowed, and leave a whole file or none."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import stand_ins

from ganbench import DataError, download, offline
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
