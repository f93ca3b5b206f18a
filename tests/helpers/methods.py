"""Published methods, each a plugin file of tests/methods/, for the contracts to prove."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[1] / "methods"
PACKAGES = Path(__file__).parents[2] / "plugins"
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.py"))}


def module(name: str) -> ModuleType:
    """Import a method's file."""
    return _imported(f"methods_{name}", FILES[name])


def package(name: str) -> ModuleType:
    """Import the module of a package in plugins/, without its `ganbench-`."""
    file = f"ganbench_{name.replace('-', '_')}"
    return _imported(file, PACKAGES / f"ganbench-{name}" / f"{file}.py")


@cache
def _imported(name: str, path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # dataclasses and pickle look there
    spec.loader.exec_module(found)
    return found


def plugins(name: str) -> list[type]:
    """Return the classes that a method's file registers, whatever their kind."""
    found: list[type] = []
    for attribute, hook in vars(module(name)).items():
        if attribute.startswith("register_"):
            hook(register=found.append)
    return found
