"""Where plugins come from: installed distributions, files and modules; and who each one is."""

from __future__ import annotations

import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import re
import sys
import traceback
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from ganbench.errors import INTERRUPTIONS, PluginError, place, told
from ganbench.registry.hookspecs import PROJECT
from ganbench.registry.own_imports import own_imports
from ganbench.util.messages import known, quoted, suggestion

if TYPE_CHECKING:
    from typing_extensions import Buffer


@dataclass(frozen=True)
class PluginSource:
    """Where a plugin comes from."""

    plugin: str  # the entry point's name, or the file
    distribution: str  # of a file, its name
    version: str
    digest: str = ""  # SHA-256 of the source files; built-ins have none, for their version tells

    def __str__(self) -> str:
        return f"{self.distribution} {self.version}".strip()

    @property
    def identity(self) -> str:
        """What records hold of the plugin: it changes when the code does."""
        return f"{self} sha256:{self.digest[:12]}" if self.digest else str(self)


@dataclass(frozen=True)
class Failure:
    """A plugin that could not be loaded, and why."""

    source: PluginSource
    reason: str  # one line
    detail: str = ""  # the traceback, where there is one


@dataclass(frozen=True)
class FoundPlugin:
    """A plugin that is known by name alone: nothing of it is imported yet."""

    source: PluginSource
    module: str  # its dotted name


def found_entry_points() -> tuple[list[FoundPlugin], list[Failure]]:
    """Return the installed plugins that GANBENCH_LOAD_PLUGINS admits; import none of them.

    Beside them stand those whose name is another's too. Raises PluginError where the variable names
    what is not installed.
    """
    points = [p for p in importlib.metadata.entry_points(group=PROJECT) if p.dist and p.dist.name]
    by_name: dict[str, dict[str, FoundPlugin]] = {}
    for point in _admitted(points):
        source = PluginSource(point.name, point.dist.name, point.dist.version)
        found = FoundPlugin(source, point.value)
        by_name.setdefault(point.name, {}).setdefault(_canonical(point.dist.name), found)
    failures = []
    for name, rivals in by_name.items():
        if len(rivals) > 1:
            sources = [found.source for found in rivals.values()]
            reason = (
                f"both {' and '.join(map(str, sources))} call their plugin '{name}'; uninstall "
                "one, or set GANBENCH_LOAD_PLUGINS to the distributions you want"
            )
            failures += [Failure(source, reason) for source in sources]
    return [f for r in by_name.values() if len(r) == 1 for f in r.values()], failures


def _admitted(points: list[Any]) -> list[Any]:
    """Keep what GANBENCH_LOAD_PLUGINS names, by plugin or distribution; all where it is unset."""
    listed = os.environ.get("GANBENCH_LOAD_PLUGINS")
    if listed is None:
        return points
    wanted = {_canonical(name) for name in listed.split(",") if name.strip()}
    names = [{_canonical(p.name), _canonical(p.dist.name)} for p in points]
    absent = sorted(wanted.difference(*names))
    if absent:
        installed = sorted(set().union(*names))
        raise PluginError(
            f"GANBENCH_LOAD_PLUGINS names {quoted(absent)}, which is not installed"
            f"{suggestion(absent[0], installed)}{known(installed)}"
        )
    return [point for point, own in zip(points, names, strict=True) if own & wanted]


def _canonical(name: str) -> str:
    """Spell a distribution in one way, whether it has a hyphen, a dot or an underscore."""
    return re.sub(r"[-_.]+", "-", name.strip()).lower()


def import_named(plugin: str) -> tuple[ModuleType, PluginSource]:
    """Import a `--plugin` value: a path to a Python file, or a module's dotted name.

    Raises PluginError where there is no such file, and whatever goes wrong in the import.
    """
    path = Path(plugin) if is_file(plugin) else None
    if path and importlib.util.spec_from_file_location("plugin", path) is None:
        raise PluginError(f"--plugin {plugin}: not a Python file; its name would end with .py")
    try:
        module = _import_file(path) if path else importlib.import_module(plugin)
    except INTERRUPTIONS:
        raise
    except BaseException as error:
        raise PluginError(
            f"--plugin {plugin} could not be imported: {told(error)}{place(error)}"
        ) from error
    return module, PluginSource(plugin, path.name if path else plugin, "")


_imported: dict[str, PluginSource] = {}  # by the first part of the module's name


def remember(module: ModuleType, source: PluginSource) -> None:
    """Note whose code a module and those below it are."""
    _imported[module.__name__.partition(".")[0]] = source


def culprit(error: BaseException) -> PluginSource | None:
    """Return the plugin in whose code an exception was raised, or None where it was no plugin's."""
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__", ""))
        found = _imported.get(name.partition(".")[0], found)
    return found


def is_file(plugin: str) -> bool:
    """Say whether a `--plugin` value is a path. Raises PluginError where there is no such file."""
    if not plugin.endswith(".py") and os.sep not in plugin:
        return False
    if not Path(plugin).is_file():
        raise PluginError(f"--plugin {plugin}: there is no such file")
    return True


def lone_file_identity(name: str, content: bytes) -> str:
    """Return the identity of a plugin that is one file and imports nothing beside it."""
    digest = hashlib.sha256(f"{Path().as_posix()} {len(content)}\n".encode() + content)
    return PluginSource(name, name, "", digest.hexdigest()).identity


def source_digest(module: ModuleType) -> str:
    """Return the SHA-256 of the source of a module and the package around it; "" for none.

    What these import beside them, of nobody's distribution, counts where there is any.
    """
    around = sys.modules.get(module.__name__.partition(".")[0], module)
    folders = [Path(folder) for folder in getattr(around, "__path__", ())]
    files = sorted((file.relative_to(top), file) for top in folders for file in top.rglob("*.py"))
    if not folders and getattr(module, "__file__", None):
        files = [(Path(), Path(str(module.__file__)))]
    found = hashlib.sha256()
    for name, file in files:
        found.update(f"{name.as_posix()} {file.stat().st_size}\n".encode() + file.read_bytes())
    package = around.__name__ if folders else ""
    beside = own_imports([file for _, file in files], package, source_file)
    for module_name, file in sorted(beside.items()):
        found.update(f"{module_name} {file.stat().st_size}\n".encode() + file.read_bytes())
    return found.hexdigest() if files else ""


def source_file(module: str) -> Path:
    """Find where a module's source is; its parent packages are located, not imported.

    Raises ImportError where there is none.
    """
    locations: Sequence[str] | None = None
    origin = None
    parts = module.split(".")
    for end in range(1, len(parts) + 1):
        name = ".".join(parts[:end])
        if end > 1 and locations is None:  # nothing lies below a plain module
            raise ModuleNotFoundError(f"No module named '{name}'")
        try:
            found = (finder.find_spec(name, locations) for finder in sys.meta_path)
            spec = next((spec for spec in found if spec is not None), None)
        except KeyError:  # of a folder without __init__.py, whose parent is not imported
            locations = [str(Path(place, parts[end - 1])) for place in locations or ()]
            origin = None
            continue
        if spec is None:
            raise ModuleNotFoundError(f"No module named '{name}'")
        locations, origin = spec.submodule_search_locations, spec.origin
    if origin is None or not origin.endswith(".py"):
        raise ImportError(f"module '{module}' has no source")
    return Path(origin)


class _Source(SourceFileLoader):
    """Leaves no __pycache__ in the folder of somebody's file."""

    def set_data(self, path: str, data: Buffer, *, _mode: int = 0o666) -> None:
        """Write nothing."""


def _import_file(path: Path) -> ModuleType:
    digest = hashlib.sha256(str(path.resolve()).encode()).hexdigest()[:8]
    name = f"ganbench_plugin_{path.stem}_{digest}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ImportError("not a Python file")
    if isinstance(spec.loader, SourceFileLoader):
        spec.loader = _Source(name, str(path))
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module  # dataclasses look their module up here
    try:
        spec.loader.exec_module(module)
    except BaseException:
        del sys.modules[name]
        raise
    return module
