"""Published methods, files of tests/methods/ or packages, for the contracts to prove."""

from __future__ import annotations

import importlib.util
import sys
from functools import cache
from pathlib import Path
from types import ModuleType

FOLDER = Path(__file__).parents[1] / "methods"
PACKAGES = Path(__file__).parents[2] / "plugins"
FILES = {path.stem: path for path in sorted(FOLDER.glob("*.py"))}
PACKAGED = {
    "ada": ("ada", "ADA"),
    "apa": ("ada", "APA"),
    "bigan": ("bigan", "BiGAN"),
    "gradient_normalised": ("gngan", "GradientNormalised"),
    "infogan": ("infogan", "InfoGAN"),
    "logan": ("logan", "LOGAN"),
    "path_length": ("stylegan2", "PathLength"),
    "top_k": ("topk", "TopK"),
    "unrolled": ("unrolled", "Unrolled"),
}
"""Those that are classes of packages, which have their conformance tested there."""


def module(name: str) -> ModuleType:
    """Import a method's file."""
    return _imported(f"methods_{name}", FILES[name])


def package(name: str) -> ModuleType:
    """Import the module of a package in plugins/, without its `ganbench-`."""
    file = package_file(name)
    return _imported(file.stem, file)


def package_file(name: str) -> Path:
    """Return the module of a package in plugins/, without its `ganbench-`."""
    return PACKAGES / f"ganbench-{name}" / f"ganbench_{name.replace('-', '_')}.py"


@cache
def _imported(name: str, path: Path) -> ModuleType:
    there = sys.modules.get(name)
    if there and there.__file__ == str(path):  # a second one's classes would not be pickled
        return there
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec
    assert spec.loader
    found = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = found  # dataclasses and pickle look there
    spec.loader.exec_module(found)
    return found


def plugins(name: str) -> list[type]:
    """Return the classes that a method's file registers, whatever their kind, or a package's."""
    if name in PACKAGED:
        short, cls = PACKAGED[name]
        return [getattr(package(short), cls)]
    found: list[type] = []
    for attribute, hook in vars(module(name)).items():
        if attribute.startswith("register_"):
            hook(register=found.append)
    return found
