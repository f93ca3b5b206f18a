"""`evaluation.judge` of a benchmark: numbers of classes for any labelled data."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers import outside as made

import ganbench
from ganbench.cli import cli
from ganbench.errors import ConfigError
from ganbench.evaluation.judges import training

BENCHMARK = """\
version: 1
name: small
dataset:
  name: tensor
  path: {path}
  images: images
  labels: labels
  test_images: test_images
  test_labels: test_labels
loss: bce
conditioning: embed-mul
architecture: {{name: mlp, width: 8, depth: 1}}
training: {{batch_size: 20, budget: {{kimg: 0.2}}, precision: float32}}
evaluation:
  num_samples: 60
  metrics: [mode-coverage, cond-accuracy]
{judge}
execution: {{threads: 1, executor: inline}}
reporters: [json]
"""


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(training, "LEAST_STEPS", 40)
    made.write_data(tmp_path)
    return tmp_path


def write(judge: str = "", name: str = "small.yaml") -> str:
    line = f"  judge: {judge}" if judge else ""
    text = BENCHMARK.format(path=Path("real.npz").absolute(), judge=line)
    Path(name).write_text(text, encoding="utf-8")
    return name


def call(*arguments: object) -> str:
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def row(run: str, label: str) -> dict[str, Any]:
    rows = ganbench.load_run(run).table.rows
    (found,) = (row for row in rows if row.label.startswith(label))
    return {name: summary.mean for name, summary in found.values.items()}


def test_auto_gives_numbers_of_classes_and_the_row_of_real_images_is_its_accuracy(place):
    call("run", write("auto"), "--out", "run", "--quiet")
    (kept,) = (place / "cache" / "judges").glob("*/judge.json")
    card = json.loads(kept.read_text())
    assert row("run", "real test set")["cond-accuracy"] == pytest.approx(card["accuracy"])
    assert row("run", "bce")["modes"] is not None
    (told,) = (note for note in ganbench.load_run("run").table.notes if note.kind == "judges")
    assert f"judge {card['weights_sha256'][:8]}, which judges {card['accuracy']:.2%}" in told
    protocols = ganbench.load_run("run").outcomes[0].result.protocols.values()
    assert {
        p["extractors"]["judge"]["weights"]["sha256"] for p in protocols if p["extractors"]
    } == {card["weights_sha256"]}


def test_one_in_a_folder_is_of_the_id_by_its_content(place):
    call("judge", "train", write(), "--out", "judge", "--quiet")
    shutil.copytree("judge", "copy")
    plain, there, copied, auto = (
        ganbench.plan(write(judge)).cells[0] for judge in ("", "judge/", "copy", "auto")
    )
    assert there.id == copied.id
    assert len({plain.id, there.id, auto.id}) == 3
    assert len({cell.training_id for cell in (plain, there, auto)}) == 1
    card = json.loads(Path("judge/judge.json").read_text(encoding="utf-8"))
    assert there.judge.sha256 == card["weights_sha256"]
    call("run", write("judge"), "--out", "run", "--quiet")
    assert row("run", "real test set")["cond-accuracy"] is not None
    assert "of 60 test images right" in call("judge", "show", "judge")


def test_a_finished_run_gets_numbers_of_classes_later(place):
    """And samples from elsewhere too."""
    call("run", write(), "--out", "run", "--quiet")
    assert row("run", "bce")["modes"] is None
    (note,) = (n for n in ganbench.load_run("run").table.notes if "no judge of classes" in n)
    assert "evaluation.judge: auto trains one" in note
    call("evaluate", "run", "--metrics", "mode-coverage", "--judge", "auto", "--quiet")
    assert row("run", "bce")["modes"] is not None
    made.write_arrays(place / "theirs.npz")
    asked = ("--data", "small.yaml", "--metrics", "cond-accuracy", "--judge", "auto")
    call("evaluate", "theirs.npz", *asked, "--out", "out", "--quiet")
    assert row("out", "theirs.npz")["cond-accuracy"] is not None


def test_a_judge_that_is_none_is_told_with_the_place_in_the_file(place):
    with pytest.raises(ConfigError, match=r"small\.yaml:\d+:\d+: evaluation\.judge: nowhere: no "):
        ganbench.plan(write("nowhere"))


def test_training_one_replaces_nothing(place):
    call("judge", "train", write(), "--out", "judge", "--quiet")
    with pytest.raises(ConfigError, match="the folder is not empty; --force replaces a judge"):
        call("judge", "train", write(), "--out", "judge")
    (place / "judge" / "mine.txt").touch()
    with pytest.raises(ConfigError, match=r"'mine\.txt' in it is of no judge"):
        call("judge", "train", write(), "--out", "judge", "--force")


def test_statistics_of_others_need_no_real_images(place):
    import numpy as np

    images, _ = made.images(400, 0)
    flat = images.reshape(400, -1) / 255
    np.savez("cifar.npz", mu=flat.mean(0), sigma=np.cov(flat, rowvar=False))
    made.write_folder(place / "theirs")
    call(
        "evaluate",
        "theirs",
        "--stats",
        "ADM=cifar.npz",
        "--features",
        "pixels",
        "--out",
        "out",
        "-q",
    )
    (column,) = (c for c in ganbench.load_run("out").table.columns if c.name.startswith("fid@"))
    assert column.name == "fid@pixels[cifar]"
    assert row("out", "theirs")[column.name] > 0
    (outcome,) = ganbench.load_run("out").outcomes
    (protocol,) = outcome.result.protocols.values()
    assert protocol["statistics"]["whose"] == "ADM"
    assert list(protocol["real"]) == ["no real images"]
    with pytest.raises(ConfigError, match="name the real images with --data"):
        call("evaluate", "theirs", "--stats", "cifar.npz", "--metrics", "fid", "--out", "b")
