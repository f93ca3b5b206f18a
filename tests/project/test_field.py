"""Every method that has a package is in the benchmarks of the field, in the extra and on a page."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import tiny
from helpers.documents import text

from ganbench.cli import cli
from ganbench.config import benchmark_file, plan
from ganbench.registry.packages import PACKAGES
from ganbench.registry.registry import Registry

ROOT = Path(__file__).parents[2]
SMOKE = ROOT / "benchmarks" / "field_smoke.yaml"
KINDS = {"loss", "conditioning", "architecture", "transform"}
METHODS = {name: brings for name, brings in PACKAGES.items() if KINDS & set(brings)}


def names_of(cells) -> set[str]:
    return {spec.name for cell in cells for spec in cell.specs()}


@pytest.fixture(scope="module")
def smoke(with_packages: Registry):
    asked = benchmark_file.load(SMOKE, with_packages)
    assert not asked.warnings
    return plan.make(asked, with_packages, device="cpu").cells


def test_every_package_has_a_cell_that_trains_in_no_time(smoke) -> None:
    used = names_of(smoke)
    for package, brings in METHODS.items():
        names = {name for kind in KINDS & set(brings) for name in brings[kind]}
        assert used & names, f"{package} has no cell in {SMOKE.name}"
    assert all(cell.schedule.kimg <= 0.5 for cell in smoke)


def test_cells_are_named_one_by_one(smoke) -> None:
    names = re.findall(r"^    # (.+)$", SMOKE.read_text("utf-8"), re.MULTILINE)
    assert len(names) == len(set(names)) == len(smoke)
    page = text("docs/methods.md")
    assert all(f"| {name} | `" in page for name in names)


def test_published_settings_are_of_the_same_methods() -> None:
    large = (ROOT / "benchmarks" / "field_cifar10.yaml").read_text("utf-8")
    names = re.findall(r"^    # (.+)\n    -", large, re.MULTILINE)
    assert set(names) <= set(re.findall(r"^    # (.+)$", SMOKE.read_text("utf-8"), re.MULTILINE))
    assert len(names) > 25


def test_extra_has_every_package_of_a_method() -> None:
    extra = text("pyproject.toml").partition("\nfield = [")[2].partition("]")[0]
    assert set(re.findall(r'"(ganbench-[\w-]+)"', extra)) == set(METHODS)


@pytest.mark.parametrize("axis", ["loss", "conditioning", "architecture"])
def test_all_of_a_kind_is_planned_with_everything_installed(
    axis: str, with_packages: Registry, tmp_path: Path
) -> None:
    """What cannot be a cell is a row with its reason, and the rest are cells."""
    parts = {"loss": "bce", "conditioning": "none", "architecture": "mlp"}
    fixed = "\n".join(f"{name}: {part}" for name, part in parts.items() if name != axis)
    file = tmp_path / "all.yaml"
    file.write_text(
        f"version: 1\nname: all\ndataset: mnist\n{fixed}\nmatrix: {{{axis}: all}}\n"
        "on_incompatible: skip\n",
        "utf-8",
    )
    asked = benchmark_file.load(file, with_packages)
    found = plan.make(asked, with_packages, device="cpu").cells
    here = {cell.axes[axis].partition("(")[0] for cell in found if not cell.incompatible}
    assert {"loss": {"f-gan", "began", "bigan"}, "conditioning": {"infogan", "tac", "mgan"},
            "architecture": {"biggan", "stylegan2", "progressive"}}[axis] <= here  # fmt: skip
    refused = [cell for cell in found if cell.incompatible]
    assert all(len(cell.incompatible.split()) > 4 for cell in refused)


@pytest.mark.integration
def test_every_method_trains(with_packages: Registry, tmp_path: Path) -> None:
    packages = sorted(ROOT.glob("plugins/ganbench-*/ganbench_*.py"))
    done = CliRunner().invoke(
        cli,
        [
            "run", str(SMOKE), "--out", str(tmp_path / "run"), "--json", "--quiet",
            *(part for package in packages for part in ("--plugin", str(package))),
            "--set", "execution.executor=inline", "--set", "execution.threads=1",
        ],
        standalone_mode=False,
        env=tiny.surroundings(GANBENCH_LOAD_PLUGINS=""),
    )  # fmt: skip
    assert done.exception is None, done.exception
    assert {row["status"] for row in json.loads(done.stdout)["rows"]} == {"ok"}
