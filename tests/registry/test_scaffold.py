"""`ganbench plugins new`: what it writes works as it is, and what it refuses leaves nothing."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers import tiny, warm

from ganbench.cli import cli
from ganbench.errors import PluginError
from ganbench.registry import scaffold

ROOT = Path(__file__).parents[2]
kinds = pytest.mark.parametrize("kind", scaffold.SLUGS)


@pytest.fixture(scope="module", autouse=True)
def built_ins_alone(mnist_root: Path):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANBENCH_LOAD_PLUGINS", "")
        patch.setenv("GANBENCH_DATA", str(mnist_root))
        yield


def ganbench(*arguments: object) -> Result:
    """The command line in this process, which has torch loaded already."""
    done = CliRunner().invoke(cli, [*map(str, arguments)], standalone_mode=False)
    if done.exception:
        raise done.exception
    return done


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """A new package of every kind."""
    folder = tmp_path_factory.mktemp("packages")
    for kind in scaffold.SLUGS:
        ganbench("plugins", "new", "--kind", kind, f"my-{kind}", "--into", folder)
    return {kind: folder / f"ganbench-my-{kind}" for kind in scaffold.SLUGS}


def module(package: Path) -> Path:
    (found,) = package.glob("*.py")
    return found


@kinds
def test_new_plugin_is_listed_and_conforms(kind: str, packages: dict[str, Path]) -> None:
    file = module(packages[kind])
    listed = json.loads(ganbench("plugins", "--plugin", file, "--json").stdout)
    (entry,) = (entry for entry in listed if entry["name"] == f"my-{kind}")
    assert entry["kind"] == kind.replace("-", " ")
    assert entry["summary"].endswith((".", ")."))
    assert entry["problem"] is None
    checked = ganbench("plugins", "check", file)
    assert checked.return_value == 0, checked.output


ALL = pytest.param(scaffold.SLUGS, marks=pytest.mark.integration, id="all")


@pytest.mark.parametrize("chosen", [pytest.param(("loss", "dataset"), id="two"), ALL])
def test_tests_of_new_plugins_pass(chosen: Sequence[str], packages: dict[str, Path]) -> None:
    """The checks that they run were those of `plugins check` above."""
    path = os.pathsep.join([str(ROOT), *map(str, packages.values())])
    options = ("-q", "-W", "error", "-p", "no:cacheprovider", "--import-mode=importlib")
    done = warm.run(
        "pytest",
        *(*options, *(packages[kind] / "tests" for kind in chosen)),
        cwd=packages["loss"].parent,
        environment=tiny.surroundings(PYTHONPATH=path),
    )
    assert done.returncode == 0, done.stdout
    assert "skipped" not in done.stdout


SHORT = ("--set", "training.budget.kimg=0.3", "--set", "evaluation.num_samples=200")
WHOLE = pytest.param((), marks=pytest.mark.integration, id="whole")


@kinds
@pytest.mark.parametrize("budget", [pytest.param(SHORT, id="short"), WHOLE])
def test_benchmark_of_a_new_plugin_runs(
    kind: str, budget: tuple[str, ...], packages: dict[str, Path], tmp_path: Path
) -> None:
    package, run = packages[kind], tmp_path / "run"
    arguments = ("run", package / "benchmark.yaml", "--plugin", module(package), *budget)
    if kind == "executor":  # its processes are its point; for the rest, they would take time
        done = tiny.ganbench(*arguments, "--out", run, cwd=tmp_path)
        assert done.returncode == 0, done.stderr
    else:
        ended = ganbench(*arguments, "--out", run, "--set", "execution.executor=inline")
        assert ended.return_value == 0, ended.output
    table = json.loads((run / "table.json").read_text("utf-8"))
    assert len(table["rows"]) >= 3
    assert {row["status"] for row in table["rows"]} == {"ok"}
    assert shows(f"my-{kind}", kind, table, run)


def shows(name: str, kind: str, table: dict[str, Any], run: Path) -> bool:
    """Whether the plugin's part in the run is there to be seen."""
    if kind in ("metric", "feature-extractor"):
        return any(name in column["name"] for column in table["columns"])
    if kind == "reporter":
        return (run / "summary.txt").read_text("utf-8").count(", ok\n") == len(table["rows"])
    if kind == "callback":
        files = list(run.glob("trials/*/progress.txt"))
        trained = sum(not row["reference"] for row in table["rows"])
        return [f.read_text("utf-8").splitlines()[-1] for f in files] == ["ok"] * trained
    if kind == "executor":
        return len(list(run.glob("trials/*/worker.log"))) == len(table["rows"])
    return any(name in row["label"] for row in table["rows"])


@kinds
def test_profile_of_a_new_benchmark_can_be_planned(kind: str, packages: dict[str, Path]) -> None:
    file, plugin = packages[kind] / "benchmark.yaml", module(packages[kind])
    done = ganbench("plan", file, "--profile", "full", "--plugin", plugin)
    assert done.return_value == 0, done.output


@kinds
@pytest.mark.parametrize(
    ("name", "cls"), [("q", "Q"), ("wgan-2", "Wgan2"), ("my-2d-thing-3x-4", "My2dThing3x4")]
)
def test_names_become_classes_modules_and_files(
    kind: str, name: str, cls: str, tmp_path: Path
) -> None:
    package = scaffold.write(kind, name, tmp_path / "made" / "on the way")
    short = name.replace("-", "_")
    files = {str(p.relative_to(package)) for p in package.rglob("*") if p.is_file()}
    assert files == {
        "pyproject.toml",
        "README.md",
        "benchmark.yaml",
        f"ganbench_{short}.py",
        f"tests/test_{short}.py",
    }
    source = (package / f"ganbench_{short}.py").read_text("utf-8")
    assert f"class {cls}(" in source
    assert f"register({cls})" in source
    assert f'name = "{name}"' in source
    for file in files:
        text = (package / file).read_text("utf-8")
        assert not re.search(r"\$[a-z]", text)
        assert max(map(len, text.splitlines())) <= 100 or not file.endswith(".py")


@pytest.mark.parametrize(
    "name",
    ["My Loss", "../x", "class", "", "1x", "-x", "x-", "x--y", "x_y", "x.y", "mü", "x\n", "x" * 41],
)
def test_what_no_plugin_can_be_called_is_refused(name: str, tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"cannot be a plugin's name; use lower-case words"):
        scaffold.write("loss", name, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("kind", "name", "cls"),
    [
        ("loss", "loss", "Loss"),  # a public name that the module imports,
        ("loss", "metric", "Metric"),  # one that it may import tomorrow,
        ("dataset", "path", "Path"),  # a name of someone else's,
        ("architecture", "f", "F"),
        ("architecture", "generator", "Generator"),  # a class beside it,
        ("reporter", "simple-namespace", "SimpleNamespace"),  # one that its test imports,
        ("loss", "none", "None"),  # and Python's own
        ("loss", "value-error", "ValueError"),
    ],
)
def test_class_that_would_hide_another_is_refused(
    kind: str, name: str, cls: str, tmp_path: Path
) -> None:
    with pytest.raises(PluginError, match=rf"would be called {cls}, a name that is taken.*my-"):
        scaffold.write(kind, name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_name_of_an_existing_plugin_is_refused_for_its_kind_alone(tmp_path: Path) -> None:
    with pytest.raises(PluginError, match=r"loss 'wgan-gp' is in ganbench \S+ already"):
        scaffold.write("loss", "wgan-gp", tmp_path)
    assert not list(tmp_path.iterdir())
    assert scaffold.write("metric", "wgan-gp", tmp_path).is_dir()


def test_folder_that_exists_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "ganbench-mine").mkdir()
    (tmp_path / "ganbench-mine" / "precious.txt").write_text("mine")
    with pytest.raises(PluginError, match=r"ganbench-mine: exists already; choose another name"):
        scaffold.write("loss", "mine", tmp_path)
    assert [p.name for p in tmp_path.rglob("*")] == ["ganbench-mine", "precious.txt"]


@pytest.mark.parametrize("written", [0, 2])
def test_unwritable_folder_is_said_in_a_sentence_and_nothing_is_left(
    written: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    left = iter(range(written))
    write_text = scaffold.write_text

    def until_denied(path: Path, text: str) -> None:
        if next(left, None) is None:
            raise PermissionError(13, "Permission denied")
        write_text(path, text)

    monkeypatch.setattr(scaffold, "write_text", until_denied)
    with pytest.raises(PluginError, match=r"ganbench-mine: cannot be written: Permission denied$"):
        scaffold.write("loss", "mine", tmp_path)
    assert not list(tmp_path.iterdir())


def test_target_that_is_a_file_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PluginError, match="cannot be written: Not a directory"):
        scaffold.write("loss", "mine", tmp_path / "file")


def test_command_says_what_to_do_next_and_what_is_wrong(tmp_path: Path) -> None:
    new = ("plugins", "new", "--kind", "architecture")
    done = tiny.ganbench(*new, "my-net", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("ganbench-my-net: an architecture 'my-net' that works as it is")
    file = Path("ganbench-my-net") / "ganbench_my_net.py"
    assert f"ganbench plugins check {file}\n" in done.stdout
    again = tiny.ganbench(*new, "my-net", cwd=tmp_path)
    assert again.returncode == 2
    assert again.stderr.startswith("error: ganbench-my-net: exists already")
    assert len(again.stderr.splitlines()) == 1


@pytest.mark.install
def test_new_package_installs_and_is_listed(packages: dict[str, Path], tmp_path: Path) -> None:
    # `make test` has hatchling from the dev extra; where it is missing, pip fetches it.
    isolated = importlib.util.find_spec("hatchling") is None
    options = ["--no-deps", *([] if isolated else ["--no-build-isolation"])]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *options]
    subprocess.run([*pip, "--target", tmp_path, packages["loss"]], check=True, timeout=300)
    done = subprocess.run(
        tiny.command("plugins", "--json"),
        env={
            **tiny.surroundings(PYTHONPATH=os.pathsep.join([str(ROOT), str(tmp_path)])),
            "GANBENCH_LOAD_PLUGINS": "my-loss",
        },
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    (entry,) = (e for e in json.loads(done.stdout) if e["distribution"] == "ganbench-my-loss")
    assert (entry["kind"], entry["name"], entry["version"]) == ("loss", "my-loss", "0.1")
    assert entry["problem"] is None
