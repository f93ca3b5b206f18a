"""What `pip install` gets is the whole package, tables, weights, templates and scripts included."""

from __future__ import annotations

import runpy
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = (  # one of each kind of file that is no Python
    "py.typed",
    "default_plugins/data/mnist/train-images-idx3-ubyte.xz",
    "default_plugins/data/mnist_cnn_v1/weights.safetensors",
    "registry/templates/loss/module.py.template",
    "reports/published/tables/pacgan.yaml",
)
SHIPPED = ("*.yaml", "textbook/*.yaml", "textbook/*.py", "textbook/*.csv")


def added(version: str) -> dict[str, str]:
    """What hatch_build.py adds to such a wheel: the places in it by file."""
    pytest.importorskip("hatchling")
    build_data: dict[str, Any] = {"force_include": {}}
    hook = runpy.run_path(str(ROOT / "hatch_build.py"))["Shipped"]
    hook.initialize(SimpleNamespace(root=str(ROOT)), version, build_data)
    return build_data["force_include"]


@pytest.fixture(scope="module")
def wheel() -> dict[str, bytes]:
    """The package's files in a wheel, by their names in it."""
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    own, forced = builder.recurse_included_files(), builder.recurse_forced_files(added("standard"))
    return {
        Path(file.distribution_path).as_posix(): Path(file.path).read_bytes()
        for file in (*own, *forced)
    }


def test_every_file_of_the_package_is_in_the_wheel(wheel: dict[str, bytes]) -> None:
    files = (path for path in (ROOT / "ganbench").rglob("*") if path.is_file())
    package = {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}
    assert {f"ganbench/{name}" for name in NEEDED} <= package
    assert {name for name in wheel if not name.startswith("ganbench/shipped/")} == package


def test_the_benchmarks_and_what_textbooks_need_are_in_the_wheel(wheel: dict[str, bytes]) -> None:
    folder = ROOT / "benchmarks"
    files = {path for pattern in SHIPPED for path in folder.glob(pattern)}
    there = {
        name.removeprefix("ganbench/shipped/"): content
        for name, content in wheel.items()
        if name.startswith("ganbench/shipped/")
    }
    assert there == {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in sorted(files)
    }
    assert len(there) > 20


def test_an_editable_install_has_no_copy_of_them() -> None:
    assert added("editable") == {}


def test_the_source_has_what_the_tests_and_the_wheel_need():
    builder = pytest.importorskip("hatchling.builders.sdist").SdistBuilder(str(ROOT))
    found = {
        Path(file.path).relative_to(ROOT).parts[0] for file in builder.recurse_included_files()
    }
    needed = {"ganbench", "plugins", "benchmarks", "tests", "hatch_build.py", "README.md"}
    assert {*needed, "LICENSE"} <= found
