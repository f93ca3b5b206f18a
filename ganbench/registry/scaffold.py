"""New plugin packages, from the templates in this package."""

from __future__ import annotations

import ast
import builtins
import keyword
import re
import shutil
from importlib.resources import files
from pathlib import Path
from string import Template

import ganbench
from ganbench.errors import PluginError
from ganbench.registry import manifest
from ganbench.registry.hookspecs import PROJECT
from ganbench.registry.kinds import KINDS
from ganbench.util.files import write_text

SLUGS = tuple(kind.slug for kind in KINDS.values())
NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
LONGEST_NAME = 40
FILES = ("pyproject.toml", "README.md", "benchmark.yaml", "module.py", "test.py")


def write(kind: str, name: str, into: Path) -> Path:
    """Write a package `ganbench-NAME` into the folder `into`; nothing that exists is touched.

    Raises PluginError, and leaves nothing behind, where the name cannot be a plugin's or is one's
    already, and where the folder is there or cannot be written.
    """
    package = into / f"ganbench-{name}"
    contents = _contents(kind, name)
    _check_free(kind.replace("-", " "), name)
    try:
        package.mkdir(parents=True)
    except FileExistsError as error:
        raise PluginError(
            f"{package}: exists already; choose another name, or --into another DIR"
        ) from error
    except OSError as error:
        raise _unwritable(package, error) from error
    try:
        for file, text in contents.items():
            (package / file).parent.mkdir(exist_ok=True)
            write_text(package / file, text)
    except OSError as error:
        shutil.rmtree(package, ignore_errors=True)
        raise _unwritable(package, error) from error
    return package


def module_name(name: str) -> str:
    """Return the name of the module of a plugin called `name`."""
    return f"ganbench_{name.replace('-', '_')}"


def _contents(kind: str, name: str) -> dict[str, str]:
    """Return the text of every file of the package. Raises PluginError for an unfit name."""
    if not NAME.fullmatch(name) or keyword.iskeyword(name) or len(name) > LONGEST_NAME:
        raise PluginError(
            f"'{name}' cannot be a plugin's name; use lower-case words joined by hyphens, such as "
            f"my-{kind}, of at most {LONGEST_NAME} characters"
        )
    cls, module = "".join(part.capitalize() for part in name.split("-")), module_name(name)
    short = name.replace("-", "_")
    values = {
        "name": name,
        "module": module,
        "cls": cls,
        "kind": kind.replace("-", " "),
        "short": short,
    }
    targets = {"module.py": f"{module}.py", "test.py": f"tests/test_{short}.py"}
    contents = {
        targets.get(file, file): Template(_template(kind, file)).substitute(values)
        for file in FILES
    }
    if cls in {*ganbench.__all__, *dir(builtins)} or any(
        _bound(text).count(cls) > 1 for file, text in contents.items() if file.endswith(".py")
    ):
        raise PluginError(
            f"the class of '{name}' would be called {cls}, a name that is taken; choose another, "
            f"such as my-{name}"
        )
    return contents


def _check_free(kind: str, name: str) -> None:
    """Refuse a name that would keep the package from loading beside what is installed."""
    for entry in manifest.listing():
        same_package = entry.plugin == name and entry.distribution != PROJECT
        if same_package or (entry.kind, entry.name) == (kind, name):
            raise PluginError(
                f"the {entry.kind} '{entry.name}' is in {entry.distribution} {entry.version} "
                f"already; choose another name, such as my-{name}"
            )


def _bound(source: str) -> list[str]:
    """List every name that a module imports, and every class that it defines."""
    names = []
    for part in ast.parse(source).body:
        if isinstance(part, ast.Import | ast.ImportFrom):
            names += [alias.asname or alias.name for alias in part.names]
        elif isinstance(part, ast.ClassDef):
            names.append(part.name)
    return names


def _template(kind: str, file: str) -> str:
    """Read a kind's own template of a file, or the one that all kinds share."""
    folder = files("ganbench.registry") / "templates"
    own = folder / kind / f"{file}.template"
    return (own if own.is_file() else folder / f"{file}.template").read_text("utf-8")


def _unwritable(package: Path, error: OSError) -> PluginError:
    return PluginError(f"{package}: cannot be written: {error.strerror}")
