"""Plugins that go to another folder in all their hooks, or set what is torch's, move no number."""

from __future__ import annotations

from pathlib import Path

import pytest
from helpers import tiny

from ganbench.runs.held_data import FILE

PLUGINS = '''\
"""Built-in plugins that are elsewhere after whatever they are asked."""

import os
from dataclasses import dataclass

import torch

from ganbench import Callback, Column, Metric, Reporter, hookimpl
from ganbench.default_plugins.architectures.mlp import MLP
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.default_plugins.executors import Inline
from ganbench.default_plugins.losses import BCE


def away(cls, *hooks):
    """The class, which is away after these hooks."""
    def going(hook):
        plain = getattr(cls, hook)
        def gone(self, *values, **named):
            try:
                return plain(self, *values, **named)
            finally:
                os.chdir("/")
        return gone
    name = f"away-{cls.name}"
    own = {"name": name, **{hook: going(hook) for hook in hooks}}
    return dataclass(kw_only=True)(type(cls.__name__, (cls,), own))


@dataclass(kw_only=True)
class Table(Reporter):
    name = "table"

    def write(self, report, directory):
        (directory / "my-table.txt").write_text("mine")


@dataclass(kw_only=True)
class Silent(Callback):
    name = "silent"


@dataclass(kw_only=True)
class Setting(Metric):
    """Sets what is everybody's, and gives a number that does not tell of it."""

    name = "setting"

    @property
    def columns(self):
        return (Column("set", direction="max"),)

    def compute(self, evaluation):
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        torch.set_default_device("meta")
        os.chdir("/")
        return {"set": 1.0}


@hookimpl
def register_losses(register):
    register(away(BCE, "__post_init__", "discriminator_loss", "generator_loss"))

@hookimpl
def register_architectures(register):
    register(away(MLP, "generator", "discriminator"))

@hookimpl
def register_datasets(register):
    register(away(Ring, "load", "status", "image_spec", "class_names"))

@hookimpl
def register_reporters(register):
    register(away(Table, "sections", "write"))

@hookimpl
def register_callbacks(register):
    register(away(Silent, "began", "window", "ended"))

@hookimpl
def register_executors(register):
    register(away(Inline, "run"))

@hookimpl
def register_metrics(register):
    register(Setting)
'''
FOLLOWED = "{name: time-to, targets: {fid@pixels: 9}, num_samples: 50, points: 2}"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "away.py").write_text(PLUGINS, "utf-8")
    return tmp_path


def run(folder: Path, text: str, out: str) -> dict[str, float | None]:
    """The numbers of a run's one trial."""
    file = tiny.write(folder, text)
    done = tiny.ganbench("run", file, "--plugin", "away.py", "--out", out, cwd=folder)
    assert done.returncode == 0, done.stderr
    (result,) = (r for n, r in tiny.results(folder / out).items() if "bce" in n)
    numbers = {m["name"]: m["value"] for m in result["metrics"] if m["kind"] == "quality"}
    return {name: value for name, value in numbers.items() if not name.startswith("time-to")}


def test_plugins_that_go_elsewhere_change_no_number_and_no_place(folder: Path) -> None:
    plain = tiny.INLINE.replace("[bce, lsgan]", "[bce]")
    changes = {
        "[bce]": "[away-bce]",
        "name: mlp": "name: away-mlp",
        "name: ring": "name: away-ring",
        "executor: inline": "executor: away-inline",
        "[markdown, csv, json]": "[away-table, markdown]",
    }
    wandering = plain + "callbacks: [away-silent]\n"
    for before, after in changes.items():
        assert before in wandering
        wandering = wandering.replace(before, after)
    assert run(folder, wandering, "away") == run(folder, plain, "plain")
    there = {path.name for path in (folder / "away").iterdir()}
    assert {"my-table.txt", "table.md", "results.csv", "trials", FILE} <= there


def test_metric_that_sets_what_is_torchs_changes_no_training_and_no_other_metric(
    folder: Path,
) -> None:
    """It is asked while the trial trains, too, and before the others."""
    plain = tiny.INLINE.replace("[bce, lsgan]", "[bce]").replace("throughput", FOLLOWED)
    setting = plain.replace("metrics: [", "metrics: [setting, ")
    setting = setting.replace("pixels: 9}", "pixels: 9, set: 0}")
    expected, found = run(folder, plain, "plain"), run(folder, setting, "set")
    assert len(expected) > 4
    assert {name: found[name] for name in expected} == expected
    assert found["set"] == 1
