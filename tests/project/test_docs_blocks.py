"""Every block of README and docs is understood: commands, benchmark files, code."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import yaml
from click.testing import CliRunner
from helpers import tiny
from helpers.documents import PAGES, ROOT, fenced, files_of, name, shell_lines, text

from ganbench.cli import cli
from ganbench.config import benchmark_file
from ganbench.config.schema import TOP_KEYS
from ganbench.registry import registry
from ganbench.registry.registry import Registry

PROGRAMS = ("ganbench", "make", "pip", "pytest", "python", "uv", "docker")
OTHERS = ("benchmark", True)  # GitLab's job, and what YAML 1.1 makes of GitHub's `on`
ANY = "version: 1\nname: any\ndataset: ring\nloss: bce\nconditioning: none\narchitecture: mlp\n"


def blocks(language: str) -> list[object]:
    """Every block of a language, called by its page."""
    return [
        pytest.param(block, id=f"{name(page)}-{number}")
        for page in PAGES
        for number, block in enumerate(fenced(language, page.read_text("utf-8")))
    ]


def lines(page: Path) -> list[str]:
    """Every command of a page, and of the scripts for a cluster that are shown there."""
    shown = page.read_text("utf-8")
    scripts = [line for block in fenced("bash", shown) for line in block.splitlines()]
    jobs = [line.removeprefix("exec ") for line in scripts if line and not line.startswith("#")]
    return shell_lines(shown) + jobs


LINES = {line: name(page) for page in PAGES for line in lines(page)}


@pytest.mark.parametrize("line", LINES)
def test_commands_are_understood(line: str) -> None:
    program, *words = shlex.split(line.split(" > ")[0])
    assert program in PROGRAMS
    if program == "make":
        assert f"\n{words[0]}:" in text("Makefile")
    if program == "python" and words[0] != "-m":
        assert (ROOT / words[0]).is_file()
    if program != "ganbench":
        return
    command: click.Command = cli
    while isinstance(command, click.Group) and words and not words[0].startswith("-"):
        found = command.get_command(click.Context(command), words.pop(0))
        assert found, f"{command.name} has no such command"
        command = found
    context = command.make_context(command.name, words)  # raises on an unknown option
    for path in (context.params.get("file"), *context.params.get("plugins", ())):
        if str(path).startswith(("benchmarks/", "plugins/")):
            assert (ROOT / str(path)).is_file()


def plans() -> list[str]:
    """What README and the first pages run of the repository, as `ganbench plan` takes it."""
    first = ("README.md", "docs/commands.md", "docs/tutorials/first-run.md")
    lines = [line for line, page in LINES.items() if page in first and "cgan_mnist" in line]
    runs = [line for line in lines if line.startswith(("ganbench run ", "ganbench plan "))]
    return [re.sub(r" --(out|jobs) \S+", "", line).split(" ", 2)[2] for line in runs]


@pytest.mark.parametrize("arguments", plans())
def test_runs_can_be_planned(
    arguments: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file, content in files_of(text("README.md")).items():
        (tmp_path / file).write_text(content, "utf-8")
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, ["plan", *shlex.split(arguments), "--no-estimate"])
    assert done.exit_code == 0, done.output or done.exception


@pytest.fixture(scope="module")
def tutored(tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The packages of the repository, and the loss of the tutorial."""
    path = tmp_path_factory.mktemp("tutorial") / "my_hinge.py"
    path.write_text(files_of(text("docs/tutorials/loss.md"))["my_hinge.py"], "utf-8")
    packages = [str(p) for p in sorted((ROOT / "plugins").glob("*/ganbench_*.py"))]
    return registry.load([*packages, str(path)])


@pytest.mark.parametrize("block", blocks("yaml"))
def test_benchmark_files_are_understood(block: str, tmp_path: Path, tutored: Registry) -> None:
    found = yaml.safe_load(block)
    if set(found) <= set(TOP_KEYS):
        missing = [line for line in ANY.splitlines() if not names_any(found, line)]
        benchmark_file.load(tiny.write(tmp_path, "\n".join([*missing, block])), tutored)
    else:
        assert set(found) & set(OTHERS)


def names_any(found: dict[str, object], line: str) -> bool:
    key = line.split(":")[0]
    return "extends" in found or key in found or key in found.get("matrix", {})  # type: ignore[operator]


@pytest.mark.parametrize("block", blocks("python"))
def test_code_is_python(block: str) -> None:
    compile(block, "<block>", "exec")
