"""A plugin that writes elsewhere than it may is seen."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from ganbench.testing.fixtures.sandbox import contents, sandbox


def test_files_in_allowed_folders_are_no_strays() -> None:
    with sandbox() as box:
        (box.folder("run") / "table.txt").write_text("1")
        assert box.strays() == []
        assert contents(box.folder("run")) == {"table.txt": b"1"}


def test_files_in_the_working_and_the_temporary_directory_are_seen_apart() -> None:
    with sandbox() as box:
        Path("here.txt").touch()
        _, name = tempfile.mkstemp(suffix=".left")
        assert box.strays() == ["elsewhere/here.txt"]
        assert box.temporary() == [Path(name).name]


def test_directories_are_put_back_whatever_happens() -> None:
    before = os.getcwd(), tempfile.gettempdir()
    with pytest.raises(RuntimeError, match="out of ideas"), sandbox() as box:
        raise RuntimeError("out of ideas")
    assert (os.getcwd(), tempfile.gettempdir()) == before
    assert not box.root.exists()
