"""Models for the commands that look at them, and a way to call such a command."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import toys

from ganbench.cli import cli

RING = """\
version: 1
name: ring
dataset: {{name: ring, train_size: 200, test_size: 50}}
loss: bce
conditioning: [{conditionings}]
architecture: {{name: mlp, width: 8, depth: 1{options}}}
training: {{batch_size: 10, budget: {{kimg: 1}}, precision: float32}}
evaluation: {{num_samples: 100, metrics: [throughput]}}
"""


@pytest.fixture(scope="session")
def toy_plugin(tmp_path_factory) -> Path:
    return toys.write_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="session")
def toy_runs(tmp_path_factory, toy_plugin) -> Path:
    """Models of 28 coloured pixels, of 64 grey ones, without labels, and of points."""
    runs = tmp_path_factory.mktemp("runs")
    toys.write_run(runs / "toys", toy_plugin, "none", "cbn", "embed-mul", "scattered")
    toys.write_run(runs / "grey", toy_plugin, "cbn", options=", channels: 1, size: 64")
    toys.write_run(runs / "bare", toy_plugin, "none", options=", labelled: false")
    ring = RING.replace("[{conditionings}]", "{conditionings}")
    toys.write_run(runs / "ring", toy_plugin, "none", text=ring)
    return runs


@pytest.fixture
def call(toy_runs, tmp_path, monkeypatch):
    """A command on one of the models, in a folder of its own; what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(command: str, model: str, *arguments: object) -> str:
        done = CliRunner().invoke(
            cli, [command, str(toy_runs / model), *map(str, arguments)], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        return done.stdout

    return call
