"""Loads plugins one by one, and looks their classes up by kind and name."""

from __future__ import annotations

import dataclasses
import functools
import importlib
import importlib.metadata
import importlib.util
import inspect
import os
import re
import sys
import traceback
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import pluggy
import pydantic
import pydantic_core

import ganbench
from ganbench.errors import ConfigError, PluginError
from ganbench.records.cells import Spec
from ganbench.registry import extractor_labels, hookspecs
from ganbench.registry.discovery import (
    Failure,
    FoundEntryPoint,
    Source,
    found_entry_points,
    import_named,
    source_digest,
)
from ganbench.registry.hookspecs import API_VERSION, KIND_OF_HOOK, KINDS, PROJECT
from ganbench.registry.options import option_problems, options_model
from ganbench.util.messages import Loc, an, known, quoted, suggestion

BUILT_INS = tuple(
    f"ganbench.default_plugins.{name}"
    for name in (
        "losses",
        "conditionings",
        "architectures",
        "architectures.unrolled",
        "architectures.textbook.cdcgan",
        "architectures.textbook.bricks",
        "architectures.textbook.faces",
        "architectures.textbook.eyeglasses",
        "datasets.mnist",
        "datasets.mixtures",
        "datasets.stacked_mnist",
        "datasets.image_folder",
        "datasets.image_csv",
        "datasets.celeba_attributes",
        "datasets.tensor",
        "datasets.published.mnist_like",
        "datasets.published.cifar",
        "datasets.published.svhn",
        "datasets.published.stl10",
        "datasets.published.celeba",
        "datasets.published.flowers102",
        "features.builtin",
        "features.inception",
        "features.efficientnet",
        "features.random_conv",
        "features.dinov2",
        "metrics.frechet",
        "metrics.kernel",
        "metrics.class_score",
        "metrics.manifold",
        "metrics.bins",
        "metrics.memorization",
        "metrics.conditional",
        "metrics.classifier_accuracy",
        "metrics.coverage",
        "metrics.speed",
        "metrics.numerics",
        "reporters",
        "executors",
    )
)
NAME = re.compile(r"[a-z0-9]+([-.][a-z0-9]+)*")


@dataclass(frozen=True)
class Entry:
    kind: str
    cls: type
    source: Source

    @property
    def name(self) -> str:
        return self.cls.name  # type: ignore[attr-defined]

    @property
    def summary(self) -> str:
        """The first line of the class's documentation."""
        text = (self.cls.__doc__ or "").strip()
        written = not text.startswith(f"{self.cls.__name__}(")  # else dataclass wrote it
        return text.split("\n", 1)[0] if written else ""


class NameTaken(PluginError):
    """Two plugins register one name; there is no override."""

    def __init__(self, kind: str, name: str, other: Source, source: Source) -> None:
        super().__init__(
            f"{kind} '{name}' is registered by both {other} and {source}; uninstall one, or set "
            "GANBENCH_LOAD_PLUGINS to the plugins you want"
        )
        self.kind, self.name, self.other = kind, name, other


class Registry:
    """Everything that can be named in a benchmark file."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self._entries: dict[tuple[str, str], Entry] = {}
        self._contested: dict[tuple[str, str], str] = {}
        self._models: dict[type, type[pydantic.BaseModel]] = {}
        self._manager = pluggy.PluginManager(PROJECT)
        self._manager.add_hookspecs(hookspecs)
        if os.environ.get("GANBENCH_TRACE_PLUGINS"):
            self._manager.add_hookcall_monitoring(_trace_before, lambda *args: None)

    def add(self, module: ModuleType, source: Source) -> None:
        """Register all that a module's hooks give, or nothing of it. Raises PluginError."""
        others = self._manager.get_plugins()
        if module in others:
            return
        if source.distribution != PROJECT:
            source = replace(source, digest=source_digest(module))
        self._check_hooks(module, source)
        new: dict[tuple[str, str], Entry] = {}
        try:
            self._manager.register(module, name=f"{source.distribution}/{source.plugin}")
            for hook, kind in KIND_OF_HOOK.items():
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

    def add_installed(self, point: FoundEntryPoint) -> None:
        """Import and register an installed plugin, or keep why it fails."""
        try:
            self.add(importlib.import_module(point.value), point.source)
        except NameTaken as taken:
            self._fail(point.source, taken)
            if taken.other.distribution != PROJECT:  # neither has a better claim
                self._contested[taken.kind, taken.name] = str(taken)
                self._entries = {k: e for k, e in self._entries.items() if e.source != taken.other}
                self._fail(taken.other, taken)
        except PluginError as error:
            self._fail(point.source, error)
        except (Exception, SystemExit) as error:
            self._fail(point.source, error, traceback.format_exc(limit=-3))

    def add_named(self, plugin: str) -> None:
        """Import and register a `--plugin` value. Raises PluginError, whatever is wrong with it."""
        module, source = import_named(plugin)
        try:
            self.add(module, source)
        except (Exception, SystemExit) as error:
            if isinstance(error, PluginError):
                raise
            raise PluginError(
                f"--plugin {plugin}: its hook raised {type(error).__name__}: {error}"
            ) from error

    def _fail(self, source: Source, error: BaseException, detail: str = "") -> None:
        said = str(error) if isinstance(error, PluginError) else f"{type(error).__name__}: {error}"
        self.failures.append(Failure(source, " ".join(said.split()), detail))

    def entries(self, kind: str | None = None) -> list[Entry]:
        return [e for e in self._entries.values() if kind is None or e.kind == kind]

    def names(self, kind: str) -> list[str]:
        return sorted(entry.name for entry in self.entries(kind))

    def lookup(self, kind: str, name: str) -> Entry:
        """The entry of that name. Raises ConfigError with the nearest match."""
        if (kind, name) in self._entries:
            return self._entries[kind, name]
        names = self.names(kind)
        message = f"unknown {kind} '{name}'{suggestion(name, names)}{known(names)}"
        for failure in self.failures:
            message += f"\n  {failure.source} failed to load: {failure.reason}"
        raise ConfigError(message)

    def find(self, name: str, kind: str | None = None) -> list[Entry]:
        """The entries of that name, of any kind where none is given. Raises ConfigError."""
        if kind is not None:
            return [self.lookup(kind, name)]
        found = [entry for entry in self.entries() if entry.name == name]
        if not found:
            names = sorted({entry.name for entry in self.entries()})
            raise ConfigError(f"no plugin '{name}'{suggestion(name, names)}{known(names)}")
        return found

    def usable(self, kind: str) -> list[str]:
        """The names that make a cell without any option or plugin beside them."""
        from ganbench.contracts.losses import Regularizer

        names = []
        for name in self.names(kind):
            fields = self.options_model(kind, name).model_fields.values()
            alone = not issubclass(self.lookup(kind, name).cls, Regularizer)
            if alone and not any(info.is_required() for info in fields):
                names.append(name)
        return names

    def options_model(self, kind: str, name: str) -> type[pydantic.BaseModel]:
        """The fields of a plugin class as a model that validates its YAML options."""
        entry = self.lookup(kind, name)
        if entry.cls not in self._models:
            try:
                self._models[entry.cls] = options_model(entry.cls)
            except Exception as error:
                why = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise PluginError(
                    f"{kind} '{name}' ({entry.source}): its fields cannot be options: {why}"
                ) from error
        return self._models[entry.cls]

    def problems(self, kind: str, name: str, options: Mapping[str, Any]) -> list[tuple[Loc, str]]:
        """All that is wrong with a choice: where below it, and what."""
        return self._built(kind, name, options)[1]

    def build(self, kind: str, name: str, options: Mapping[str, Any]) -> Any:
        """An instance with validated options. Raises ConfigError."""
        instance, problems = self._built(kind, name, options)
        if problems:
            raise ConfigError("\n".join(message for _, message in problems))
        return instance

    def build_spec(self, spec: Spec) -> Any:
        """An instance of a plan's plugin. Raises ConfigError."""
        return self.build(spec.kind, spec.name, spec.options)

    def extractor(self, label: str) -> Any:
        """The feature extractor of a label such as `random-conv(seed=3)`. Raises ConfigError."""
        try:
            name, options = extractor_labels.parse(label)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        return self.build("feature extractor", name, options)

    def _built(
        self, kind: str, name: str, options: Mapping[str, Any]
    ) -> tuple[Any, list[tuple[Loc, str]]]:
        try:
            entry, model = self.lookup(kind, name), self.options_model(kind, name)
            values = model.model_validate_json(_json(options))
            return entry.cls(**{key: getattr(values, key) for key in model.model_fields}), []
        except ConfigError as error:
            return None, [((), str(error))]
        except pydantic.ValidationError as error:
            return None, option_problems(f"{kind} '{name}'", model, options, error)
        except ValueError as error:
            return None, [((), f"{kind} '{name}': {error}")]

    def _check_hooks(self, module: ModuleType, source: Source) -> None:
        """Refuse another API, misspelt hooks, and modules that would register nothing."""
        who = f"plugin '{source.plugin}' ({source})"
        api = getattr(module, "GANBENCH_API", API_VERSION)
        if api != API_VERSION:
            raise PluginError(
                f"{who} is written for plugin API {api}, and ganbench {ganbench.__version__} has "
                f"{API_VERSION}; install a version of it for that, or another ganbench"
            )
        hooks = [n for n in dir(module) if self._manager.parse_hookimpl_opts(module, n) is not None]
        for name in hooks:
            if name not in KIND_OF_HOOK:
                near = suggestion(name, KIND_OF_HOOK)
                raise PluginError(f"{who} implements unknown hook '{name}'{near}")
        for name in KIND_OF_HOOK:
            if name not in hooks and inspect.isfunction(vars(module).get(name)):
                raise PluginError(f"{who} defines {name} without @hookimpl above it")
        if not hooks:
            raise PluginError(f"{who} implements no hook{known(KIND_OF_HOOK)}")

    def _check_options(self, module: ModuleType, new: Mapping[tuple[str, str], Entry]) -> None:
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
        self, kind: str, source: Source, new: dict[tuple[str, str], Entry]
    ) -> Callable[[type], None]:
        def register(cls: type) -> None:
            _check_class(kind, cls, source)
            entry = Entry(kind, cls, source)
            if message := self._contested.get((kind, entry.name)):
                raise PluginError(message)
            other = self._entries.get((kind, entry.name)) or new.get((kind, entry.name))
            if other:
                raise NameTaken(kind, entry.name, other.source, source)
            new[kind, entry.name] = entry

        return register


def load(plugins: Iterable[str] = ()) -> Registry:
    """The registry of the built-ins, the installed plugins and `plugins` (files or modules).

    An installed plugin that is wrong in any way is kept in `failures`, and so are both of two that
    register one name; where one of `plugins` is wrong, PluginError is raised.
    """
    registry = Registry()
    for name in BUILT_INS:
        source = Source(name.rpartition(".")[2], PROJECT, ganbench.__version__)
        registry.add(importlib.import_module(name), source)
    points, failures = found_entry_points()
    registry.failures += failures
    for point in points:
        registry.add_installed(point)
    for plugin in dict.fromkeys(plugins):
        registry.add_named(plugin)
    return registry


def _check_class(kind: str, cls: type, source: Source) -> None:
    _, module, contract = KINDS[kind]
    base = getattr(importlib.import_module(module), contract)
    if not (isinstance(cls, type) and issubclass(cls, base)):
        raise PluginError(
            f"plugin '{source.plugin}' ({source}) registered {cls!r} as {an(kind)}; "
            f"register a subclass of ganbench.{contract}, the class itself and not an instance"
        )
    name = getattr(cls, "name", None)
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise PluginError(
            f"{kind} {cls.__qualname__} ({source}) has the name {name!r}; give it a class "
            'attribute like name = "my-name", of lower-case words joined by hyphens'
        )
    if missing := sorted(getattr(cls, "__abstractmethods__", ())):
        raise PluginError(f"{kind} '{name}' ({source}) does not define {quoted(missing)}")
    if "__dataclass_fields__" not in vars(cls):
        raise PluginError(
            f"{kind} '{name}' ({source}) is not a dataclass; put @dataclass(kw_only=True) above "
            f"class {cls.__qualname__}, so that its fields are its options"
        )
    if declared := {field.name for field in dataclasses.fields(cls)} & _declarations(base):
        raise PluginError(
            f"{kind} '{name}' ({source}) annotates {quoted(sorted(declared))}, which makes it an "
            "option; write it without a type"
        )


@functools.cache
def _declarations(contract: type) -> set[str]:
    """The class attributes by which plugins of this contract describe themselves."""
    return {
        name
        for cls in contract.__mro__
        for name, annotation in inspect.get_annotations(cls).items()
        if "ClassVar" in str(annotation)
    }


def _json(options: Mapping[str, Any]) -> str:
    return pydantic_core.to_json(dict(options), inf_nan_mode="constants").decode()


def _trace_before(hook: str, implementations: Sequence[Any], arguments: Mapping[str, Any]) -> None:
    who = ", ".join(i.plugin_name for i in implementations) or "nobody"
    print(f"ganbench: {hook}({', '.join(arguments)}) -> {who}", file=sys.stderr)
