"""The fields of a plugin class as the options that a benchmark file may give it."""

from __future__ import annotations

import dataclasses
import typing
import warnings
from collections.abc import Mapping
from typing import Any

import pydantic

from ganbench.contracts.options import SINCE, default_of
from ganbench.records.schedules import SCHEDULED
from ganbench.util.messages import Loc, dotted, suggestion
from ganbench.util.pydantic_errors import complaints


def options_model(cls: type) -> type[pydantic.BaseModel]:
    """Return a model that validates a dataclass's fields, strictly, and has their types' names."""
    config = pydantic.ConfigDict(
        extra="forbid", strict=True, allow_inf_nan=False, protected_namespaces=()
    )
    hints = typing.get_type_hints(cls, include_extras=True)
    fields: dict[str, Any] = {}
    for field in dataclasses.fields(cls):
        if field.init:
            about = pydantic.Field(
                json_schema_extra={"x-type": _type_name(field)}, **_default(field)
            )
            fields[field.name] = (_scheduled_last(hints[field.name]), about)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # an option may be called `copy`
        return pydantic.create_model(cls.__name__, __config__=config, **fields)


def scheduled_options(cls: type) -> list[str]:
    """Return the names of the options of type `Scheduled`."""
    hints = typing.get_type_hints(cls, include_extras=True)
    return [f.name for f in dataclasses.fields(cls) if f.init and _is_scheduled(hints[f.name])]


def check_scheduled(kind: str, cls: type) -> None:
    """Raise ValueError for scheduled options of what nobody asks again while it trains."""
    if kind not in ("loss", "transform") and (names := scheduled_options(cls)):
        raise ValueError(
            f"'{names[0]}' is Scheduled, and only losses, regularizers and transforms are told of "
            "changes; make it a float, or give a module a buffer called progress"
        )


def _is_scheduled(hint: Any) -> bool:
    return SCHEDULED in getattr(hint, "__metadata__", ())


def _scheduled_last(hint: Any) -> Any:
    """Put the mark of a `Scheduled` number behind its limits, which then hold for both ends."""
    if not _is_scheduled(hint):
        return hint
    number: Any = hint.__origin__
    for mark in (*(m for m in hint.__metadata__ if m != SCHEDULED), SCHEDULED):
        number = typing.Annotated[number, mark]
    return number


def option_problems(
    who: str,  # such as "loss 'bce'"
    model: type[pydantic.BaseModel],
    options: Mapping[str, Any],
    error: pydantic.ValidationError,
) -> list[tuple[Loc, str]]:
    """Say where below the choice something is wrong, and what."""
    found: list[tuple[Loc, str]] = []
    for loc, message in complaints(model, options, error):
        if len(loc) == 1 and loc[0] not in model.model_fields:
            near = suggestion(loc[0], model.model_fields)
            has = _listed(model)
            tail = f"{near} {has[0].upper()}{has[1:]}" if near else f"; {has}"
            found.append((loc, f"{who} has no option '{dotted(loc)}'{tail}"))
        else:
            found.append((loc, f"{who}: {message}"))
    return found


def type_names(model: type[pydantic.BaseModel]) -> dict[str, str]:
    """Return each option's type as its class's source writes it."""
    extras = {name: info.json_schema_extra for name, info in model.model_fields.items()}
    return {name: str(extra["x-type"]) for name, extra in extras.items() if isinstance(extra, dict)}


def _listed(model: type[pydantic.BaseModel]) -> str:
    listed = ", ".join(f"{name} ({type_})" for name, type_ in type_names(model).items())
    return f"its options are {listed}" if listed else "it has none"


def _default(field: dataclasses.Field[Any]) -> dict[str, Any]:
    if SINCE in field.metadata and default_of(field) is dataclasses.MISSING:
        raise ValueError(
            f"'{field.name}' is marked {SINCE} {field.metadata[SINCE]} and has no default; give it "
            "the one under which nothing changes"
        )
    if field.default_factory is not dataclasses.MISSING:
        return {"default_factory": field.default_factory}
    return {} if field.default is dataclasses.MISSING else {"default": field.default}


def _type_name(field: dataclasses.Field[Any]) -> str:
    if isinstance(field.type, str):
        return field.type
    plain = isinstance(field.type, type) and not typing.get_args(field.type)
    return field.type.__name__ if plain else str(field.type).replace("typing.", "")
