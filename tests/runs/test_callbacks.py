"""Callbacks follow a trial, and what they do wrong is that trial's failure."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import tiny

CALLBACK = '''\
"""Writes down what it is told, and does what it is told to."""

import json
import os
import random
from dataclasses import dataclass

import numpy as np
import torch

from ganbench import Callback, TrialInfo, Window, hookimpl


@dataclass(kw_only=True)
class Diary(Callback):
    """Writes down what it is told."""

    name = "diary"
    fails: str = ""
    draws: int = 0
    meddles: bool = False

    def began(self, trial: TrialInfo) -> None:
        if self.fails == "before it has begun":
            raise OSError("no pencil")
        self.path = trial.directory / "diary.txt"
        self._write("began", trial.run, trial.label, trial.seed, trial.settings["loss"]["name"])
        if self.meddles:
            trial.axes.clear()
            trial.settings.clear()

    def window(self, window: Window) -> None:
        self._write("window", window.iteration)
        if self.meddles:
            window.d_terms.clear()
            window.g_terms.clear()

    def ended(self, result: dict) -> None:
        self._write("ended", result["status"])

    def _write(self, what: str, *more: object) -> None:
        if self.draws:
            torch.rand(self.draws), np.random.rand(self.draws), random.random()
        if self.meddles:
            torch.set_grad_enabled(False)
            torch.set_default_dtype(torch.float64)
            torch.set_default_device("meta")
            torch.use_deterministic_algorithms(True)
            os.chdir("/")
        with self.path.open("a") as file:
            file.write(json.dumps([what, *more]) + "\\n")
        if self.fails == what:
            raise OSError("the pencil broke")


@hookimpl
def register_callbacks(register):
    register(Diary)
'''


def run(folder: Path, callbacks: str, *more: object, loss: str = "bce"):
    (folder / "diary.py").write_text(CALLBACK, "utf-8")
    text = tiny.INLINE.replace("[bce, lsgan]", f"[{loss}]") + f"callbacks: {callbacks}\n"
    done = tiny.ganbench(
        "run", tiny.write(folder, text), "--plugin", "diary.py", "--out", "run", *more, cwd=folder
    )
    (trial,) = (folder / "run" / "trials").glob("bce*")
    path = trial / "diary.txt"
    lines = path.read_text().splitlines() if path.exists() else []
    diary = [json.loads(line) for line in lines]
    return done, json.loads((trial / "result.json").read_text("utf-8")), diary


def test_callback_is_told_of_everything_in_order(tmp_path: Path) -> None:
    done, result, diary = run(tmp_path, "[diary]")
    assert done.returncode == 0, done.stderr
    assert result["status"] == "ok"
    assert diary[0] == ["began", "tiny", "bce/none/mlp", 0, "bce"]
    assert diary[1:-1] == [["window", i] for i in (5, 10, 15, 20)]
    assert diary[-1] == ["ended", "ok"]
    about = json.loads((tmp_path / "run" / "run.json").read_text("utf-8"))
    assert about["execution"]["callbacks"] == [{"name": "diary", "options": {}}]


def test_callback_hears_of_a_diverged_trial(tmp_path: Path) -> None:
    done, result, diary = run(tmp_path, "[diary]", "--set", "training.d_lr=1e30")
    assert done.returncode == 3
    assert result["status"] == "diverged"
    assert diary[-1] == ["ended", "diverged"]


@pytest.mark.parametrize("fails", ["began", "window", "ended"])
def test_callback_that_fails_fails_the_trial_with_its_reason(tmp_path: Path, fails: str) -> None:
    done, result, diary = run(tmp_path, f"[{{name: diary, fails: {fails}}}]")
    assert done.returncode == 3
    assert result["status"] == "failed"
    assert "OSError: the pencil broke" in result["reason"]
    assert "diary" in result["reason"]
    assert diary[-1][0] == "ended"  # it is told of the end whatever it did before


def test_callback_that_cannot_begin_is_told_as_that_and_not_as_what_follows(tmp_path: Path) -> None:
    done, result, diary = run(tmp_path, "[{name: diary, fails: before it has begun}]")
    assert done.returncode == 3
    assert result["reason"] == "OSError: no pencil (in callback 'diary')"
    assert diary == []  # though it raised at the end too, for want of a path


def test_callback_that_fails_at_the_end_of_a_diverged_trial_hides_no_reason(tmp_path: Path) -> None:
    done, result, _ = run(tmp_path, "[{name: diary, fails: ended}]", "--set", "training.d_lr=1e30")
    assert done.returncode == 3
    assert result["status"] == "failed"
    diverged, failed = result["reason"].split("; ")
    assert " became " in diverged
    assert failed == "callback 'diary': OSError: the pencil broke"


def test_callback_that_draws_or_meddles_changes_nothing(tmp_path: Path) -> None:
    results = []
    metrics = "evaluation.metrics=[mode-coverage, final-losses]"
    for does in ("draws: 0", "draws: 3", "meddles: true"):
        folder = tmp_path / does[:8].replace(": ", "")
        folder.mkdir()
        noisy = "{name: bce, target_noise: 0.1}"  # drawn from torch's own generator
        callbacks = f"[{{name: diary, {does}}}, diary]"
        done, result, diary = run(folder, callbacks, "--set", metrics, loss=noisy)
        assert done.returncode == 0, done.stderr
        assert len(diary) == 12
        results.append([m["value"] for m in result["metrics"] if m["kind"] == "quality"])
    assert results[0] == results[1] == results[2]
    assert len(results[0]) > 4


PROBED = '''\
"""Notes what it is shown, draws of it, and breaks the copy that it was given."""

import json
from dataclasses import dataclass

import torch

from ganbench import Callback, Probed, TrialInfo, hookimpl


@dataclass(kw_only=True)
class Looks(Callback):
    """Notes what it is shown."""

    name = "looks"

    def began(self, trial: TrialInfo) -> None:
        self.path = trial.directory / "diary.txt"

    def probed(self, probe: Probed) -> None:
        with torch.no_grad():
            images = probe.generator(probe.latents, probe.labels)
            for weight in probe.generator.parameters():
                weight.zero_()
        torch.rand(7)
        size = probe.picture and probe.picture.size
        varied, training = images.std().item() > 0.001, probe.generator.training
        seen = [probe.kimg, probe.epoch, dict(probe.values), size]
        seen += [list(images.shape), varied, training]
        probe.values.clear()
        with self.path.open("a") as file:
            file.write(json.dumps(seen) + "\\n")


@hookimpl
def register_callbacks(register):
    register(Looks)
'''


def test_callback_is_shown_copies_of_the_generator_on_its_way(tmp_path: Path) -> None:
    (tmp_path / "diary.py").write_text(PROBED, "utf-8")
    followed = "{name: time-to, targets: {modes: 1}, points: 4, num_samples: 100}"
    metrics = f"evaluation.metrics=[mode-coverage, final-losses, {followed}]"
    values = []
    for callbacks in ("[]", "[looks, looks]"):
        folder = tmp_path / f"of-{len(callbacks)}"
        text = tiny.INLINE.replace("[bce, lsgan]", "[bce]") + f"callbacks: {callbacks}\n"
        arguments = ("--plugin", "diary.py", "--out", folder, "--set", metrics)
        done = tiny.ganbench("run", tiny.write(tmp_path, text), *arguments, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
        (trial,) = (folder / "trials").glob("bce*")
        result = json.loads((trial / "result.json").read_text("utf-8"))
        values.append([m["value"] for m in result["metrics"] if m["kind"] == "quality"])
    assert values[0] == values[1]
    diary = [json.loads(line) for line in (trial / "diary.txt").read_text().splitlines()]
    firsts, twins = diary[::2], diary[1::2]
    assert firsts == twins  # each was handed a copy that the other had not broken
    assert all(shape == [2500, 2, 1, 1] for *_, shape, _, _ in firsts)
    assert all(varied and not training for *_, varied, training in firsts)
    drawn = [picture for _, _, _, picture, *_ in firsts if picture]
    assert len(drawn) == 6  # of the eight, three at once
    measured = [values for _, _, values, *_ in firsts if values]
    assert [p["values"] for p in result["probes"]] == measured
    assert len(measured) == 4
    kimg = [kimg for kimg, *_ in firsts]
    assert kimg == sorted(kimg)
    assert firsts[-1][1] == pytest.approx(kimg[-1] / firsts[0][0] * firsts[0][1])
