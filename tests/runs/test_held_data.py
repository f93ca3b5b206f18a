"""One run, one set of data: what changed since its beginning is refused, with what to do."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import tiny

from ganbench.errors import DataChanged
from ganbench.runs import held_data
from ganbench.runs.held_data import Held
from ganbench.training.checkpoints import Checkpoints

DATA = """\
version: 1
name: tiny
seeds: [0]
dataset: {name: tensor, path: images.npz, images: images, test_images: test}
matrix: {loss: [bce, lsgan]}
conditioning: none
architecture: {name: mlp, width: 8, depth: 1}
training: {batch_size: 10, budget: {kimg: 0.1}, log_every: 5}
evaluation: {num_samples: 20, metrics: [fid, memorization], controls: [test]}
execution: {threads: 1, executor: inline}
reporters: [json]
"""
KNOWN = Held("tensor", {"path": "a.npz"}, "train", "00" * 32, 60)


def put(folder: Path, count: int, brightest: int, test_brightest: int = 255) -> None:
    train, test = (
        np.random.default_rng(0).integers(0, most, (number, 4, 4), np.uint8)
        for number, most in ((count, brightest), (30, test_brightest))
    )
    np.savez(folder / "images.npz", images=train, test=test)


@pytest.fixture(scope="module")
def begun(tmp_path_factory) -> Path:
    """A folder with the data and a run of them."""
    folder = tmp_path_factory.mktemp("begun")
    put(folder, 60, 255)
    done = tiny.ganbench("run", tiny.write(folder, DATA), "--out", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture
def run(tmp_path, begun) -> Path:
    """A run with one trial done, and one half done with a checkpoint."""
    shutil.copytree(begun, tmp_path, dirs_exist_ok=True)
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "cwd": str(tmp_path)}))
    (trial,) = tmp_path.glob("run/trials/lsgan*")
    (trial / "result.json").unlink()
    (trial / "checkpoint.pt").write_bytes(b"half done")
    return tmp_path / "run"


@pytest.mark.parametrize(
    ("count", "says", "before"),
    [
        pytest.param(60, "now 60 with", False, id="other values"),
        pytest.param(50, "now 50 with", True, id="fewer, of a run that did not know its data"),
    ],
)
def test_run_is_not_gone_on_with_on_other_data(run, count, says, before):
    if before:
        (run / held_data.FILE).unlink()
    put(run.parent, count, 200)
    done = tiny.ganbench("resume", run, cwd=run.parent)
    assert done.returncode == 3
    (result,) = (r for name, r in tiny.results(run).items() if name.startswith("lsgan"))
    assert result["status"] == "failed"
    assert "its data changed after the run began: 60 images (train)" in result["reason"]
    assert says in result["reason"]
    assert list(run.glob("trials/lsgan*/checkpoint.pt")), "kept for when the data are back"
    put(run.parent, 60, 255)
    done = tiny.ganbench("resume", run, cwd=run.parent)
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize(
    ("which", "before"),
    [
        pytest.param("lsgan", False, id="that a metric looks at"),
        pytest.param("lsgan", True, id="of a run that did not know its test set"),
        pytest.param("real-test", False, id="that is judged itself"),
    ],
)
def test_test_set_is_held_too(run, which, before):
    for trial in run.glob(f"trials/{which}*"):
        (trial / "result.json").unlink(missing_ok=True)
    if which != "lsgan":
        (lost,) = run.glob("trials/lsgan*")
        shutil.copy(next(run.glob("trials/bce*/result.json")), lost)
    if before:
        (run / held_data.FILE).unlink()
    put(run.parent, 60, 255, test_brightest=200)
    assert tiny.ganbench("resume", run, cwd=run.parent).returncode == 3
    (result,) = (r for name, r in tiny.results(run).items() if name.startswith(which))
    assert result["status"] == "failed"
    assert "its data changed after the run began: 30 images (test)" in result["reason"]
    put(run.parent, 60, 255)
    done = tiny.ganbench("resume", run, cwd=run.parent)
    assert done.returncode == 0, done.stderr


def test_run_with_damaged_notes_takes_them_from_its_results(run):
    (run / held_data.FILE).write_text("[1]")
    put(run.parent, 60, 200)
    assert tiny.ganbench("resume", run, cwd=run.parent).returncode == 3
    noted = json.loads((run / held_data.FILE).read_text("utf-8"))
    found = {(one["dataset"], one["split"]): one["num_images"] for one in noted}
    assert found == {("tensor", "train"): 60, ("tensor", "test"): 30}


def test_checkpoint_knows_its_data(tmp_path):
    from helpers.tiny_trainer import trainer_of

    def refuse(known):
        raise DataChanged(known["sha256"])

    path = tmp_path / "c.pt"
    Checkpoints(path, "{}", 1e-9, {"sha256": "ab"}, refuse).save_in_time(trainer_of(), {})
    with pytest.raises(DataChanged, match="ab"):
        Checkpoints(path, "{}", 1e-9, {"sha256": "ab"}, refuse).resume(trainer_of())
    assert path.exists()


def test_only_another_content_is_refused():
    held_data.check(KNOWN, KNOWN)
    with pytest.raises(DataChanged, match="60 images"):
        held_data.check(KNOWN, Held("tensor", {"path": "a.npz"}, "train", "11" * 32, 60))


def test_trial_outside_a_run_holds_nothing(tmp_path):
    held_data.hold(tmp_path / "trials" / "one", KNOWN)
    assert list(tmp_path.iterdir()) == []


def test_leftovers_of_kills_are_removed(run):
    (trial,) = run.glob("trials/bce*")
    left = [
        run / ".results.csv.abcdefg1",
        trial / ".checkpoint.pt.abc_1234",
        trial / ".samples.png.x_______",
        trial / "checkpoint.pt",
    ]
    kept = [trial / ".notes", trial / ".my.settings", trial / ".a.checkpoint.pt"]
    for path in [*left, *kept]:
        path.touch()
    assert tiny.ganbench("resume", run, cwd=run.parent).returncode == 0
    assert [path for path in left if path.exists()] == []
    assert all(path.exists() for path in kept)
