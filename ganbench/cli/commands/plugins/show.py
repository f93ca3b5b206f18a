"""`ganbench plugins show`."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from ganbench.cli import completion, options
from ganbench.cli.output import print_json
from ganbench.registry.kinds import KINDS

if TYPE_CHECKING:
    from ganbench.registry.registry import Entry, Registry


INDENT = "      "  # of what an option means, below its line


@click.command("show")
@click.argument("name", shell_complete=completion.plugins())
@options.kind
@options.plugin
@options.as_json
def command(name: str, kind: str | None, plugins: tuple[str, ...], as_json: bool) -> int:
    """Show the plugin NAME: what it is, its options, what it declares, and where it comes from."""
    from ganbench.registry import registry

    found = registry.load(plugins)
    shown = [_described(found, entry) for entry in found.find(name, kind)]
    if as_json:
        print_json(shown)
        return 0
    for about in shown:
        _print(about)
    return 0


def _described(registry: Registry, entry: Entry) -> dict[str, Any]:
    from pydantic_core import to_jsonable_python

    from ganbench.registry.option_meanings import choices, meanings
    from ganbench.registry.options import type_names

    model = registry.options_model(entry.kind, entry.name)
    types, values, said = type_names(model), choices(model), meanings(entry.cls)
    listed = []
    for name, info in model.model_fields.items():
        default = None if info.is_required() else info.get_default(call_default_factory=True)
        about = {"name": name, "type": types[name], "required": info.is_required()}
        plain = to_jsonable_python(default, inf_nan_mode="strings", fallback=str)
        listed.append(
            {**about, "default": plain, "choices": values.get(name), "meaning": said.get(name)}
        )
    example = _example(registry, entry)
    declared = {key: _plain(getattr(example, key)) for key in KINDS[entry.kind].declares}
    return {
        "kind": entry.kind,
        "name": entry.name,
        "description": inspect.cleandoc(entry.cls.__doc__ or "") if entry.summary else "",
        "options": listed,
        "declares": declared,
        "distribution": entry.source.distribution,
        "version": entry.source.version,
        "sha256": entry.source.digest or None,
        "class": f"{entry.cls.__module__}.{entry.cls.__qualname__}",
        "file": inspect.getsourcefile(entry.cls),
    }


def _example(registry: Registry, entry: Entry) -> Any:
    """Return a plugin with its defaults, which may decide what it declares; else its class."""
    from ganbench.errors import GanbenchError

    try:
        return registry.build(entry.kind, entry.name, {})
    except GanbenchError:  # an option has no default
        return entry.cls


def _plain(value: Any) -> Any:
    from dataclasses import asdict, is_dataclass
    from enum import Flag

    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    if isinstance(value, Mapping):
        return {key: _plain(part) for key, part in value.items()}
    if isinstance(value, Flag):
        return [member.name for member in type(value) if member.value and member in value]
    if isinstance(value, property):
        return "as its options decide"
    return list(value) if isinstance(value, tuple) else value


def _print(about: dict[str, Any]) -> None:
    print(f"{about['kind']} {about['name']}")
    for line in about["description"].splitlines():
        print(f"  {line}".rstrip())
    print("options:" if about["options"] else "options: none")
    for option in about["options"]:
        default = "required" if option["required"] else f"default {_yaml(option['default'])}"
        kind = option["type"]
        if option["choices"]:
            kind = " or ".join(map(_yaml, option["choices"]))
        print(f"  {option['name']}: {kind}, {default}")
        if option["meaning"]:
            print(textwrap.fill(option["meaning"], 96, initial_indent=INDENT,
                                subsequent_indent=INDENT))  # fmt: skip
    for key, value in about["declares"].items():
        print(f"{key}: {_yaml(value)}")
    source = f"{about['distribution']} {about['version']}".strip()
    digest = f", sha256 {about['sha256'][:12]}" if about["sha256"] else ""
    print(f"from: {source}{digest}\n  {about['class']}\n  {about['file']}")


def _yaml(value: Any) -> str:
    import json

    if isinstance(value, dict):
        return ", ".join(f"{key} {_yaml(part)}" for key, part in value.items()) or "none"
    if isinstance(value, list) and all(isinstance(part, str) for part in value):
        return ", ".join(value) or "none"
    return value if isinstance(value, str) else json.dumps(value, default=str)
