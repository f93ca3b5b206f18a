"""Trials of finished runs, taken instead of trained once more."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers import tiny

import ganbench
from ganbench import load_run
from ganbench.cli import cli
from ganbench.errors import RunError

TEXT = tiny.INLINE.replace("num_samples: 200,", "num_samples: 200, controls: [],").replace(
    "fid, throughput", "fid"
)


def run(folder: Path, name: str, *arguments: object, text: str = TEXT) -> Result:
    tiny.write(folder, text)
    words = ["run", folder / "tiny.yaml", "--quiet", "--out", folder / name, *arguments]
    return CliRunner().invoke(cli, [*map(str, words)], catch_exceptions=False)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> Path:
    """A run of two cells with one seed."""
    folder = tmp_path_factory.mktemp("trained")
    assert run(folder, "old").exit_code == 0
    return folder / "old"


def written(folder: Path) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in folder.glob("trials/*/result.json")}


def test_what_a_run_holds_is_taken_and_what_it_lacks_is_trained(trained, tmp_path):
    done = run(tmp_path, "new", "--seeds", "0,1", "--reuse", trained.parent)
    assert done.exit_code == 0, done.output
    assert "2 trials of 4 taken from finished runs" in done.stderr
    found = written(tmp_path / "new")
    assert len(found) == 4
    assert written(trained).items() <= found.items()
    note = f"Not trained here, but taken from run {load_run(trained).info.id}: "
    assert (
        f"{note}bce/none/mlp seed 0, lsgan/none/mlp seed 0."
        in load_run(tmp_path / "new").table.notes
    )


def test_removing_the_old_run_takes_nothing_away(trained, tmp_path):
    shutil.copytree(trained, tmp_path / "old")
    assert run(tmp_path, "new", "--reuse", tmp_path / "old").exit_code == 0
    before = written(tmp_path / "old")
    shutil.rmtree(tmp_path / "old")
    assert written(tmp_path / "new") == before
    assert all(o.result.metrics for o in load_run(tmp_path / "new").outcomes)


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ("another budget", TEXT.replace("kimg: 1", "kimg: 0.5")),
        ("another number of samples", TEXT.replace("num_samples: 200", "num_samples: 100")),
    ],
)
def test_another_cell_is_trained(trained, tmp_path, change, text):
    done = run(tmp_path, "new", "--only", "loss=bce", "--reuse", trained, text=text)
    assert "0 trials of 1 taken" in done.stderr, change
    assert load_run(tmp_path / "new").info.reused == {}


@pytest.mark.parametrize(
    ("file", "place", "value"),
    [
        ("run.json", ("machine", "device_name"), "Another Processor"),
        ("run.json", ("provenance", "packages", "torch"), "1.0"),
        ("trials/*/result.json", ("environment", "ganbench"), "0.0.1"),
        ("trials/*/result.json", ("data", "sha256"), "00" * 32),
    ],
)
def test_what_was_made_otherwise_is_not_taken(trained, tmp_path, file, place, value):
    shutil.copytree(trained, tmp_path / "old")

    def change(found: dict) -> None:
        inner = found
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value

    for path in (tmp_path / "old").glob(file):
        if path.name == "run.json":
            about = json.loads(path.read_text("utf-8"))
            change(about)
            path.write_text(json.dumps(about), "utf-8")
        else:
            tiny.change_result(path, change)
    done = run(tmp_path, "new", "--only", "loss=bce", "--reuse", tmp_path / "old")
    assert "0 trials of 1 taken" in done.stderr


def test_damaged_runs_are_told_and_what_is_no_folder_is_refused(trained, tmp_path):
    (tmp_path / "runs" / "bad").mkdir(parents=True)
    (tmp_path / "runs" / "bad" / "run.json").write_text("{", "utf-8")
    done = run(tmp_path, "new", "--only", "loss=bce", "--reuse", tmp_path / "runs")
    assert "not looked at: " in done.stderr
    with pytest.raises(RunError, match="there is no such folder"):
        run(tmp_path, "other", "--reuse", tmp_path / "none")


def test_python_takes_trials_as_the_command_line_does(trained, tmp_path, caplog):
    caplog.set_level("INFO", "ganbench")
    file = tiny.write(tmp_path, TEXT)
    report = ganbench.run(file, out=tmp_path / "new", reuse=trained)
    assert "2 trials of 2 taken from finished runs" in caplog.text
    assert written(tmp_path / "new") == written(trained)
    assert set(report.info.reused.values()) == {load_run(trained).info.id}
    with pytest.raises(RunError, match="there is no such folder"):
        ganbench.run(file, out=tmp_path / "other", reuse=[trained, tmp_path / "none"])
    assert not (tmp_path / "other").exists()
