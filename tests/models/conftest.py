"""Saved models that the tests of this room share; what they spoil is a copy."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from helpers import toys

from ganbench.models.saved import find


@pytest.fixture(scope="session")
def plugin(tmp_path_factory) -> Path:
    return toys.write_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="session")
def run(tmp_path_factory, plugin) -> Path:
    """Of an unconditional model, one of conditional norms, and one of a third party."""
    run = tmp_path_factory.mktemp("runs") / "toys"
    toys.write_run(run, plugin, "none", "cbn", "scattered")
    return run


@pytest.fixture
def folder(run, tmp_path) -> Path:
    """A copy of the model with conditional norms, to spoil, without anything around it."""
    copy = tmp_path / "copy"
    shutil.copytree(find.find(run / "bce-cbn"), copy)
    return copy


@pytest.fixture
def foreign(run, tmp_path) -> Path:
    """A copy of the model with a third party's conditioning."""
    return Path(shutil.copytree(find.find(run / "bce-scattered"), tmp_path / "foreign"))
