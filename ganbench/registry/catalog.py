"""What is registered, looked up by kind and name and built from its options."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pydantic
import pydantic_core

from ganbench.errors import INTERRUPTIONS, ConfigError, GanbenchError, PluginError, place, told
from ganbench.records.cells import Spec
from ganbench.records.schedules import Schedule
from ganbench.registry import extractor_labels
from ganbench.registry.discovery import Failure, PluginSource
from ganbench.registry.hookspecs import PROJECT
from ganbench.registry.kinds import KINDS
from ganbench.registry.options import check_scheduled, option_problems, options_model
from ganbench.registry.packages import installable
from ganbench.util import files
from ganbench.util.messages import Loc, known, suggestion

FIRST_RELEASE = f"{PROJECT} 0.1.0"
"""What built-ins are of in ids, whatever release this is, until their own `version` rises."""

FIRST_VERSIONS = {("metric", "fid"): 2}
"""The `version` that a built-in had in that release, where it was not 1."""

_SENTENCE = re.compile(r".*?[.!?](?=\s+[A-Z]|$)")


@dataclass(frozen=True)
class Entry:
    """A plugin class that is registered, and where it comes from."""

    kind: str
    cls: type
    source: PluginSource

    @property
    def name(self) -> str:
        """What benchmark files call it."""
        return self.cls.name  # type: ignore[attr-defined]

    @property
    def identity(self) -> str:
        """What records hold as the plugin's source: it changes when the code does."""
        return self.source.identity + self._raised

    @property
    def counted_source(self) -> str:
        """What ids take for the source: it changes when the plugin's numbers may."""
        is_ours = self.source.distribution == PROJECT
        return FIRST_RELEASE + self._raised if is_ours else self.source.identity

    @property
    def _raised(self) -> str:
        """A built-in's own version, where it has risen."""
        version = getattr(self.cls, "version", 1)
        at_first = FIRST_VERSIONS.get((self.kind, self.name), 1)
        is_ours = self.source.distribution == PROJECT
        return f" ({self.name} {version})" if is_ours and version != at_first else ""

    @property
    def summary(self) -> str:
        """The first sentence of the class's documentation; empty where it has none."""
        text = self.cls.__doc__ or ""
        written = not text.strip().startswith(f"{self.cls.__name__}(")  # else dataclass wrote it
        return first_sentence(text) if written else ""


class InvalidOptions(ConfigError):
    """Options that a plugin does not take; `problems` says where below the choice, and what."""

    def __init__(self, problems: list[tuple[Loc, str]]) -> None:
        super().__init__("\n".join(message for _, message in problems))
        self.problems = problems


class Catalog:
    """Everything that can be named in a benchmark file, and why some of it is missing."""

    def __init__(self) -> None:
        self.failures: list[Failure] = []
        self._entries: dict[tuple[str, str], Entry] = {}
        self._models: dict[type, type[pydantic.BaseModel]] = {}

    def entries(self, kind: str | None = None) -> list[Entry]:
        """Return all that is registered, or all of one kind, in the order of lists."""
        return [e for e in self._entries.values() if kind is None or e.kind == kind]

    def names(self, kind: str) -> list[str]:
        """Return the names of a kind's plugins, sorted."""
        return sorted(entry.name for entry in self.entries(kind))

    def lookup(self, kind: str, name: str) -> Entry:
        """Return the entry of that name. Raises ConfigError with the nearest match."""
        if (kind, name) in self._entries:
            return self._entries[kind, name]
        names = self.names(kind)
        others = {n: p for n, p in installable(kind).items() if n not in names}
        if name in others:
            message = (
                f"{kind} '{name}' is not installed; it is in the package {others[name]}, which "
                f"`pip install ./plugins/{others[name]}` in ganbench's folder installs"
                f"{known(names)}"
            )
        else:
            message = f"unknown {kind} '{name}'{suggestion(name, [*names, *others])}{known(names)}"
        if others:
            listed = ", ".join(f"{other} ({package})" for other, package in sorted(others.items()))
            message += f"\n  could be installed: {listed}"
        for failure in self.failures:
            message += f"\n  {failure.source} failed to load: {failure.reason}"
        raise ConfigError(message)

    def find(self, name: str, kind: str | None = None) -> list[Entry]:
        """Return the entries of that name, of any kind where none is given. Raises ConfigError."""
        if kind is not None:
            return [self.lookup(kind, name)]
        found = [entry for entry in self.entries() if entry.name == name]
        if not found:
            names = sorted({entry.name for entry in self.entries()})
            raise ConfigError(f"no plugin '{name}'{suggestion(name, names)}{known(names)}")
        return found

    def usable(self, kind: str) -> list[str]:
        """Return the names that make a cell without any option or plugin beside them, sorted."""
        names = []
        for name in self.names(kind):
            fields = self.options_model(kind, name).model_fields.values()
            alone = KINDS[kind].stands_alone(self.lookup(kind, name).cls)
            if alone and not any(info.is_required() for info in fields):
                names.append(name)
        return names

    def options_model(self, kind: str, name: str) -> type[pydantic.BaseModel]:
        """Return the fields of a plugin class as a model that validates its YAML options.

        Raises ConfigError for an unknown name, PluginError where its fields cannot be options.
        """
        entry = self.lookup(kind, name)
        if entry.cls not in self._models:
            try:
                check_scheduled(kind, entry.cls)
                self._models[entry.cls] = options_model(entry.cls)
            except Exception as error:
                why = str(error).splitlines()[0] if str(error) else type(error).__name__
                raise PluginError(
                    f"{kind} '{name}' ({entry.source}): its fields cannot be options: {why}"
                ) from error
        return self._models[entry.cls]

    def problems(self, kind: str, name: str, options: Mapping[str, Any]) -> list[tuple[Loc, str]]:
        """Return all that is wrong with a choice: where below it, and what."""
        try:
            self.build(kind, name, options)
        except InvalidOptions as error:
            return error.problems
        except ConfigError as error:
            return [((), str(error))]
        return []

    def build(self, kind: str, name: str, options: Mapping[str, Any]) -> Any:
        """Return an instance with validated options. Raises ConfigError, PluginError."""
        entry, model = self.lookup(kind, name), self.options_model(kind, name)
        try:
            values = _validated(model, options)
            with files.folder_put_back():
                if ends := {k: v.end for k, v in values.items() if isinstance(v, Schedule)}:
                    entry.cls(**values | ends)  # which it may refuse
                starts = {k: v.start for k, v in values.items() if isinstance(v, Schedule)}
                return entry.cls(**values | starts)
        except pydantic.ValidationError as error:
            wrong = option_problems(f"{kind} '{name}'", model, options, error)
            raise InvalidOptions(wrong) from error
        except (GanbenchError, *INTERRUPTIONS):
            raise
        except ValueError as error:
            raise ConfigError(f"{kind} '{name}': {error}") from error
        except BaseException as error:
            if entry.source.distribution == PROJECT:
                raise
            raise PluginError(
                f"{kind} '{name}' ({entry.source}) cannot be made: {told(error)}{place(error)}"
            ) from error

    def schedules(self, spec: Spec) -> dict[str, Schedule]:
        """Return the options of a plan's plugin that are scheduled, by name."""
        if not any(isinstance(value, Mapping | Schedule) for value in spec.options.values()):
            return {}
        values = _validated(self.options_model(spec.kind, spec.name), spec.options)
        return {key: value for key, value in values.items() if isinstance(value, Schedule)}

    def build_spec(self, spec: Spec) -> Any:
        """Return an instance of a plan's plugin. Raises ConfigError."""
        return self.build(spec.kind, spec.name, spec.options)

    def extractor(self, label: str) -> Any:
        """Return the feature extractor of a label such as `random-conv(seed=3)`.

        Raises ConfigError for a label that is none, an unknown name and wrong options.
        """
        try:
            name, options = extractor_labels.parse(label)
        except ValueError as error:
            raise ConfigError(str(error)) from error
        return self.build("feature extractor", name, options)


def _validated(model: type[pydantic.BaseModel], options: Mapping[str, Any]) -> dict[str, Any]:
    """Return all options with their values. Raises pydantic.ValidationError."""
    # As JSON, from which alone pydantic's strict mode takes a list for a tuple.
    text = pydantic_core.to_json(dict(options), inf_nan_mode="constants")
    values = model.model_validate_json(text)
    return {key: getattr(values, key) for key in model.model_fields}


def first_sentence(documentation: str) -> str:
    """Return the first sentence of a docstring's first paragraph, on one line."""
    paragraph = " ".join(inspect.cleandoc(documentation).split("\n\n")[0].split())
    found = _SENTENCE.match(paragraph)
    return found[0] if found else paragraph
