"""A few damaged run folders, as benchmarks/fuzz/run_folders.py makes them by thousands."""

from __future__ import annotations

import os
from pathlib import Path
from types import ModuleType

import pytest
from helpers import scripts

import ganbench


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    return scripts.script("fuzz", "run_folders")


@pytest.mark.filterwarnings("default")  # commands print them
def test_damaged_run_folders_end_in_sentences(fuzz):
    counts, wrong = fuzz.run_cases(range(25), seed=7)
    assert wrong == []
    assert sum(counts.values()) == 25
    assert len(counts) > 1, "some are read, and some are not"


def test_traceback_is_found(fuzz, monkeypatch):
    def raises(path: str) -> None:
        raise KeyError("cells")

    monkeypatch.setattr(ganbench, "load_run", raises)
    word, told = fuzz.ended(["load_run", "x"])
    assert word == "traceback"
    assert "KeyError" in told


def test_what_does_not_end_is_found(fuzz, monkeypatch, tmp_path):
    os.mkfifo(tmp_path / "pipe")
    monkeypatch.setattr(ganbench, "load_run", lambda path: Path(path).read_text("utf-8"))
    assert fuzz.ended(["load_run", str(tmp_path / "pipe")], 0.1)[0] == "hung"


def test_case_is_made_again_by_its_number(fuzz, tmp_path):
    whole = fuzz.begun(tmp_path, fuzz.RUN)
    said = set()
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        said.add(fuzz.case(whole, tmp_path / name, 3, 1)[:2])
    assert len(said) == 1
