"""Errors in plugins: exit code 2, with the plugin's name and place; exit code 1 is a regression."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from helpers import tiny

PLUGIN = '''
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from ganbench import Loss, Reporter, Step, Terms, hookimpl


class Kind(Enum):
    FIRST = "first"
    SECOND = "second"


@dataclass(kw_only=True)
class Odd(Loss):
    """Takes options of types that JSON has not."""

    name = "odd"
    kind: Kind = Kind.FIRST
    path: Path = Path("here")
    kinds: frozenset[Kind] = frozenset(Kind)
    breaks: bool = False

    def __post_init__(self) -> None:
        assert isinstance(self.kind, Kind)
        assert isinstance(self.path, Path)
        if self.breaks:
            raise SystemExit(0)  # which would end a command without a word

    def discriminator_loss(self, step: Step) -> Terms:
        return {"adversarial": step.fake.logits.mean()}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean()}


@dataclass(kw_only=True)
class Broken(Reporter):
    """Raises."""

    name = "broken"

    def sections(self, report):
        return [1 / 0]

    def write(self, report, directory):
        raise SystemExit(0)


@hookimpl
def register_losses(register):
    register(Odd)


@hookimpl
def register_reporters(register):
    register(Broken)
'''


@pytest.fixture
def plugin(tmp_path: Path) -> Path:
    path = tmp_path / "odd.py"
    path.write_text(PLUGIN, "utf-8")
    return path


def test_enums_and_paths_are_options(plugin: Path, tmp_path: Path) -> None:
    odd = "[odd, {name: odd, kind: second, path: there, kinds: [second]}]"
    path = tiny.write(tmp_path, tiny.INLINE.replace("[bce, lsgan]", odd))
    done = tiny.ganbench("run", path, "--plugin", plugin, "--out", "run", "-q", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    plan = json.loads((tmp_path / "run" / "plan.json").read_text("utf-8"))
    assert [cell["loss"]["options"] for cell in plan["cells"]] == [
        {"kind": "first", "path": "here", "kinds": ["first", "second"], "breaks": False},
        {"kind": "second", "path": "there", "kinds": ["second"], "breaks": False},
    ]


def test_a_plugin_that_raises_is_named_with_its_place(plugin: Path, tmp_path: Path) -> None:
    path = tiny.write(tmp_path, tiny.INLINE.replace("[bce, lsgan]", "[{name: odd, breaks: true}]"))
    done = tiny.ganbench("plan", path, "--plugin", plugin, cwd=tmp_path)
    assert done.returncode == 2
    assert f"loss 'odd' (odd.py) cannot be made: SystemExit: 0, at {plugin}:" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("does", "why"),
    [
        ("1 / 0", "ZeroDivisionError: division by zero"),
        ("__import__('sys').exit(0)", "SystemExit: 0"),
    ],
)
def test_a_plugin_that_raises_elsewhere_is_named_too(
    plugin: Path, tmp_path: Path, does: str, why: str
) -> None:
    text = PLUGIN.replace(
        '    name = "odd"\n', '    name = "odd"\n    whole_batch = property(max)\n'
    )
    plugin.write_text(text.replace("property(max)", f"property(lambda self: {does})"), "utf-8")
    settings = tiny.INLINE.replace("[bce, lsgan]", "[odd]").replace(
        "batch_size: 50", "batch_size: 50, micro_batch: 10"
    )
    done = tiny.ganbench("plan", tiny.write(tmp_path, settings), "--plugin", plugin, cwd=tmp_path)
    assert done.returncode == 2
    assert "error: plugin" in done.stderr
    assert f"{why}, at {plugin}:" in done.stderr


def test_a_reporter_that_raises_costs_no_other_file(plugin: Path, tmp_path: Path) -> None:
    text = tiny.INLINE.replace("[bce, lsgan]", "[bce]")
    text = text.replace("[markdown, csv", "[broken, html, markdown, csv")
    done = tiny.ganbench(
        "run", tiny.write(tmp_path, text), "--plugin", plugin, "--out", "run", "-q", cwd=tmp_path
    )
    assert done.returncode == 2
    assert f"reporter 'broken': SystemExit: 0, at {plugin}:" in done.stderr
    assert f"reporter 'broken': ZeroDivisionError: division by zero, at {plugin}" in done.stderr
    for name in ("report.html", "table.md", "table.csv", "table.json", "results.csv"):
        assert (tmp_path / "run" / name).stat().st_size
