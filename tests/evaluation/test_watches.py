"""Numbers followed while a trial trains, and the time until they reach a target."""

from __future__ import annotations

import json
import mmap

import pytest
import torch
from click.testing import CliRunner

from ganbench import Probe, Unavailable
from ganbench.cli import cli
from ganbench.config import benchmark_file, plan
from ganbench.default_plugins.metrics.speed import TimeTo
from ganbench.errors import ConfigError
from ganbench.evaluation.watches import Watched
from ganbench.records import run_folder
from ganbench.records.run_info import Execution, RunInfo
from ganbench.registry import registry
from ganbench.runs.cell_trial import CellTrial
from ganbench.runs.clock import Clock
from ganbench.training import readahead
from ganbench.util import machine

TEXT = """\
version: 1
name: watched
dataset: {name: ring, train_size: 1000}
loss: lsgan
conditioning: none
architecture: {name: mlp, width: 16, depth: 1}
training: {batch_size: 50, budget: {kimg: 2}, log_every: 7}
evaluation:
  num_samples: 200
  metrics:
    - mode-coverage
    - {name: time-to, targets: {modes: 0, high-quality: 2}, num_samples: 50, points: 4}
execution: {threads: 1, executor: inline}
reporters: []
"""


class Seen:
    def __init__(self, *probes: Probe) -> None:
        self.probes = probes


@pytest.fixture(scope="module")
def blank_pages():
    """Here films are compared."""


def probe(kimg: float, value: float | None, direction: str = "min") -> Probe:
    return Probe(kimg, 10 * kimg, {"x": value}, {"x": direction})


def test_the_first_probe_that_reaches_the_target_counts():
    seen = Seen(probe(1, 9.0), probe(2, None), probe(3, 4.0), probe(4, 7.0), probe(5, 1.0))
    found = TimeTo(targets={"x": 4}).compute(seen)
    assert found == {"time-to-x=4": 30, "kimg-to-x=4": 3}


def test_direction_is_the_columns_own():
    seen = Seen(probe(1, 9.0, "max"), probe(2, 12.0, "max"))
    assert TimeTo(targets={"x": 10}).compute(seen)["kimg-to-x=10"] == 2


def test_target_never_reached_is_a_reason():
    found = TimeTo(targets={"x": 0.5}).compute(Seen(probe(1, 9.0)))
    assert {str(why) for why in found.values()} == {"x did not reach 0.5"}
    assert all(isinstance(why, Unavailable) for why in found.values())


@pytest.mark.parametrize("options", [{"targets": {}}, {"targets": {"x": 1}, "points": 0}])
def test_senseless_options_are_refused(options):
    with pytest.raises(ValueError, match=r"empty|must be positive"):
        TimeTo(**options)


def test_points_are_spread_over_the_budget():
    watched = Watched.of([TimeTo(targets={"x": 1}, points=4)])
    assert watched.images(kimg=10) == [2500, 5000, 7500, 10_000]


def test_column_that_no_metric_gives_is_named_in_the_plan(planned):
    with pytest.raises(ConfigError, match=r"'mods' is to be followed.*did you mean 'modes'"):
        planned(TEXT.replace("{modes: 0,", "{mods: 0,"))


def test_probes_are_recorded_and_leave_training_as_it_was(tmp_path):
    path = tmp_path / "b.yaml"
    weights = []
    for name, text in (
        ("with", TEXT),
        ("without", TEXT.replace("    - {name: time-to", "    # - {name")),
    ):
        path.write_text(text)
        done = CliRunner().invoke(cli, ["run", str(path), "--quiet", "--out", str(tmp_path / name)])
        assert done.exit_code == 0, done.output
        (trial,) = (tmp_path / name / "trials").glob("*-s0")
        weights.append((trial / "model.safetensors").read_bytes())
        if name == "with":
            result = json.loads((trial / "result.json").read_text())
    assert weights[0] == weights[1]
    assert [p["kimg"] for p in result["probes"]] == [0.5, 1.0, 1.5, 2.0]
    seconds = [p["seconds"] for p in result["probes"]]
    assert seconds == sorted(seconds)
    assert seconds[-1] <= result["timings"]["train_seconds"]
    numbers = {m["name"]: m for m in result["metrics"]}
    assert numbers["kimg-to-modes=0"]["value"] == 0.5
    assert numbers["time-to-high-quality=2"]["reason"] == "high-quality did not reach 2"
    assert torch.isfinite(torch.tensor(numbers["time-to-modes=0"]["value"]))


def test_only_training_reads_at_random_what_memory_cannot_hold(tmp_path, monkeypatch):
    """Probes judge beside all of the real data, one image after the other."""
    advice = []
    monkeypatch.setattr(machine, "memory_bytes", lambda: 1)
    monkeypatch.setattr(readahead, "_advise", lambda images, how: advice.append(how))
    watched_trial(tmp_path, TEXT)
    probes = [mmap.MADV_NORMAL, mmap.MADV_RANDOM] * 4
    assert advice == [mmap.MADV_RANDOM, *probes, mmap.MADV_NORMAL]


def test_resumed_training_is_watched_at_the_same_points(tmp_path, monkeypatch):
    """Neither numbers nor frames are taken again that a checkpoint has already."""
    for name in ("whole", "cut"):
        (tmp_path / name).mkdir()
    text = TEXT.replace("executor: inline", "executor: inline, checkpoint: 1e-6")
    whole = watched_trial(tmp_path / "whole", text)

    class Cut(Exception):
        pass

    plain = CellTrial._on_window

    def cut(trial, window):
        plain(trial, window)
        if window.kimg >= 1.05:
            raise Cut

    with monkeypatch.context() as patch:
        patch.setattr(CellTrial, "_on_window", cut)
        with pytest.raises(Cut):
            watched_trial(tmp_path / "cut", text)
    frames = len(list((tmp_path / "cut").glob("progress/*.png")))
    resumed = watched_trial(tmp_path / "cut", text)
    assert 0 < frames < 8
    assert resumed["resumed_at_kimg"] == pytest.approx(1.05)
    assert [p["kimg"] for p in resumed["probes"]] == [p["kimg"] for p in whole["probes"]]
    assert resumed["diversity"] == whole["diversity"]
    gifs = [(tmp_path / name / "progress.gif").read_bytes() for name in ("whole", "cut")]
    assert gifs[0] == gifs[1]


def watched_trial(directory, text):
    """What becomes of the benchmark's one trial, carried out in this process."""
    path = directory / "b.yaml"
    path.write_text(text)
    plugins = registry.load()
    planned = plan.make(benchmark_file.load(path, plugins), plugins, device="cpu")
    asked = run_folder.Run(directory, RunInfo(execution=Execution(checkpoint=1e-6)), planned)
    trial = asked.trials[-1]
    trial.write(directory / run_folder.TRIAL)
    carried_out = CellTrial.prepare(trial, trial.cell, plugins, directory, [], Clock())
    return {**carried_out.run().plain(), "diversity": carried_out.looks.seen.diversity}
