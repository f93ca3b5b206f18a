"""Loads plugins one by one, all of a module or nothing of it."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from types import ModuleType

import pluggy

from ganbench.errors import INTERRUPTIONS, PluginError, place, told
from ganbench.registry import built_ins, hookspecs, rehearsal
from ganbench.registry.admission import check_class, check_module
from ganbench.registry.catalog import Catalog, Entry
from ganbench.registry.discovery import (
    Failure,
    FoundPlugin,
    PluginSource,
    found_entry_points,
    import_named,
    remember,
    source_digest,
)
from ganbench.registry.hookspecs import PROJECT
from ganbench.registry.kinds import Kind, by_hook

__all__ = ["Entry", "NameTaken", "Registry", "built_in_reporters", "load"]


class NameTaken(PluginError):
    """Two plugins register one name; there is no override."""

    def __init__(self, kind: str, name: str, other: PluginSource, source: PluginSource) -> None:
        named = [s.plugin for s in (source, other) if not s.version]
        cures = {  # by how many of the two are files
            0: "uninstall one, or set GANBENCH_LOAD_PLUGINS to the plugins you want",
            1: f"leave --plugin {''.join(named[:1])} out, or uninstall the other",
            2: "leave out --plugin of one",
        }
        super().__init__(
            f"{kind} '{name}' is registered by both {other} and {source}; {cures[len(named)]}"
        )
        self.kind, self.name, self.other = kind, name, other


class Registry(Catalog):
    """A catalog that plugins are added to. One that is broken costs only itself, and says why."""

    def __init__(self) -> None:
        super().__init__()
        self._contested: dict[tuple[str, str], str] = {}
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs.specifications())
        if os.environ.get("GANBENCH_TRACE_PLUGINS"):
            self._manager.trace.root.setwriter(lambda line: sys.stderr.write(f"ganbench: {line}"))
            self._manager.enable_tracing()

    def add_built_ins(self, room: str = "") -> None:
        """Register the built-in plugins, or those of one of their rooms, such as `reporters`."""
        prefix = f"{built_ins.PACKAGE}.{room}"
        for found in built_ins.found_built_ins():
            if found.module.startswith(prefix):
                self.add(importlib.import_module(found.module), found.source)

    def add(self, module: ModuleType, source: PluginSource) -> None:
        """Register all that a module's hooks give, or nothing of it. Raises PluginError."""
        others = self._manager.get_plugins()
        if module in others:
            return
        if source.distribution != PROJECT:
            source = replace(source, digest=source_digest(module))
            remember(module, source)
        marked = self._marked(module)
        check_module(module, marked, source)
        new: dict[tuple[str, str], Entry] = {}
        try:
            name = f"{source.distribution}/{source.plugin}"
            self._manager.trace(f"register {name}")
            self._manager.register(module, name=name)
            for hook, kind in by_hook().items():
                if hook in marked:
                    caller = self._manager.subset_hook_caller(hook, others)
                    caller(register=self._registrar(kind, source, new))
        except BaseException as error:
            self._forget(module)
            if isinstance(error, pluggy.PluginValidationError):
                raise PluginError(
                    f"plugin '{source.plugin}' ({source}) has a hook of the wrong signature; write "
                    f"it with the one argument 'register'\n{error}"
                ) from error
            raise
        if not new:
            self._forget(module)
            raise PluginError(f"plugin '{source.plugin}' ({source}) registers nothing")
        self._entries.update(new)
        if source.distribution != PROJECT:
            self._check_options(module, new)

    def add_installed(self, plugin: FoundPlugin) -> None:
        """Import and register an installed plugin, or keep why it fails."""
        source = plugin.source
        try:
            with rehearsal.contained(source.plugin):
                self.add(importlib.import_module(plugin.module), source)
        except NameTaken as taken:
            self._fail(source, taken)
            if taken.other.distribution != PROJECT:  # neither has a better claim
                self._contested[taken.kind, taken.name] = str(taken)
                self._entries = {k: e for k, e in self._entries.items() if e.source != taken.other}
                self._fail(taken.other, taken)
        except PluginError as error:
            self._fail(source, error)
        except INTERRUPTIONS:
            raise
        except BaseException as error:
            self._fail(source, error, traceback.format_exc(limit=-3))

    def add_named(self, plugin: str, *, rehearse: bool = True) -> None:
        """Import and register a `--plugin` value. Raises PluginError, whatever is wrong with it.

        One whose import would end this process is not imported, unless nothing is rehearsed.
        """
        if rehearse and (why := why_not_named(plugin)):
            raise PluginError(f"--plugin {plugin}: {why}")
        try:
            with rehearsal.contained(plugin):
                module, source = import_named(plugin)
                self.add(module, source)
        except (PluginError, *INTERRUPTIONS):
            raise
        except BaseException as error:
            raise PluginError(
                f"--plugin {plugin}: its hook raised {told(error)}{place(error)}"
            ) from error

    def _marked(self, module: ModuleType) -> list[str]:
        """Return the functions of a module that `@hookimpl` stands above."""
        options = self._manager.parse_hookimpl_opts
        return [name for name in dir(module) if options(module, name) is not None]

    def _fail(self, source: PluginSource, error: BaseException, detail: str = "") -> None:
        self.failures.append(Failure(source, " ".join(told(error).split()), detail))

    def _check_options(self, module: ModuleType, new: Mapping[tuple[str, str], Entry]) -> None:
        """Refuse a module again where the fields of one of its classes cannot be options."""
        try:
            for kind, name in new:
                self.options_model(kind, name)
        except PluginError:
            self._forget(module)
            self._entries = {key: e for key, e in self._entries.items() if key not in new}
            raise

    def _forget(self, module: ModuleType) -> None:
        """Undo a registration, wherever it stopped."""
        name = self._manager.get_name(module)
        if name is not None:
            self._manager.unregister(name=name)

    def _registrar(
        self, kind: Kind, source: PluginSource, new: dict[tuple[str, str], Entry]
    ) -> Callable[[type], None]:
        def register(cls: type) -> None:
            check_class(kind, cls, source)
            entry = Entry(kind.word, cls, source)
            key = (entry.kind, entry.name)
            if message := self._contested.get(key):
                raise PluginError(message)
            if other := self._entries.get(key) or new.get(key):
                raise NameTaken(*key, other.source, source)
            new[key] = entry

        return register


def load(plugins: Iterable[str] = (), *, rehearse: bool = True) -> Registry:
    """Return the registry of the built-ins, the installed plugins and `plugins` (files or modules).

    An installed plugin that is wrong in any way is kept in `failures`, and so are both of two that
    register one name; where one of `plugins` is wrong, PluginError is raised. What would take this
    process down as it is imported is not, unless nothing is rehearsed.
    """
    registry = Registry()
    registry.add_built_ins()
    points, failures = found_entry_points()
    registry.failures += failures
    for point in points:
        if rehearse and (why := why_not(point)):
            registry.failures.append(Failure(point.source, why))
        else:
            registry.add_installed(point)
    for plugin in dict.fromkeys(plugins):
        registry.add_named(plugin, rehearse=rehearse)
    return registry


def why_not(plugin: FoundPlugin) -> str:
    """Return why an installed plugin must not be imported here; the empty text where it may."""
    elsewhere = f"import sys, {__name__} as r; r.act_out(sys.argv[1])"
    return rehearsal.why_not(plugin, act_out, elsewhere)


def act_out(module: str) -> None:
    """Import and register a plugin's module, whatever comes of it."""
    Registry().add_installed(FoundPlugin(PluginSource(module, module, ""), module))


def why_not_named(plugin: str) -> str:
    """Return why a `--plugin` value must not be imported here; the empty text where it may.

    Exceptions are none of the reasons: the import itself tells of them.
    """
    found = FoundPlugin(PluginSource(plugin, plugin, ""), plugin)
    elsewhere = f"import sys, {__name__} as r; r.act_out_named(sys.argv[1])"
    return rehearsal.why_not(found, act_out_named, elsewhere, may_last=True)


def act_out_named(plugin: str) -> None:
    """Import and register a `--plugin` value, whatever exception comes of it."""
    with contextlib.suppress(BaseException):
        Registry().add_named(plugin, rehearse=False)


def built_in_reporters() -> Registry:
    """Return a registry of the built-in reporters alone, which need no torch to show a run."""
    registry = Registry()
    registry.add_built_ins("reporters")
    return registry
