"""What the documents say is so."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from helpers import folders_of_pictures as layouts
from helpers import tiny, warm
from helpers.documents import (
    PAGES,
    ROOT,
    block,
    code,
    commands,
    fenced,
    generator,
    shell_lines,
    text,
)

from ganbench import load_run
from ganbench.cli import COMMANDS
from ganbench.config import benchmark_file, plan
from ganbench.registry.registry import Registry
from ganbench.testing import check_plugin

README = text("README.md")
GUIDE = text("docs/plugins.md")
BENCHMARKS = sorted((ROOT / "benchmarks").glob("*.yaml"))


def test_readme_is_a_door() -> None:
    assert len(README.splitlines()) < 120
    assert shell_lines(README)[:2] == ["make demo", "make test"]


def test_page_of_the_commands_shows_every_command() -> None:
    shown = {line.split()[1] for line in commands(text("docs/commands.md"))}
    assert shown == set(COMMANDS)


def test_every_page_is_in_a_table_of_contents() -> None:
    index = text("docs/index.md")
    listed = [
        line for part in fenced("{toctree}", index) for line in part.splitlines() if ":" not in line
    ]
    pages = {path.relative_to(ROOT / "docs").with_suffix("").as_posix() for path in PAGES[1:]}
    assert {*filter(None, listed), "index"} == pages


PROFILED = [
    (path, profile)
    for path in BENCHMARKS
    for profile in (None, "smoke", "full")
    if profile is None or f"  {profile}:" in path.read_text("utf-8")
]


@pytest.mark.parametrize(
    ("path", "profile"), PROFILED, ids=lambda value: getattr(value, "name", value)
)
def test_every_benchmark_can_be_planned(
    path: Path,
    profile: str | None,
    with_packages: Registry,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    layouts.digits(tmp_path / "data" / "digits.npz")
    monkeypatch.chdir(tmp_path)
    found = benchmark_file.load(path, with_packages, profile=profile)
    assert not found.warnings
    assert plan.make(found, with_packages, device="cpu").cells


def test_benchmark_file_of_the_page_can_be_planned(tmp_path: Path, plugins: Registry) -> None:
    (shown,) = fenced("yaml", text("docs/benchmark-file.md"))
    planned = plan.make(
        benchmark_file.load(tiny.write(tmp_path, shown), plugins), plugins, device="cpu"
    )
    assert len(planned.cells) == 4
    assert {c.schedule.n_critic for c in planned.cells if c.loss.name == "wgan-gp"} == {3}


@pytest.fixture
def readme_file(tmp_path: Path) -> Path:
    path = tmp_path / "my_hinge.py"
    path.write_text(code("loss", README), "utf-8")
    return path


def test_loss_of_the_readme_conforms(readme_file: Path) -> None:
    done = tiny.ganbench("plugins", "check", "my_hinge.py", cwd=readme_file.parent)
    assert done.returncode == 0, done.stdout + done.stderr


def test_package_of_the_tutorial_has_the_tests_of_its_class(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    module, tests = fenced("python", text("docs/tutorials/loss.md"))
    package = ModuleType("ganbench_my_hinge")
    monkeypatch.setitem(sys.modules, package.__name__, package)
    exec(module, package.__dict__)
    shown: dict[str, Any] = {}
    exec(tests, shown)
    shown["test_logits_beyond_the_margin_cost_nothing"]()
    (mark,) = shown["test_conformance"].pytestmark
    assert {each.values[0].plugin for each in mark.args[1]} == {"my-hinge"}


def test_loss_of_the_readme_trains_as_the_package_does(readme_file: Path) -> None:
    folder = readme_file.parent
    package = ROOT / "plugins" / "ganbench-hinge" / "ganbench_hinge.py"
    tiny.write(folder, tiny.INLINE.replace("[bce, lsgan]", "[hinge, my-hinge]"))
    plugins = ("--plugin", "my_hinge.py", "--plugin", package)
    done = tiny.ganbench("run", "tiny.yaml", *plugins, "--out", "run", cwd=folder)
    assert done.returncode == 0, done.stderr
    frame = load_run(folder / "run").frame()
    fids = frame[frame["metric"] == "fid@pixels"].set_index("label")["value"]
    assert fids["hinge/none/mlp"] == fids["my-hinge/none/mlp"]


def test_generated_parts_are_what_make_docs_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")
    generate = generator()
    for file, blocks in generate.BLOCKS.items():
        shown = text(file)
        for name, content in blocks.items():
            assert block(name, shown) == content() + "\n", f"{file} is stale: run `make docs`"


def test_every_public_name_is_in_the_reference() -> None:
    import ganbench

    shown = text("docs/reference/contracts.md") + text("docs/reference/records.md")
    named = re.findall(r"^\.\. auto(?:class|function|data):: ganbench\.(\w+)$", shown, re.MULTILINE)
    assert len(named) == len(set(named))
    aside = {"__version__", "Terms", "NormFactory", "Scheduled", "Split"}  # names of types
    assert set(named) == set(ganbench.__all__) - aside


@pytest.fixture
def guide_file(tmp_path: Path) -> Path:
    path = tmp_path / "my_loss.py"
    path.write_text(code("file", GUIDE), "utf-8")
    return path


def test_file_of_the_guide_passes_its_checks_and_its_tests(guide_file: Path) -> None:
    folder = guide_file.parent
    done = tiny.ganbench("plugins", "check", "my_loss.py", cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    assert re.match(r"loss margin: (\d+) of \1 checks passed, \d", done.stdout)
    tests = next(part for part in fenced("python", GUIDE) if "parametrize_with_checks" in part)
    (folder / "test_my_loss.py").write_text(tests, "utf-8")
    options = ("-q", "-p", "no:cacheprovider")
    tested = warm.run("pytest", *options, folder, cwd=folder, environment=tiny.surroundings())
    assert tested.returncode == 0, tested.stdout


@pytest.mark.parametrize(
    ("name", "cls"),
    [("penalty", "NearReals"), ("owned", "LatentReader"), ("probed", "Strips")],
)
def test_plugin_of_the_guide_passes_its_checks(name: str, cls: str, tmp_path: Path) -> None:
    (tmp_path / f"guide_{name}.py").write_text(code(name, GUIDE), "utf-8")
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
    assert block("table", README).strip() == rest.strip()


def test_links_and_pictures_of_the_documents_exist() -> None:
    written = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "results/README.md")]
    written += [*PAGES, *(ROOT / "plugins").glob("*/README.md")]
    for document in written:
        prose = re.sub(r"```.*?```", "", document.read_text("utf-8"), flags=re.DOTALL)  # no code
        for link in re.findall(r"\]\(([^)#]+)\)", prose):
            assert link.startswith("http") or (document.parent / link).exists(), link


def test_links_of_the_pages_lead_where_the_site_can_follow() -> None:
    docs = ROOT / "docs"
    for page in PAGES[1:]:
        prose = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", prose):
            target = (page.parent / link).resolve()
            assert target.is_file(), f"{page.name}: {link} is no file"
            assert target.is_relative_to(docs) or target.suffix != ".md", f"{page.name}: {link}"


def test_notebooks_read_results_as_the_page_shows(tmp_path: Path, monkeypatch) -> None:
    from ganbench.testing.fixtures import trials

    (tmp_path / "my-run").mkdir()
    lost = trials.lost("failed", "why")
    trials.report(tmp_path / "my-run", {"bce": [trials.finished(), lost], "lsgan": [None]})
    run = json.loads((tmp_path / "my-run" / "run.json").read_text("utf-8"))
    run["provenance"] = {"packages": {"torch": "2"}}
    (tmp_path / "my-run" / "run.json").write_text(json.dumps(run), "utf-8")
    monkeypatch.chdir(tmp_path)
    (shown,) = fenced("python", text("docs/results.md"))
    names: dict[str, Any] = {}
    exec(shown, names)
    assert names["medians"].loc["bce/none/mlp", "kimg"] == 4.0
