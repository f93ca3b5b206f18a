"""Lists plugins by reading their source: no plugin is imported, and so neither is torch."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ganbench.errors import PluginError
from ganbench.registry.built_ins import found_built_ins
from ganbench.registry.catalog import first_sentence
from ganbench.registry.discovery import (
    FoundPlugin,
    PluginSource,
    found_entry_points,
    is_file,
    source_file,
)
from ganbench.registry.hookspecs import API_VERSION
from ganbench.registry.kinds import by_hook
from ganbench.registry.registry import Registry, why_not
from ganbench.util.messages import suggestion


@dataclass(frozen=True)
class Listed:
    """What can be named in a benchmark file, or, with the kind '?', a plugin that gives nothing."""

    kind: str
    name: str
    summary: str  # the first sentence of the class's documentation
    distribution: str
    version: str
    plugin: str
    problem: str | None = None


class _NotStatic(Exception):
    """What a module registers cannot be told without importing it."""

    def __init__(self, why: str = "its source does not say plainly what it registers") -> None:
        super().__init__(f"{why}; `ganbench plugins --load` imports it and tells more")


def listing(plugins: Sequence[str] = (), *, load: bool = False) -> list[Listed]:
    """List the built-ins, the installed plugins and `plugins`, files or modules as for `--plugin`.

    A plugin whose source does not tell what it registers is imported where `load` allows it. One
    that gives nothing is listed with the reason as its `problem`, and so is every name that is
    taken twice.
    """
    listed: list[Listed] = []
    points, failures = found_entry_points()
    for plugin in _plugins(points, plugins):
        source = plugin.source
        try:
            listed += _read(plugin.module, source)
        except (_NotStatic, OSError, SyntaxError, ValueError, RecursionError, MemoryError) as error:
            if load:
                listed += _imported(plugin)
            else:
                plain = isinstance(error, _NotStatic)
                listed.append(
                    _failed(source, str(error) if plain else f"{type(error).__name__}: {error}")
                )
    listed += [_failed(failure.source, failure.reason) for failure in failures]
    return list(_with_collisions(listed))


def _plugins(points: Sequence[FoundPlugin], named: Sequence[str]) -> Iterator[FoundPlugin]:
    """Find the built-ins, the installed plugins and those that are named beside them."""
    yield from found_built_ins()
    yield from points
    for name in dict.fromkeys(named):
        if name not in {point.module for point in points}:
            source = PluginSource(name, Path(name).name if is_file(name) else name, "")
            yield FoundPlugin(source, name)


def _with_collisions(listed: list[Listed]) -> Iterator[Listed]:
    owners: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
    for entry in listed:
        owners[entry.kind, entry.name].append(f"{entry.distribution} {entry.version}".strip())
    for entry in listed:
        sources = owners[entry.kind, entry.name]
        twice = f"{entry.kind} '{entry.name}' is registered by both {' and '.join(sources)}"
        clashes = len(sources) > 1 and entry.kind != "?"
        yield replace(entry, problem=twice) if clashes else entry


def _imported(plugin: FoundPlugin) -> list[Listed]:
    registry, name, source = Registry(), plugin.module, plugin.source
    if not source.version:  # it is of --plugin
        try:
            registry.add_named(name)
        except PluginError as error:
            return [_failed(source, str(error))]
    elif why := why_not(plugin):
        return [_failed(source, why)]
    else:
        registry.add_installed(plugin)
    failed = [_failed(source, failure.reason) for failure in registry.failures]
    given = (Listed(e.kind, e.name, e.summary, *_about(source)) for e in registry.entries())
    return [*given, *failed]


def _failed(source: PluginSource, problem: str) -> Listed:
    return Listed("?", source.plugin, "", *_about(source), problem)


def _about(source: PluginSource) -> tuple[str, str, str]:
    return source.distribution, source.version, source.plugin


def _read(module: str, source: PluginSource) -> list[Listed]:
    """Read what the hooks of a module register. Raises _NotStatic."""
    path = Path(module) if is_file(module) else _source_file(module)
    tree = ast.parse(path.read_bytes())
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    hooks = [part for part in tree.body if isinstance(part, ast.FunctionDef) and _is_hook(part)]
    if not hooks:
        raise _NotStatic("it implements no hook")
    _check_api(tree)
    listed = []
    for hook in hooks:
        for name in _registered(hook):
            cls = _class(tree, name, package)
            summary = first_sentence(ast.get_docstring(cls) or "")
            kind = by_hook()[hook.name].word
            listed.append(Listed(kind, _name(cls), summary, *_about(source)))
    return listed


def _check_api(tree: ast.Module) -> None:
    for part in tree.body:
        match part:
            case ast.Assign([ast.Name("GANBENCH_API")], ast.Constant(api)) if api != API_VERSION:
                raise _NotStatic(
                    f"it is written for plugin API {api!r}, and this ganbench has {API_VERSION}"
                )


def _source_file(module: str) -> Path:
    try:
        return source_file(module)
    except ModuleNotFoundError as error:
        raise _NotStatic(str(error)) from error
    except ImportError as error:
        raise _NotStatic from error


def _is_hook(function: ast.FunctionDef) -> bool:
    marked = any("hookimpl" in ast.unparse(mark) for mark in function.decorator_list)
    hooks = by_hook()
    is_hook = function.name in hooks
    if marked and not is_hook:
        near = suggestion(function.name, hooks)
        raise _NotStatic(f"it implements unknown hook '{function.name}'{near}")
    if is_hook and not marked:
        raise _NotStatic(f"it defines {function.name} without @hookimpl above it")
    return marked


def _registered(hook: ast.FunctionDef) -> Iterator[str]:
    """Yield the classes handed to `register`, directly or by a loop over a literal list."""
    for statement in hook.body:
        uses = sum(isinstance(n, ast.Name) and n.id == "register" for n in ast.walk(statement))
        match statement:
            case _ if not uses:
                continue
            case ast.Expr(ast.Call(ast.Name("register"), [ast.Name(name)])) if uses == 1:
                yield name
            case ast.For(
                ast.Name(each),
                ast.Tuple(classes) | ast.List(classes),
                [ast.Expr(ast.Call(ast.Name("register"), [ast.Name(given)]))],
            ) if each == given and all(isinstance(cls, ast.Name) for cls in classes):
                yield from (cls.id for cls in classes if isinstance(cls, ast.Name))
            case _:
                raise _NotStatic


def _class(tree: ast.Module, name: str, package: str, *, follow: bool = True) -> ast.ClassDef:
    """Find the class's definition, here or in the module that it is imported from."""
    for part in tree.body:
        if isinstance(part, ast.ClassDef) and part.name == name:
            return part
        if isinstance(part, ast.ImportFrom) and follow:
            for alias in part.names:
                if (alias.asname or alias.name) == name:
                    there = ast.parse(_source_file(_absolute(part, package)).read_bytes())
                    return _class(there, alias.name, "", follow=False)
    raise _NotStatic


def _absolute(statement: ast.ImportFrom, package: str) -> str:
    base = package.split(".")[: len(package.split(".")) - statement.level + 1]
    return ".".join([*(base if statement.level else []), *([statement.module or ""])]).strip(".")


def _name(cls: ast.ClassDef) -> str:
    for part in cls.body:
        match part:
            case ast.Assign([ast.Name("name")], ast.Constant(str(name))):
                return name
            case ast.AnnAssign(ast.Name("name"), _, ast.Constant(str(name))):
                return name
    raise _NotStatic
