"""What is told of trainings while they go on: epochs with their losses, and how far each is."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import cast

import pytest
from helpers import tiny

from ganbench import Trial, Window, load_run
from ganbench.cli.progress import Epochs, Running, of_epoch, running
from ganbench.records import windows

EPOCH = Window(
    kimg=59.904, iteration=468, seconds=60.0, images_per_second=1000.0, g_steps_per_second=8.0,
    d_terms={"real": 0.2, "fake": 0.0348}, g_terms={"adversarial": 4.4991},
    epoch=1.0, progress=0.02,
)  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({}, "Epoch 001 | G/D 4.4991/0.2348"),
        ({"epoch": 50.0, "progress": 1.0}, "Epoch 050 | G/D 4.4991/0.2348"),
        ({"epoch": 2.9999999999}, "Epoch 003 | G/D 4.4991/0.2348"),
        ({"epoch": 3.01}, "Epoch 003 | G/D 4.4991/0.2348"),  # the first iteration beyond its end
        ({"epoch": 2.5, "progress": 1.0}, "Epoch 002.50 | G/D 4.4991/0.2348"),
        ({"g_terms": {"a": 1.0, "b": -2.0}, "epoch": 1000.0}, "Epoch 1000 | G/D -1.0000/0.2348"),
    ],
)
def test_an_epoch_is_told_as_notebooks_tell_it(changes, line: str) -> None:
    assert of_epoch(replace(EPOCH, **changes)) == line


def test_a_trial_is_told_in_the_unit_of_its_budget() -> None:
    one = Running(cast(Trial, None), "bce", 2995.2, "epochs", None, 0.0)
    assert one.describe() == "bce: starting"
    begun = "bce: epoch 1.00 of 50, 1.00 kimg/s, D 0.235, G 4.499, 48:55 left"
    assert replace(one, window=EPOCH).describe() == begun
    told = replace(one, window=EPOCH, unit="kimg").describe()
    assert told.startswith("bce: 59.9 of 2995.2 kimg, ")
    old = replace(EPOCH, epoch=0.0, progress=0.0)  # of a log of before
    assert "59.9 of 2995.2 kimg" in replace(one, window=old).describe()


TEXT = tiny.INLINE.replace("[bce, lsgan]", "[bce]").replace(
    "budget: {kimg: 1}, log_every: 5", "budget: {epochs: 3.5}, log_every: epoch"
)


@pytest.fixture(scope="module")
def trained(tmp_path_factory) -> tuple[Path, str]:
    """A run of three epochs and a half, and what it said."""
    folder = tmp_path_factory.mktemp("epochs")
    text = TEXT.replace("num_samples: 200,", "num_samples: 200, frames: {every: {epochs: 1}},")
    done = tiny.ganbench("run", tiny.write(folder, text), "--out", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "run", done.stderr


def test_each_epoch_has_a_line(trained: tuple[Path, str]) -> None:
    run, said = trained
    lines = [line for line in said.splitlines() if line.startswith("Epoch ")]
    (log,) = run.glob("trials/bce*/metrics.jsonl")
    assert lines == [of_epoch(window) for window in windows.read(log)]
    numbers = [line.split(" | ")[0] for line in lines]
    assert numbers == ["Epoch 001", "Epoch 002", "Epoch 003", "Epoch 003.50"]
    before, end = said.index("Epoch 003.50"), said.index("bce/none/mlp seed 0: ok")
    assert before < end


def test_frames_are_kept_where_a_file_asks_for_them(trained: tuple[Path, str]) -> None:
    run, _ = trained
    (trial,) = run.glob("trials/bce*")
    kept = sorted(path.name for path in (trial / "frames").iterdir())
    assert kept == [f"epoch-000{n}.png" for n in (1, 2, 3)]
    assert (trial / "progress.gif").stat().st_size
    assert not (trial / "window.json").exists()
    done = tiny.ganbench("frames", run, "--at", "1,3", "--out", "page.png", cwd=run)
    assert done.returncode == 0, done.stderr
    assert (run / "page.png").stat().st_size


def test_several_trials_are_told_apart_and_nothing_twice(trained: tuple[Path, str]) -> None:
    run = load_run(trained[0]).run
    told = Epochs(run)
    assert len(told.lines(run.trials)) == 4
    assert told.lines(run.trials) == []
    of_two = replace(run)
    vars(of_two)["trials"] = [*run.trials, *(replace(t, seed=1) for t in run.trials)]
    assert Epochs(of_two).lines(run.trials)[0].startswith("bce/none/mlp seed 0: Epoch 001 | ")


def test_the_window_that_is_open_tells_of_an_epoch_that_has_not_ended(trained, tmp_path) -> None:
    run = load_run(trained[0]).run
    (cell,) = [trial for trial in run.trials if trial.cell]
    moved = tmp_path / "run"
    folder = moved / "trials" / cell.id
    folder.mkdir(parents=True)
    run = replace(run, directory=moved)
    assert running(run, [cell]) == []
    (folder / "worker.log").touch()
    assert running(run, [cell])[0].describe().endswith(": starting")
    half = replace(EPOCH, kimg=1.0, iteration=20, epoch=0.5, progress=1 / 7)
    windows.write_open(folder / "window.json", half)
    told = running(run, [cell])[0].describe()
    assert "epoch 0.50 of 3.5, 1.00 kimg/s, D 0.235, G 4.499" in told
    windows.append(folder / "metrics.jsonl", replace(half, iteration=40, epoch=1.0, kimg=2.0))
    assert "epoch 1.00 of" in running(run, [cell])[0].describe()  # which is further than the open
    (folder / "window.json").write_text(json.dumps(asdict(half))[:-9], "utf-8")
    assert "epoch 1.00 of" in running(run, [cell])[0].describe()


def test_logs_are_read_on_from_where_they_were_left(tmp_path: Path) -> None:
    log = tmp_path / "metrics.jsonl"
    assert windows.after(log, 0) == ([], 0)
    windows.append(log, EPOCH)
    found, place = windows.after(log, 0)
    assert (found, place) == ([EPOCH], log.stat().st_size)
    with log.open("a") as file:
        file.write('{"kimg": 1')  # a line that is being written
    assert windows.after(log, place) == ([], place)
    log.write_bytes(b"")
    windows.append(log, replace(EPOCH, iteration=7))  # begun anew, and as long as before
    log.write_bytes(log.read_bytes()[: place - 5] + b"\n")
    assert windows.after(log, place)[1] == log.stat().st_size


def test_an_open_window_without_finite_means_is_not_written(tmp_path: Path) -> None:
    windows.write_open(tmp_path / "window.json", replace(EPOCH, g_terms={"a": float("nan")}))
    assert not (tmp_path / "window.json").exists()
