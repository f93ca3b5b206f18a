"""Each room imports only from the rooms above it, no files or rooms form a circle, and plugins see
public names alone. Imports that only type checkers see count like any other."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

import ganbench

PACKAGE = Path(__file__).parents[2] / "ganbench"
LAYERS = (
    "errors",
    "util",
    "records",
    "contracts",
    "pictures",
    "registry",
    "models gate",
    "evaluation archive",
    "training config",
    "runs reports",
    "worker testing",
    "fork_server",
    "cli",
    "__main__ pytest_plugin",
)
LEVEL = {name: level for level, names in enumerate(LAYERS) for name in names.split()}
OUTSIDE = {"default_plugins"}  # beside the stack: imported by nobody but commands, by name
FACE = "ganbench"  # whose names stand for the modules that define them


def modules() -> list[Path]:
    return sorted(p for p in PACKAGE.rglob("*.py") if p != PACKAGE / "__init__.py")


def dotted(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room(module: str) -> str:
    return module.split(".")[1]


@cache
def known() -> frozenset[str]:
    return frozenset(map(dotted, modules()))


@cache
def imports(path: Path) -> tuple[str, ...]:
    """Modules of ganbench that a file imports, wherever in it and for whatever purpose."""
    return tuple(dict.fromkeys(_imports(ast.parse(path.read_text("utf-8")))))


def _imports(tree: ast.Module) -> Iterator[str]:
    for found in ast.walk(tree):
        if isinstance(found, ast.Import):
            yield from (alias.name for alias in found.names if alias.name.startswith("ganbench."))
        elif isinstance(found, ast.ImportFrom) and (found.module or "").split(".")[0] == FACE:
            for alias in found.names:
                module = f"{found.module}.{alias.name}"
                if module in known():
                    yield module
                elif found.module != FACE:
                    yield str(found.module)
                else:
                    yield f"ganbench.{ganbench._HOME_OF[alias.name]}"
        elif isinstance(found, ast.Attribute) and ast.unparse(found.value) == FACE:
            yield f"ganbench.{ganbench._HOME_OF.get(found.attr, found.attr)}"


def circle(graph: Mapping[str, set[str]]) -> list[str]:
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def test_every_module_has_a_layer() -> None:
    names = {room(dotted(path)) for path in modules()} - OUTSIDE
    assert names == set(LEVEL)


@pytest.mark.parametrize("path", modules(), ids=lambda p: str(p.relative_to(PACKAGE)))
def test_modules_import_only_from_layers_above(path: Path) -> None:
    here = room(dotted(path))
    if here in OUTSIDE:
        return
    for name in imports(path):
        there = room(name)
        assert there not in OUTSIDE or here == "cli", f"{path.name} imports {name}"
        if there in LEVEL and there != here:
            assert LEVEL[there] < LEVEL[here], f"{path.name} imports {name}"


def test_no_files_form_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in modules():
        graph[dotted(path)] = set(imports(path)) - {dotted(path)}
    assert not circle(graph)


def test_no_rooms_form_a_circle() -> None:
    graph: dict[str, set[str]] = {}
    for path in modules():
        here = room(dotted(path))
        graph.setdefault(here, set()).update({room(name) for name in imports(path)} - {here})
    assert not circle(graph)


@pytest.mark.parametrize(
    "path",
    sorted((PACKAGE / "default_plugins").rglob("*.py")),
    ids=lambda p: str(p.relative_to(PACKAGE)),
)
def test_built_ins_see_only_the_public_names(path: Path) -> None:
    for found in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(found, ast.ImportFrom) or (found.module or "").split(".")[0] != FACE:
            continue
        own = str(found.module).startswith("ganbench.default_plugins")
        public = found.module == FACE and all(a.name in ganbench.__all__ for a in found.names)
        runs_inline = path.parent.name == "executors" and [a.name for a in found.names] == [
            "worker"
        ]
        assert own or public or runs_inline, f"{path.name}:{found.lineno}"
