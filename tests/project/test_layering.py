"""Each layer imports only from the layers above it, and plugins see public names alone."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "ganbench"
LAYERS = (
    "errors specs settings randomness folders wording extractor_labels significance tracking "
    "downloads",
    "contracts document",
    "hookspecs options matrix machine",
    "discovery",
    "registry",
    "manifest scaffold schema_models",
    "axes json_schema",
    "config",
    "models",
    "cells controls watching",
    "compatibility",
    "plan batches paging meters trainer sampling pictures diagnosis remembered latents blending "
    "pages",
    "records evaluation provenance checkpoints versions saved",
    "gallery",
    "cell_trial",
    "table worker published measurements",
    "compare baseline",
    "verdicts ab noise exporters github",
    "estimate runner profiling",
    "testing",
    "cli",
    "__main__ pytest_plugin",
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
OUTSIDE = {"default_plugins", "data"}  # beside the stack


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imports(path: Path) -> Iterator[str]:
    """Dotted names under ganbench that the module imports, types alone left out."""
    tree = ast.parse(path.read_text("utf-8"))
    for node in tree.body + [n for n in ast.walk(tree) if isinstance(n, ast.FunctionDef)]:
        for found in ast.walk(node):
            if isinstance(found, ast.If) and "TYPE_CHECKING" in ast.dump(found.test):
                found.body.clear()
    for found in ast.walk(tree):
        if isinstance(found, ast.ImportFrom) and found.module:
            if found.module == "ganbench":
                yield from (f"ganbench.{alias.name}" for alias in found.names)
            elif found.module.startswith("ganbench."):
                yield found.module


def test_every_module_has_a_layer() -> None:
    names = {layer(path) for path in modules()} - OUTSIDE
    assert names == set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_import_only_from_layers_above(path: Path) -> None:
    if layer(path) in OUTSIDE:
        return
    for name in imports(path):
        target = name.split(".")[1]
        if target in LEVEL and target != layer(path):
            assert LEVEL[target] <= LEVEL[layer(path)], f"{path.name} imports {name}"


@pytest.mark.parametrize("path", sorted((PACKAGE / "default_plugins").rglob("*.py")), ids=str)
def test_built_ins_see_only_the_public_names(path: Path) -> None:
    import ganbench

    for name in imports(path):
        public = name.removeprefix("ganbench.") in ganbench.__all__
        own = name.startswith("ganbench.default_plugins.")
        runs_inline = name == "ganbench.worker" and path.name == "executors.py"
        assert public or own or runs_inline, f"{path.name} imports {name}"
