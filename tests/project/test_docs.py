"""What the documents say is so."""

from __future__ import annotations

import importlib.util
import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest
from helpers import folders_of_pictures as layouts
from helpers import tiny, warm

from ganbench.cli import COMMANDS, cli
from ganbench.config import benchmark_file, plan
from ganbench.registry.kinds import KINDS
from ganbench.registry.registry import Registry
from ganbench.testing import check_plugin

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text("utf-8")
GUIDE = (ROOT / "docs" / "plugins.md").read_text("utf-8")
WRITTEN = "pictures.yaml"  # by `ganbench new`, as the documents say
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.yaml"))


def block(name: str, text: str = README) -> str:
    found = re.search(rf"<!-- {name}:start -->\n(.*?)<!-- {name}:end -->", text, re.DOTALL)
    assert found, f"the README has no block {name}"
    return found[1]


def fenced(language: str, text: str = README) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


def commands(text: str = README) -> list[str]:
    lines = [
        line.split("  #")[0].strip() for part in fenced("sh", text) for line in part.splitlines()
    ]
    return [line for line in lines if line.startswith("ganbench ")]


def generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_readme_shows_every_command() -> None:
    shown = {line.split()[1] for line in commands()}
    assert shown == set(COMMANDS)


@pytest.mark.parametrize("line", [*commands(), *commands(GUIDE)])
def test_commands_of_the_documents_are_understood(line: str) -> None:
    name, *arguments = shlex.split(line.split(" > ")[0])[1:]
    command = cli.get_command(click.Context(cli), name)
    if isinstance(command, click.Group) and arguments and not arguments[0].startswith("-"):
        command = command.get_command(click.Context(command), arguments.pop(0))
    assert command
    context = command.make_context(name, arguments)  # raises on an unknown option
    for path in (context.params.get("file"), *context.params.get("plugins", ())):
        assert str(path) in ("None", "my_loss.py", "my-run", WRITTEN) or (ROOT / path).is_file()


@pytest.mark.parametrize(
    "line", [c for c in commands() if c.startswith("ganbench run") and WRITTEN not in c]
)
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
def test_every_benchmark_can_be_planned(
    path: Path,
    profile: str | None,
    with_packages: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layouts.digits(tmp_path / "data" / "digits.npz")
    monkeypatch.chdir(tmp_path)
    if profile and f"  {profile}:" not in path.read_text("utf-8"):
        profile = None
    found = benchmark_file.load(path, with_packages, profile=profile)
    assert not found.warnings
    assert plan.make(found, with_packages, device="cpu").cells


def test_yaml_of_the_readme_can_be_planned(tmp_path: Path, plugins: Registry) -> None:
    (text,) = fenced("yaml")
    planned = plan.make(
        benchmark_file.load(tiny.write(tmp_path, text), plugins), plugins, device="cpu"
    )
    assert len(planned.cells) == 4
    assert {c.schedule.n_critic for c in planned.cells if c.loss.name == "wgan-gp"} == {3}


def test_loss_of_the_readme_is_the_package_and_conforms() -> None:
    text = block("loss").removeprefix("```python\n").removesuffix("```\n")
    package = ROOT / "plugins" / "ganbench-hinge" / "ganbench_hinge.py"
    assert text == package.read_text("utf-8")
    from ganbench.registry.discovery import import_named

    module, _ = import_named(str(package))
    results = check_plugin(module.Hinge)
    assert results
    assert [r for r in results if not r.passed] == []


def test_loss_of_the_readme_trains(tmp_path: Path) -> None:
    text = tiny.INLINE.replace("[bce, lsgan]", "[hinge]")
    package = ROOT / "plugins" / "ganbench-hinge" / "ganbench_hinge.py"
    done = tiny.ganbench(
        "run", tiny.write(tmp_path, text), "--plugin", package, "--out", "run", cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr


def test_generated_parts_are_what_make_docs_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    generate = generator()
    for file, blocks in generate.BLOCKS.items():
        text = (ROOT / file).read_text("utf-8")
        for name, content in blocks.items():
            assert block(name, text) == content() + "\n", f"{file} is stale: run `make docs`"


def test_every_public_class_is_in_the_guide() -> None:
    import inspect

    import ganbench

    generate = generator()
    shown = {*generate.HELPERS, *generate.REPORTED, *generate.RECORDED}
    shown |= {kind.contract for kind in KINDS.values()}
    public = {n for n in ganbench.__all__ if inspect.isclass(getattr(ganbench, n))}
    aside = {
        "Regularizer",
        "SavedModel",  # in docs/looking.md
        "Samples",
        "Unconditioned",
        "InputGradients",
        "PlainNorm",
    }
    errors = {n for n in public if issubclass(getattr(ganbench, n), BaseException)}
    assert public - aside - errors == shown


@pytest.fixture
def guide_file(tmp_path: Path) -> Path:
    text = block("file", GUIDE).removeprefix("```python\n").removesuffix("```\n")
    path = tmp_path / "my_loss.py"
    path.write_text(text, "utf-8")
    return path


def test_file_of_the_guide_passes_its_checks_and_its_tests(guide_file: Path) -> None:
    folder = guide_file.parent
    done = tiny.ganbench("plugins", "check", "my_loss.py", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"loss margin: (\d+) of \1 checks passed, \d", done.stdout)
    tests = next(text for text in fenced("python", GUIDE) if "parametrize_with_checks" in text)
    (folder / "test_my_loss.py").write_text(tests, "utf-8")
    options = ("-q", "-p", "no:cacheprovider")
    tested = warm.run("pytest", *options, folder, cwd=folder, environment=tiny.surroundings())
    assert tested.returncode == 0, tested.stdout


@pytest.mark.parametrize(
    ("name", "cls"),
    [("penalty", "NearReals"), ("owned", "LatentReader"), ("probed", "Strips")],
)
def test_plugin_of_the_guide_passes_its_checks(name: str, cls: str, tmp_path: Path) -> None:
    text = block(name, GUIDE).removeprefix("```python\n").removesuffix("```\n")
    (tmp_path / f"guide_{name}.py").write_text(text, "utf-8")
    from ganbench.registry.discovery import import_named

    module, _ = import_named(str(tmp_path / f"guide_{name}.py"))
    assert [r for r in check_plugin(getattr(module, cls)) if not r.passed] == []


@pytest.mark.install
def test_package_of_the_guide_is_written_and_built(tmp_path: Path) -> None:
    new = next(line for line in commands(GUIDE) if line.startswith("ganbench plugins new"))
    done = tiny.ganbench(*shlex.split(new)[1:], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    package = tmp_path / "ganbench-my-loss"
    (entry_point,) = fenced("toml", GUIDE)
    assert entry_point in (package / "pyproject.toml").read_text("utf-8")
    assert f"python -m build {package.name}\n" in GUIDE
    built = subprocess.run(
        [sys.executable, "-m", "build", "--no-isolation", package], capture_output=True, text=True
    )
    assert built.returncode == 0, built.stdout + built.stderr
    assert len(list((package / "dist").glob("ganbench_my_loss-0.1*"))) == 2  # a wheel and a source


def test_run_of_the_guide_runs(guide_file: Path) -> None:
    (line,) = [line for line in commands(GUIDE) if line.startswith("ganbench run")]
    arguments = shlex.split(line)[1:]
    arguments[1] = str(ROOT / arguments[1])
    short = ("--set", "training.budget.kimg=1", "--set", "matrix.dataset=[ring]", "--seeds", "0")
    inline = ("--set", "execution.executor=inline")
    done = tiny.ganbench(*arguments, *short, *inline, "--out", "run", cwd=guide_file.parent)
    assert done.returncode == 0, done.stderr
    rows = tiny.results(guide_file.parent / "run")
    assert len(rows) == 4
    assert {result["status"] for result in rows.values()} == {"ok"}


def test_table_of_the_readme_is_the_published_one() -> None:
    published = (ROOT / "results" / "published" / "cgan_mnist" / "table.md").read_text("utf-8")
    title, _, rest = published.partition("\n")
    assert title == "# cgan_mnist"
    assert block("table").strip() == rest.strip()


def test_links_and_pictures_of_the_documents_exist() -> None:
    written = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "results/README.md")]
    written += [*(ROOT / "docs").glob("*.md"), *(ROOT / "plugins").glob("*/README.md")]
    for document in written:
        text = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)  # no code
        for link in re.findall(r"\]\(([^)#]+)\)", text):
            assert link.startswith("http") or (document.parent / link).exists(), link


def test_changelog_has_the_version() -> None:
    import ganbench

    assert f"## [{ganbench.__version__}]" in (ROOT / "CHANGELOG.md").read_text("utf-8")


def test_notebooks_read_results_as_the_page_shows(tmp_path: Path, monkeypatch) -> None:
    from ganbench.testing.fixtures import trials

    (tmp_path / "my-run").mkdir()
    lost = trials.lost("failed", "why")
    trials.report(tmp_path / "my-run", {"bce": [trials.finished(), lost], "lsgan": [None]})
    run = json.loads((tmp_path / "my-run" / "run.json").read_text("utf-8"))
    run["provenance"] = {"packages": {"torch": "2"}}
    (tmp_path / "my-run" / "run.json").write_text(json.dumps(run), "utf-8")
    monkeypatch.chdir(tmp_path)
    (shown,) = fenced("python", (ROOT / "docs" / "results.md").read_text("utf-8"))
    names: dict[str, Any] = {}
    exec(shown, names)
    assert names["medians"].loc["bce/none/mlp", "kimg"] == 4.0
