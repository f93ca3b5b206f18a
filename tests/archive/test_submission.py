"""Runs as others may have them: checked, and without what tells of a person or a machine."""

from __future__ import annotations

import getpass
import json
import platform
from pathlib import Path

import pytest
from helpers.many_runs import finished, write
from helpers.tables import row
from PIL import Image

from ganbench import Report
from ganbench.archive import submission
from ganbench.errors import RunError
from ganbench.records.run_folder import Run
from ganbench.testing.fixtures import trials

BCE = "bce/none/mlp"


def told(folder: Path, **private: object) -> Run:
    """A run whose run.json tells of its maker."""
    about = json.loads((folder / "run.json").read_text("utf-8"))
    about |= {"cwd": "/home/alice/work", "config": "/home/alice/work/ring.yaml", **private}
    about["provenance"]["argv"] = ["/home/alice/.venv/bin/ganbench", "run", "ring.yaml"]
    (folder / "run.json").write_text(json.dumps(about), "utf-8")
    return Run.read(folder)


@pytest.fixture
def run(tmp_path, monkeypatch) -> Run:
    monkeypatch.setattr(getpass, "getuser", lambda: "alice")
    monkeypatch.setattr(platform, "node", lambda: "wonderland")
    why = "OSError: /home/alice/data/x.png on wonderland: no such file"
    ends = {0: 1.0, 1: trials.lost("failed", why)}
    write(tmp_path / "run", {"bce": ends, "lsgan": {0: 2.0, 1: 3.0}})
    for trial in (tmp_path / "run" / "trials").iterdir():
        Image.new("RGB", (4, 4)).save(trial / "samples.png")
        (trial / "worker.log").write_text("/home/alice", "utf-8")
        (trial / "model.safetensors").write_bytes(b"weights")
    return told(tmp_path / "run")


def test_a_submitted_run_has_the_same_table_and_tells_of_nobody(run, tmp_path):
    found = submission.prepared(run)
    target = submission.write(found, tmp_path / "shared")
    again = Report.of(Run.read(target))
    assert row(again.table, BCE).n == 1
    assert again.table.plain()["rows"][1] == Report.of(run).table.plain()["rows"][1]
    for path in target.rglob("*"):
        if path.is_file():
            content = path.read_bytes()
            for word in (b"alice", b"wonderland", b"/home"):
                assert word not in content, path
    assert {path.suffix for path in target.rglob("*.*")} <= {".json", ".yaml", ".png"}
    assert len(list(target.rglob("samples.png"))) == 4
    assert "x.png" in row(again.table, BCE).reasons[0]
    assert any("alice" in text for text in found.removed)
    assert "1 trial ended badly, which the table will say" in found.notes


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("/home/alice/a.py", "…/a.py"),
        (r"C:\Users\alice\a.py", "…/a.py"),
        ("at (/tmp/x/y.py:3), then", "at (…/y.py:3), then"),
        ("https://example.org/a/b.html", "https://example.org/a/b.html"),
        ("bce/none/mlp", "bce/none/mlp"),
        ("1/s and n/a", "1/s and n/a"),
        ("by alice on wonderland", "by … on …"),
        ("malice", "malice"),
        ("data/pictures/a.png", "data/pictures/a.png"),
    ],
)
def test_folders_and_names_are_taken_out_and_nothing_else(run, text, left):
    assert submission._Cleaner().text(text) == left


def test_what_is_no_result_is_refused(tmp_path):
    run = write(tmp_path / "a", {"bce": {0: 1.0, 1: None}})
    with pytest.raises(RunError, match="s1 has no result; `ganbench resume` finishes"):
        submission.prepared(run)
    run = write(tmp_path / "b", {"bce": {0: trials.lost("failed", "why")}})
    with pytest.raises(RunError, match="no trial is ok"):
        submission.prepared(run)


def test_numbers_without_their_protocol_are_refused(tmp_path):
    run = write(tmp_path / "a", {"bce": {0: {**finished(1.0), "protocols": {}}}})
    with pytest.raises(RunError, match="of its numbers is not spelled out"):
        submission.prepared(run)


def test_damaged_results_are_refused(tmp_path):
    run = write(tmp_path / "a", {"bce": {0: 1.0, 1: 2.0}})
    path = next(run.directory.glob("trials/*s0/result.json"))
    path.write_text(path.read_text("utf-8").replace('"ok"', '"diverged"'), "utf-8")
    with pytest.raises(RunError, match="its SHA-256 is another"):
        submission.prepared(run)


def test_cells_that_only_this_machine_has_are_refused(tmp_path):
    run = write(tmp_path / "a", {"bce": {0: 1.0}}, options={"path": "/home/alice/pictures"})
    with pytest.raises(RunError, match="made of what only this machine has"):
        submission.prepared(run)


def test_files_that_are_no_pictures_stay_behind(run, tmp_path):
    first, second, *_ = sorted(run.directory.glob("trials/*/samples.png"))
    first.write_bytes(b"no picture")
    second.unlink()
    second.symlink_to("/etc/hostname")
    assert len(submission.prepared(run).pictures) == 2


def test_a_run_is_submitted_once(run, tmp_path):
    found = submission.prepared(run)
    submission.write(found, tmp_path / "shared")
    with pytest.raises(RunError, match="a run is submitted once"):
        submission.write(found, tmp_path / "shared")
