"""What shells complete: commands, plugins, data sets, runs and trials, without importing torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.shell_completion import BashComplete, CompletionItem
from helpers import tiny

from ganbench.cli import COMMANDS, cli

LOSS = Path(__file__).parents[2] / "plugins" / "ganbench-hinge" / "ganbench_hinge.py"


@pytest.fixture(autouse=True)
def built_ins_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")


def items(line: str) -> list[CompletionItem]:
    *words, incomplete = line.split(" ")
    return BashComplete(cli, {}, "ganbench", "_GANBENCH_COMPLETE").get_completions(
        words, incomplete
    )


def completed(line: str) -> list[str]:
    return [item.value for item in items(line) if item.type == "plain"]


def fallback(line: str) -> list[str]:
    return [item.type for item in items(line) if item.type != "plain"]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two runs where they go by themselves, and one beside them, with a trial."""
    for run in ("results/a/1", "results/b/2", "mine"):
        (tmp_path / run / "trials" / "bce-none-mlp-1234-s0").mkdir(parents=True)
        (tmp_path / run / "run.json").write_text(json.dumps({}), "utf-8")
    (tmp_path / "none").mkdir()
    monkeypatch.chdir(tmp_path)


def test_commands_are_completed_with_their_summaries() -> None:
    assert completed("") == list(COMMANDS)
    assert completed("pl") == ["plan", "plugins"]
    assert [item.help for item in items("docto")] == [COMMANDS["doctor"]]
    assert completed("datasets pre") == ["prepare", "preview"]
    assert "--version" in completed("--")
    assert "--allow-config-plugins" in completed("run x.yaml --a")


def test_plugins_are_completed_by_the_kind_that_is_meant() -> None:
    assert completed("plugins show wgan-") == ["wgan-gp"]
    assert completed("plugins check lsg") == ["lsgan"]
    assert fallback("plugins check lsg") == ["file"]
    assert {"ring", "mnist"} <= set(completed("datasets prepare "))
    assert completed("datasets verify lsg") == []
    assert fallback("datasets verify lsg") == ["file"]
    assert completed("weights incep") == ["inception"]
    assert completed("weights ri") == []


def test_plugins_of_files_on_the_line_are_completed_too() -> None:
    assert completed("plugins show hin") == []
    assert completed(f"plugins show --plugin {LOSS} hin") == ["hinge"]
    assert fallback("plugins --plugin ") == ["file"]


@pytest.mark.parametrize("command", ["run", "plan", "ab", "bisect", "noise"])
def test_benchmarks_that_come_with_it_are_completed(command: str) -> None:
    assert "cgan_mnist" in completed(f"{command} cgan_")
    assert fallback(f"{command} cgan_") == ["file"]


def test_a_plugin_that_cannot_be_listed_completes_nothing(monkeypatch) -> None:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "ganbench-none-such")
    assert completed("weights incep") == []


@pytest.mark.parametrize(
    "command",
    [
        "show",
        "report",
        "resume",
        "watch",
        "clean",
        "compare",
        "export",
        "sample",
        "baseline update",
    ],
)
def test_runs_are_completed(runs: None, command: str) -> None:
    assert completed(f"{command} ") == ["mine", "results/a/1", "results/b/2"]
    assert completed(f"{command} res") == ["results/a/1", "results/b/2"]
    assert completed(f"{command} results/b") == ["results/b/2"]
    assert completed(f"{command} no") == []
    assert fallback(f"{command} no") in (["dir"], ["file"])


def test_every_further_run_is_completed(runs: None) -> None:
    assert completed("compare mine results/a/") == ["results/a/1"]
    assert completed("clean mine results/a/") == ["results/a/1"]


@pytest.mark.parametrize("command", ["sample", "nearest", "frames", "export", "sample x --beside"])
def test_trials_are_completed_after_their_run(runs: None, command: str) -> None:
    assert completed(f"{command} mine/") == [os.path.join("mine", "bce-none-mlp-1234-s0")]
    assert completed(f"{command} mine/lsgan") == []
    assert completed(f"{command} mi") == ["mine"]


def test_every_argument_that_names_a_run_a_model_or_a_plugin_is_completed() -> None:
    """By its name in the command's usage."""
    lacking = []

    def look(command: click.Command, path: str) -> None:
        context = click.Context(command)
        if isinstance(command, click.Group):
            for name in command.list_commands(context):
                found = command.get_command(context, name)
                assert found
                look(found, f"{path} {name}")
        for parameter in command.params:
            usage = parameter.make_metavar(context)
            named = any(word in usage for word in ("RUN", "TRIAL", "NAME|", "CANDIDATE"))
            if named and parameter._custom_shell_complete is None:
                lacking.append(f"{path} {usage}")

    look(cli, "ganbench")
    assert lacking == []


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_documented_line_installs_it(shell: str, tmp_path: Path) -> None:
    done = tiny.ganbench(cwd=tmp_path, _GANBENCH_COMPLETE=f"{shell}_source")
    assert (done.returncode, done.stderr) == (0, "")
    assert f"_GANBENCH_COMPLETE={shell}_complete" in done.stdout


def test_a_shell_is_answered_without_torch(runs: None, tmp_path: Path) -> None:
    words = {"COMP_WORDS": "ganbench weights incep", "COMP_CWORD": "2"}
    code = (
        "import sys, ganbench.cli\n"
        "try:\n    ganbench.cli.main()\n"
        "finally:\n    assert 'torch' not in sys.modules"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        env=tiny.surroundings(_GANBENCH_COMPLETE="bash_complete", **words),
        capture_output=True,
        text=True,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == ["plain,inception"]
