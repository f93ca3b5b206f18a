"""A server of stand-ins for what torchvision knows where to download."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType
from urllib.request import urlopen

import pytest
from helpers import stand_ins


@pytest.fixture(scope="module")
def published():
    with pytest.MonkeyPatch.context() as patch, stand_ins.serving() as server:
        stand_ins.publish(server, patch)
        yield server


@pytest.fixture
def server(published, monkeypatch, tmp_path):
    for name in ("GANBENCH_OFFLINE", "http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    published.asked.clear()
    return published


@pytest.fixture
def root(server, tmp_path, monkeypatch) -> Path:
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
