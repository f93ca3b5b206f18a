"""The packages in plugins/: each installs, is listed, and trains by its own benchmark file."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import folders_of_pictures, tiny

from ganbench.cli import cli
from ganbench.config import benchmark_file, plan
from ganbench.registry import registry

ROOT = Path(__file__).parents[2]
PACKAGES = sorted((ROOT / "plugins").glob("ganbench-*"))
EACH = pytest.mark.parametrize("package", PACKAGES, ids=lambda package: package.name)


@pytest.fixture(autouse=True)
def built_ins_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "")


def module_of(package: Path) -> Path:
    return package / f"{package.name.replace('-', '_')}.py"


@pytest.fixture
def its_data(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    """What the benchmark of a package needs beside it, where the tests stand."""
    package = request.getfixturevalue("package")
    if package.name == "ganbench-hf-datasets":
        pytest.importorskip("pyarrow", reason="pip install pyarrow")
        monkeypatch.chdir(tmp_path)
        folders_of_pictures.parquet(tmp_path / "digits.parquet")


def names_of(package: Path) -> list[str]:
    """What the package registers."""
    plugins = registry.load([str(module_of(package))])
    return [e.name for e in plugins.entries() if e.source.distribution != "ganbench"]


@EACH
def test_package_has_what_a_package_needs(package: Path) -> None:
    about = (package / "pyproject.toml").read_text("utf-8")
    short = package.name.removeprefix("ganbench-")
    assert f'name = "{package.name}"' in about
    assert f'[project.entry-points.ganbench]\n{short} = "{module_of(package).stem}"\n' in about
    assert 'license = "Apache-2.0"' in about
    readme = (package / "README.md").read_text("utf-8")
    for name in names_of(package):
        assert f"`{name}`" in readme or f"[{name}" in readme or f"name: {name}" in readme
    assert list((package / "tests").glob("test_*.py"))


@EACH
def test_options_of_the_readme_are_those_of_the_classes(package: Path) -> None:
    plugins = registry.load([str(module_of(package))])
    readme = (package / "README.md").read_text("utf-8")
    rows = [line for line in readme.splitlines() if line.startswith("|")]
    told = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    found = {
        option
        for entry in plugins.entries()
        if entry.source.distribution != "ganbench"
        for option in plugins.options_model(entry.kind, entry.name).model_fields
    }
    assert told >= found, f"its README lacks {sorted(found - told)}"


@EACH
@pytest.mark.usefixtures("its_data")
def test_benchmark_of_the_package_uses_it(package: Path) -> None:
    plugins = registry.load([str(module_of(package))])
    asked = benchmark_file.load(package / "benchmark.yaml", plugins)
    found = plan.make(asked, plugins, device="cpu")
    assert not asked.warnings
    used = {spec.name for cell in found.cells for spec in cell.specs()}
    used |= {callback.name for callback in asked.run.callbacks}
    used |= {asked.run.execution.executor.name}
    assert used & set(names_of(package))


TRAINED = ("acgan", "csv-log", "divergences", "topk")
"""A few, in `make test`: all files are planned there, and all plugins trained by the kit."""
EACH_TRAINED = pytest.mark.parametrize(
    "package",
    [
        pytest.param(p, marks=[] if p.name[9:] in TRAINED else pytest.mark.integration, id=p.name)
        for p in PACKAGES
    ],
)
# Where networks of the file's own width take most of the time.
DCGAN = "architecture={name: dcgan, width: 4, init_std: null}"
NARROW = {
    "ganbench-acgan": "matrix.architecture=[{name: dcgan, width: 4, init_std: null}]",
    **dict.fromkeys(
        (
            *("ganbench-ada", "ganbench-consistency", "ganbench-contrastive"),
            *("ganbench-diffaugment", "ganbench-infogan", "ganbench-ssgan"),
        ),
        DCGAN,
    ),
    "ganbench-biggan": "matrix.architecture=[{name: biggan, width: 4, most: 1, latent_dim: 8}]",
    "ganbench-progressive": "architecture={name: progressive, latent_dim: 8, width: 4}",
}
AS_IT_IS = pytest.param(True, marks=pytest.mark.integration, id="as it is")


@EACH_TRAINED
@pytest.mark.usefixtures("its_data")
@pytest.mark.parametrize("whole", [pytest.param(False, id="short"), AS_IT_IS])
def test_benchmark_of_the_package_trains(package: Path, whole: bool, tmp_path: Path) -> None:
    short = ["evaluation.controls=[]", *filter(None, [NARROW.get(package.name)])]
    changes = ["training.budget.kimg=0.5"] if whole else ["training.budget.kimg=0.1", *short]
    done = CliRunner().invoke(
        cli,
        [
            "run", str(package / "benchmark.yaml"), "--plugin", str(module_of(package)),
            "--out", str(tmp_path / "run"), "--seeds", "0", "--json", "--quiet",
            *(part for change in changes for part in ("--set", change)),
            "--set", "evaluation.metrics=[throughput]",
            "--set", "evaluation.num_samples=100", "--set", "execution.executor=inline",
            "--set", "execution.threads=1",
        ],
        standalone_mode=False,
    )  # fmt: skip
    assert done.exception is None, done.exception
    rows = json.loads(done.stdout)["rows"]
    assert {row["status"] for row in rows} == {"ok"}


@pytest.mark.integration
@pytest.mark.install
def test_all_packages_install_side_by_side_and_are_listed(tmp_path: Path) -> None:
    isolated = importlib.util.find_spec("hatchling") is None
    options = ["--no-deps", *([] if isolated else ["--no-build-isolation"])]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", *options]
    subprocess.run([*pip, "--target", tmp_path, *PACKAGES], check=True, timeout=300)
    path = os.pathsep.join([str(ROOT), str(tmp_path)])
    surroundings = tiny.surroundings(PYTHONPATH=path)
    del surroundings["GANBENCH_LOAD_PLUGINS"]
    for more in ([], ["--load"]):
        done = subprocess.run(
            tiny.command("plugins", "--json", *more),
            env=surroundings, cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        listed = json.loads(done.stdout)
        listed = listed["plugins"] if more else listed
        found = {entry["distribution"]: entry for entry in listed}
        assert {package.name for package in PACKAGES} <= set(found)
        assert [entry for entry in listed if entry["problem"]] == []
        assert found["ganbench-hinge"]["version"] == "0.1"
