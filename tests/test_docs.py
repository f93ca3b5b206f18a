"""What the documents say is so."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import click
import pytest
import tiny

from ganbench import config, hookspecs, plan
from ganbench.cli import COMMANDS, cli
from ganbench.cli.plugins import markdown
from ganbench.registry import Registry
from ganbench.testing import check_plugin

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.yaml"))


def block(name: str, text: str = README) -> str:
    found = re.search(rf"<!-- {name}:start -->\n(.*?)<!-- {name}:end -->", text, re.DOTALL)
    assert found, f"the README has no block {name}"
    return found[1]


def fenced(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)


def commands() -> list[str]:
    lines = [line.split("  #")[0].strip() for text in fenced("sh") for line in text.splitlines()]
    return [line for line in lines if line.startswith("ganbench ")]


def test_readme_shows_every_command() -> None:
    shown = {line.split()[1] for line in commands()}
    assert shown == set(COMMANDS)


@pytest.mark.parametrize("line", commands())
def test_commands_of_the_readme_are_understood(line: str) -> None:
    name, *arguments = shlex.split(line.split(" > ")[0])[1:]
    command = cli.get_command(click.Context(cli), name)
    assert command
    context = command.make_context(name, arguments)  # raises on an unknown option
    for path in (context.params.get("file"), *context.params.get("plugins", ())):
        assert path is None or (ROOT / path).is_file()


@pytest.mark.parametrize("line", [c for c in commands() if c.startswith("ganbench run")])
def test_runs_of_the_readme_can_be_planned(line: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from click.testing import CliRunner

    monkeypatch.chdir(ROOT)
    arguments = shlex.split(line)[2:]
    for option in ("--out", "--jobs"):
        if option in arguments:
            at = arguments.index(option)
            del arguments[at : at + 2]
    done = CliRunner().invoke(cli, ["plan", *arguments, "--no-estimate"])
    assert done.exit_code == 0, done.output or done.exception


@pytest.mark.parametrize("path", BENCHMARKS, ids=lambda p: p.name)
@pytest.mark.parametrize("profile", [None, "smoke", "full"])
def test_every_benchmark_can_be_planned(path: Path, profile: str | None, plugins: Registry) -> None:
    if profile and f"  {profile}:" not in path.read_text("utf-8"):
        profile = None
    found = config.load(path, plugins, profile=profile)
    assert not found.warnings
    assert plan.make(found, plugins, device="cpu").cells


def test_yaml_of_the_readme_can_be_planned(tmp_path: Path, plugins: Registry) -> None:
    (text,) = fenced("yaml")
    planned = plan.make(config.load(tiny.write(tmp_path, text), plugins), plugins, device="cpu")
    assert len(planned.cells) == 4
    assert {c.schedule.n_critic for c in planned.cells if c.loss.name == "wgan-gp"} == {3}


def test_loss_of_the_readme_is_the_package_and_conforms() -> None:
    text = block("loss").removeprefix("```python\n").removesuffix("```\n")
    package = ROOT / "plugins" / "ganbench-hinge" / "ganbench_hinge.py"
    assert text == package.read_text("utf-8")
    from ganbench.registry import import_named

    module, _ = import_named(str(package))
    results = check_plugin(module.Hinge)
    assert results
    assert [r for r in results if not r.passed] == []


def test_loss_of_the_readme_trains(tmp_path: Path) -> None:
    text = tiny.TINY.replace("[bce, lsgan]", "[hinge]")
    package = ROOT / "plugins" / "ganbench-hinge" / "ganbench_hinge.py"
    done = tiny.ganbench(
        "run", tiny.write(tmp_path, text), "--plugin", package, "--out", "run", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_readme_names_every_hook_with_its_argument() -> None:
    for hook in hookspecs.KIND_OF_HOOK:
        assert f"`{hook}(register)`" in README


def test_readme_lists_every_plugin_as_the_program_does() -> None:
    assert block("plugins").strip() == markdown().strip(), "paste `ganbench plugins --markdown`"


def test_table_of_the_readme_is_the_published_one() -> None:
    published = (ROOT / "results" / "published" / "cgan_mnist" / "table.md").read_text("utf-8")
    assert block("table").strip() == published.strip()


def test_links_and_pictures_of_the_documents_exist() -> None:
    for document in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "results" / "README.md"):
        for link in re.findall(r"\]\(([^)#]+)\)", document.read_text("utf-8")):
            assert link.startswith("http") or (document.parent / link).exists(), link


def test_changelog_has_the_version() -> None:
    import ganbench

    assert f"## [{ganbench.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")
