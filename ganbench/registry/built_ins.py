"""The built-in plugins, found by their source: a module that defines hooks is one of them."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterator
from pathlib import Path

import ganbench
from ganbench.registry.discovery import FoundPlugin, PluginSource
from ganbench.registry.hookspecs import PROJECT

PACKAGE = "ganbench.default_plugins"


def found_built_ins() -> list[FoundPlugin]:
    """Return the modules of PACKAGE that define hooks, in the order of lists; imports none."""
    spec = importlib.util.find_spec(PACKAGE)
    folders = (spec.submodule_search_locations or ()) if spec else ()
    modules = [name for folder in folders for name in _with_hooks(Path(folder), PACKAGE)]
    version = ganbench.__version__
    return [
        FoundPlugin(PluginSource(name.rpartition(".")[2], PROJECT, version), name)
        for name in modules
    ]


def _with_hooks(folder: Path, package: str) -> Iterator[str]:
    """Yield the modules of a package that define hooks: itself, its modules, its packages'."""
    init = (folder / "__init__.py").read_bytes()
    if _defines_hooks(init):
        yield package
    listed = {name: number for number, name in enumerate(_order(init))}
    modules = {path.stem: path for path in folder.glob("*.py") if path.name != "__init__.py"}
    packages = {path.parent.name: path.parent for path in folder.glob("*/__init__.py")}
    names = sorted(
        {*modules, *packages}, key=lambda n: (listed.get(n, len(listed)), n in packages, n)
    )
    for name in names:
        if name in packages:
            yield from _with_hooks(packages[name], f"{package}.{name}")
        elif _defines_hooks(modules[name].read_bytes()):
            yield f"{package}.{name}"


def _defines_hooks(source: bytes) -> bool:
    """Whether a module has a hook, or what was meant for one and is refused when it is loaded."""
    return b"\n@hookimpl" in source or b"\ndef register_" in source


def _order(source: bytes) -> tuple[str, ...]:
    """Read what a package says of the order of its modules."""
    if b"ORDER" not in source:
        return ()
    for part in ast.parse(source).body:
        match part:
            case ast.Assign([ast.Name("ORDER")], value):
                return tuple(ast.literal_eval(value))
    return ()
