"""The public names are typed: strict checkers find what is wrong in a plugin, and nothing else."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import pytest

from ganbench.testing import check_plugin

ROOT = Path(__file__).parents[2]
PLUGINS = ROOT / "tests" / "helpers" / "typed_plugins"
KINDS = ("loss", "conditioning", "architecture", "metric")
WRONG = """\
from collections.abc import Callable
from dataclasses import dataclass

from ganbench import Architecture, ImageSpec, Loss, Metric, Nothing, Step, Terms, hookimpl


@dataclass(kw_only=True)
class Wrong(Loss):
    name = 3  # wrong: a text

    def discriminator_loss(self, step: Step) -> Terms:
        return {"a": step.real.logit}  # wrong: logits

    def generator_loss(self, step: Step) -> Terms:
        return {"a": "b"}  # wrong: a tensor


@hookimpl
def register_losses(register: Callable[[type[Metric]], None]) -> None:
    register(Wrong)  # wrong: no metric
"""
LINES = {4, *(n for n, line in enumerate(WRONG.splitlines(), 1) if "# wrong" in line)}
"""With errors, of which the first imports a name that there is not."""


@pytest.mark.parametrize("kind", KINDS)
def test_typed_plugins_are_right_ones(kind: str) -> None:
    plugin = import_module(f"helpers.typed_plugins.{kind}").Typed
    results = check_plugin(plugin)
    assert results
    assert [result for result in results if not result.passed] == []


@pytest.mark.integration
def test_mypy_finds_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    """As strictly as `make lint` does, for which pyproject.toml says what --strict would."""
    pytest.importorskip("mypy")
    (tmp_path / "wrong.py").write_text(WRONG, "utf-8")
    settings = ("--config-file", ROOT / "pyproject.toml", "--cache-dir", ROOT / ".mypy_cache")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *settings, *PLUGINS.glob("*.py"), tmp_path / "wrong.py"],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    lines = [line for line in done.stdout.splitlines() if ": error: " in line]
    assert [line for line in lines if "wrong.py" not in line] == []
    assert {int(line.split("wrong.py:")[1].split(":")[0]) for line in lines} == LINES


@pytest.mark.integration
@pytest.mark.skipif(not find_spec("pyright"), reason="pyright is not installed")
def test_pyright_finds_what_is_wrong_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text(WRONG, "utf-8")
    settings = {"include": [str(PLUGINS), "wrong.py"], "extraPaths": [str(ROOT)]}
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings), "utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "pyright", "--outputjson", "--pythonpath", sys.executable],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    found = [
        problem
        for problem in json.loads(done.stdout)["generalDiagnostics"]
        if problem["severity"] == "error"
    ]
    assert [p for p in found if not p["file"].endswith("wrong.py")] == []
    assert {problem["range"]["start"]["line"] + 1 for problem in found} == LINES
