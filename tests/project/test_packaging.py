"""What `pip install` gets is the whole package, tables, weights, templates and scripts included."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NEEDED = (  # one of each kind of file that is no Python
    "py.typed",
    "default_plugins/data/mnist/train-images-idx3-ubyte.xz",
    "default_plugins/data/mnist_cnn_v1/weights.safetensors",
    "registry/templates/loss/module.py.template",
    "reports/published/tables/pacgan.yaml",
)


def in_the_wheel() -> set[str]:
    builder = pytest.importorskip("hatchling.builders.wheel").WheelBuilder(str(ROOT))
    return {Path(file.distribution_path).as_posix() for file in builder.recurse_included_files()}


def test_every_file_of_the_package_is_in_the_wheel():
    files = (path for path in (ROOT / "ganbench").rglob("*") if path.is_file())
    package = {path.relative_to(ROOT).as_posix() for path in files if path.suffix != ".pyc"}
    assert {f"ganbench/{name}" for name in NEEDED} <= package
    assert in_the_wheel() == package


def test_the_source_has_what_the_tests_and_the_wheel_need():
    builder = pytest.importorskip("hatchling.builders.sdist").SdistBuilder(str(ROOT))
    found = {
        Path(file.path).relative_to(ROOT).parts[0] for file in builder.recurse_included_files()
    }
    assert {"ganbench", "plugins", "benchmarks", "tests", "README.md", "LICENSE"} <= found
