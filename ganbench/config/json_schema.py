"""The benchmark file's JSON Schema, with the installed plugins and their options, for editors."""

from __future__ import annotations

import json
import re
from typing import Any

import pydantic

from ganbench.config.choices import KIND, DatasetChoice
from ganbench.config.schema import ALL, AXES, EXTENDS, CellSettings, RunSettings
from ganbench.records.cells import MAIN_AXES
from ganbench.registry.registry import Registry

Schema = dict[str, Any]

_DEFS = "#/$defs/"
_PARTIAL = "partial-"
_DROPPED = ("title", "default", "x-type")
_ONLY_WHOLE = ("required", "minProperties", "default")
_PARENT = {
    "type": "string",
    "minLength": 1,
    "description": "the benchmark that this file is laid over: the name of one that comes with "
    "ganbench, or a path from this file's folder",
}
_SECTIONS = {
    "training": "Training",
    "training.budget": "Budget",
    "training.generator": "PlayerBlock",
    "training.discriminator": "PlayerBlock",
    "evaluation": "EvaluationSettings",
    "evaluation.frames": "Frames",
}


def benchmark_schema(registry: Registry) -> Schema:
    """Return the schema of a whole file, in draft 07. What is possible is what is installed."""
    run, cell = _settings(RunSettings), _settings(CellSettings)
    defs: Schema = {**run.pop("$defs"), **cell.pop("$defs")}
    defs |= {name: _choice(registry, part[KIND]) for name, part in defs.items() if KIND in part}
    defs["ConditioningChoice"] = _conditioning()
    properties = {**run["properties"], **cell["properties"]}
    defs["matrix"] = _matrix(properties, defs)
    properties["matrix"] = {"$ref": f"{_DEFS}matrix"}
    partial = {_PARTIAL + name: _partial(part) for name, part in defs.items()}
    profiles = {"type": "object", "additionalProperties": _partial(_mapping(properties))}
    return {
        "$schema": "http://json-schema.org/draft-07/schema#",
        "title": "ganbench benchmark",
        **_mapping({**properties, "profiles": profiles, EXTENDS: _PARENT}),
        "anyOf": [{"required": ["version", "name"]}, {"required": [EXTENDS]}],
        "$defs": {**defs, **partial},
    }


def _settings(model: type[pydantic.BaseModel]) -> Schema:
    """As `_of`, with each definition called as its class is, where that has a parameter too."""
    text = json.dumps(model.model_json_schema())
    for name, part in json.loads(text)["$defs"].items():
        text = text.replace(f'"{name}"', f'"{part["title"]}"')
        text = text.replace(f'"{_DEFS}{name}"', f'"{_DEFS}{part["title"]}"')
    schema: Schema = _in_draft_07(json.loads(text))
    return {**schema, "$defs": dict(sorted(schema["$defs"].items()))}


def _of(model: type[pydantic.BaseModel]) -> Schema:
    schema: Schema = _in_draft_07(model.model_json_schema())
    schema.setdefault("$defs", {})
    return schema


def _in_draft_07(schema: Any) -> Any:
    """In words of draft 07: tuples by `items`; defaults as a file would write them, no titles."""
    if isinstance(schema, list):
        return [_in_draft_07(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _in_draft_07(part) for key, part in schema.items() if key not in _DROPPED}
    if "properties" in schema:  # where a key is a name, whatever it is
        kept["properties"] = {
            name: _in_draft_07(part) for name, part in schema["properties"].items()
        }
    default = as_written(schema.get("default"))
    if "default" in schema and not isinstance(default, dict):
        kept["default"] = default
    if "prefixItems" in kept:
        kept["items"] = kept.pop("prefixItems")
        kept["additionalItems"] = False
    return kept


def as_written(default: Any) -> Any:
    """Return a default as a file has it: a plugin without options by its name."""
    if isinstance(default, list):
        return [as_written(part) for part in default]
    if isinstance(default, dict) and not default.get("options", True):
        return default["name"]
    return default


def _partial(schema: Any) -> Any:
    """Let any part be left out, as in a profile, which is merged."""
    if isinstance(schema, list):
        return [_partial(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    kept = {key: _partial(part) for key, part in schema.items() if key not in _ONLY_WHOLE}
    if "properties" in schema:
        kept["properties"] = {name: _partial(part) for name, part in schema["properties"].items()}
    if "$ref" in kept:
        kept["$ref"] = kept["$ref"].replace(_DEFS, _DEFS + _PARTIAL)
    return kept


EXTRACTOR = "feature extractor"


def _mapping(properties: Schema, **more: Any) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False, **more}


def _choice(registry: Registry, kind: str) -> Schema:
    entries = sorted(registry.entries(kind), key=lambda entry: entry.name)
    names: list[Schema] = [{"enum": [entry.name for entry in entries]}] if entries else []
    if kind == "metric" and entries:
        names.append({"type": "string", "pattern": _with_features(registry)})
    return {"anyOf": [*names, *(_with_options(registry, kind, e.name) for e in entries)]}


def _with_features(registry: Registry) -> str:
    """Match `metric@extractor`, for the metrics that have features."""
    metrics = [
        name
        for name in registry.names("metric")
        if "features" in registry.options_model("metric", name).model_fields
    ]
    extractors = registry.names(EXTRACTOR)
    metric, extractor = ("|".join(map(re.escape, names)) for names in (metrics, extractors))
    return rf"^({metric})@({extractor})(\(.*\))?$".replace("\\-", "-")


def _with_options(registry: Registry, kind: str, name: str) -> Schema:
    summary = registry.lookup(kind, name).summary
    options = _inlined(_of(registry.options_model(kind, name)))
    properties = {"name": {"const": name}, **options.get("properties", {})}
    if kind == "metric" and "features" in properties:
        mapping = [_with_options(registry, EXTRACTOR, e) for e in registry.names(EXTRACTOR)]
        properties["features"] = {"anyOf": [properties["features"], *mapping]}
    if kind == DatasetChoice.kind:
        beside = _of(DatasetChoice)["properties"]
        properties |= {key: beside[key] for key in DatasetChoice.beside}
    required = ["name", *options.get("required", [])]
    return _mapping(properties, required=required, description=summary)


def _inlined(schema: Schema) -> Schema:
    """With the definitions of nested options written where they are used."""
    defs = schema.pop("$defs")

    def resolve(part: Any) -> Any:
        if isinstance(part, list):
            return [resolve(inner) for inner in part]
        if not isinstance(part, dict):
            return part
        name = part.get("$ref", "").removeprefix(_DEFS)
        return resolve(defs[name]) if name else {key: resolve(v) for key, v in part.items()}

    resolved: Schema = resolve(schema)
    return resolved


def _conditioning() -> Schema:
    side = {"$ref": f"{_DEFS}ConditioningSide"}
    sides = {"generator": side, "discriminator": side}
    return {"anyOf": [side, _mapping(sides, required=list(sides))]}


def _matrix(properties: Schema, defs: Schema) -> Schema:
    """List what the same keys take at the top level; `training.x` for one setting of it."""
    values = {axis: _bare(properties[axis]) for axis in AXES}
    settings = {
        f"^{re.escape(section)}\\.{name}$": _bare(part)
        for section, model in _SECTIONS.items()
        for name, part in defs[model]["properties"].items()
        if f"{section}.{name}" not in _SECTIONS
    }
    rules = _mapping(values, patternProperties=settings, minProperties=1)
    axes = {name: _several(part) for name, part in values.items()}
    axes |= {name: {"anyOf": [axes[name], {"const": ALL}]} for name in MAIN_AXES}
    axes |= {key: {"type": "array", "items": rules} for key in ("include", "exclude")}
    dotted = {pattern: _several(part) for pattern, part in settings.items()}
    return _mapping(axes, patternProperties=dotted, minProperties=1)


def _bare(schema: Schema) -> Schema:
    return {key: part for key, part in schema.items() if key != "default"}


def _several(schema: Schema) -> Schema:
    return {"type": "array", "minItems": 1, "items": schema}
