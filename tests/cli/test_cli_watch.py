"""`ganbench watch` follows a run that others carry out, by its folder alone."""

from __future__ import annotations

import json
import shutil
import threading
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers import tiny

from ganbench.cli import cli, progress
from ganbench.cli.commands import watch
from ganbench.errors import GanbenchError
from ganbench.records import windows
from ganbench.records.windows import Probe, Window

WINDOW = Window(
    kimg=0.5, iteration=10, seconds=1.0, images_per_second=500.0, g_steps_per_second=10.0,
    d_terms={"real": 0.5}, g_terms={"adversarial": 0.75}, epoch=0.25, progress=0.5,
)  # fmt: skip


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("watched")
    text = tiny.INLINE.replace("num_samples: 200,", "num_samples: 200, controls: [],")
    done = tiny.ganbench("run", tiny.write(folder, text), "--out", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run"


@pytest.fixture
def begun(finished: Path, tmp_path: Path) -> Path:
    """The same run with its second trial half-way."""
    shutil.copytree(finished, tmp_path / "run")
    (second,) = (tmp_path / "run" / "trials").glob("lsgan*")
    for path in second.iterdir():
        if path.name != "trial.json":
            path.unlink()
    windows.append(second / "metrics.jsonl", WINDOW)
    windows.append_probe(second / "probes.jsonl", Probe(0.5, 1.0, {"modes": 3.0, "kl": None}))
    return tmp_path / "run"


def said(*arguments: object) -> Result:
    done = CliRunner().invoke(cli, ["watch", *map(str, arguments)], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done


def test_how_far_a_run_is_is_told_once(begun: Path) -> None:
    first, second = said(begun, "--once").stdout.splitlines()
    assert first.startswith(f"{begun}: 1 of 2 trials have ended")
    expected = "lsgan/none/mlp: 0.5 of 1 kimg, 0.50 kimg/s, D 0.500, G 0.750, 0:01 left"
    assert second.strip() == f"{expected}; modes 3 at 0.5 kimg"


def test_a_finished_run_is_said_to_be(finished: Path) -> None:
    assert said(finished).stdout == (
        f"{finished}: all 2 trials have ended; `ganbench show {finished}` prints the table\n"
    )
    assert said(finished, "--once").stdout == f"{finished}: 2 of 2 trials have ended\n"


def test_trials_are_told_as_they_end(finished, begun, monkeypatch) -> None:
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(progress, "TICK_SECONDS", 0.05)
    monkeypatch.setattr(progress, "HEARTBEAT_SECONDS", 0.1)
    before = sorted(path for path in begun.rglob("*") if path.is_file())
    (name,) = (path.name for path in (finished / "trials").glob("lsgan*"))
    result = (finished / "trials" / name / "result.json").read_bytes()
    end = threading.Timer(1.0, (begun / "trials" / name / "result.json").write_bytes, [result])
    end.start()
    done = said(begun)
    end.join()
    assert "all 2 trials have ended" in done.stdout
    told = done.stderr
    assert "1 trial to run, 1 done before" in told
    assert "lsgan/none/mlp: 0.5 of 1 kimg" in told
    assert "[1/1] lsgan/none/mlp seed 0: ok" in told
    after = sorted(path for path in begun.rglob("*") if path.is_file())
    assert after == sorted([*before, begun / "trials" / name / "result.json"])


def test_a_run_that_nobody_is_at_work_in_is_remarked_on(finished, begun, monkeypatch):
    monkeypatch.setattr(watch, "POLL_SECONDS", 0.05)
    monkeypatch.setattr(watch, "SILENT_SECONDS", -1.0)
    (name,) = (path.name for path in (finished / "trials").glob("lsgan*"))
    result = json.loads((finished / "trials" / name / "result.json").read_text("utf-8"))
    failed = {**result, "status": "failed", "reason": "out of ideas"}
    failed.pop("sha256", None)
    path = begun / "trials" / name / "result.json"
    end = threading.Timer(1.0, path.write_text, [json.dumps(failed)])
    end.start()
    told = said(begun).stderr
    end.join()
    assert told.count("nothing was written for") == 1
    assert f"`ganbench resume {begun}` goes on" in told
    assert "lsgan/none/mlp seed 0: failed: out of ideas" in told


def test_what_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GanbenchError, match=str(tmp_path)):
        said(tmp_path)
