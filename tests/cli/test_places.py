"""Places that cannot be written are refused before the work, by every command that works long."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from ganbench.cli import cli, places
from ganbench.errors import ConfigError


@pytest.fixture(autouse=True)
def here(monkeypatch, tmp_path) -> Path:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    images = rng.integers(0, 255, (40, 28, 28), np.uint8)
    np.savez("digits.npz", images=images, labels=np.arange(40) % 2)
    (tmp_path / "kept").mkdir()
    return tmp_path


@pytest.fixture
def read_only(here, monkeypatch) -> Path:
    """A folder as of a read-only file system, which root may not write either."""
    kept = here / "kept"
    access = os.access

    def without_it(path, mode, **how) -> bool:
        return not (mode & os.W_OK and Path(path) == kept) and access(path, mode, **how)

    monkeypatch.setattr(places.os, "access", without_it)
    return kept


LONG = [
    ("judge train digits.npz --out kept", "kept"),
    ("judge train digits.npz --out kept/a/judge", "kept"),
    ("new digits.npz --out kept/a.yaml", "kept"),
    ("datasets preview digits.npz --suspects 5 --out kept/a.png", "kept"),
]


@pytest.mark.parametrize(("line", "place"), LONG)
def test_nothing_is_trained_for_a_place_that_is_read_only(read_only, monkeypatch, line, place):
    from ganbench.evaluation import loading

    monkeypatch.setattr(loading, "load", lambda *_: pytest.fail("it began to work"))
    with pytest.raises(ConfigError, match=rf"cannot be written: .*{place} is read-only here"):
        CliRunner().invoke(cli, line.split(), catch_exceptions=False)


def test_what_can_be_made_is_no_obstacle(here):
    for folder in (here, here / "kept", here / "a" / "b"):
        places.check_writable(folder, folder)
    assert sorted(path.name for path in here.iterdir()) == ["digits.npz", "kept"]


@pytest.mark.parametrize("above", ["digits.npz", "dangling"])
def test_what_is_no_folder_holds_none(here, above):
    (here / "dangling").symlink_to(here / "nowhere")
    with pytest.raises(ConfigError, match=rf"--out j: .*{above} is no folder"):
        places.check_writable(here / above / "judge", Path("j"))
