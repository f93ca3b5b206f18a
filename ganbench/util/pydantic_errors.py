"""What pydantic complains of, in our words and where it is."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pydantic

from ganbench.util.messages import Loc, dotted, shown, suggestion, unknown_key

_EXPECTED = {
    "bool_parsing": "true or false",
    "bool_type": "true or false",
    "dataclass_type": "a mapping",
    "dict_type": "a mapping",
    "finite_number": "a finite number",
    "float_parsing": "a number",
    "float_type": "a number",
    "int_from_float": "a whole number",
    "int_parsing": "a whole number",
    "int_type": "a whole number",
    "list_type": "a list",
    "model_attributes_type": "a mapping",
    "model_type": "a mapping",
    "none_required": "null",
    "path_type": "a path",
    "string_type": "text",
    "tuple_type": "a list",
}
_LIMITS = {
    "greater_than": "a number greater than {gt:g}",
    "greater_than_equal": "a number of at least {ge:g}",
    "less_than": "a number less than {lt:g}",
    "less_than_equal": "a number of at most {le:g}",
    "literal_error": "{expected}",
    "enum": "{expected}",
    "string_too_long": "text of at most {max_length} characters",
    "string_too_short": "text of at least {min_length} characters",
    "too_long": "{max_length} values or fewer",
    "too_short": "{min_length} or more values",
}


def complaints(model: Any, data: Any, error: pydantic.ValidationError) -> Iterator[tuple[Loc, str]]:
    """Yield each problem that pydantic found in `data`: where it is, and a sentence."""
    expected: dict[Loc, list[str]] = {}
    errors = error.errors(include_url=False)
    for one in errors:
        loc = _without_branches(data, tuple(one["loc"]))
        if one["type"] == "too_short" and any(e["loc"][:-1] == loc for e in errors):
            continue  # pydantic counts only the values that it accepted
        if one["type"] == "extra_forbidden":
            yield loc, unknown_key(str(loc[-1]), _keys_at(model, loc[:-1]), loc[:-1])
        elif one["type"] == "missing" and isinstance(loc[-1], int):
            found = shown(one["input"])
            yield loc[:-1], f"{dotted(loc[:-1])}: expected more values, found {found}"
        elif one["type"] == "missing":
            yield loc, f"'{dotted(loc)}' is missing"
        elif phrase := _expected(one):
            expected.setdefault(_within(data, loc), []).append(phrase)
        else:
            yield loc, f"{dotted(loc)}: {_sentence(one)}"
    for loc, phrases in expected.items():
        yield loc, _mismatch(loc, phrases, _value_at(data, loc))


def _expected(error: Mapping[str, Any]) -> str | None:
    kind = error["type"]
    template = _EXPECTED.get(kind) or _LIMITS.get(kind)
    return template.format(**error.get("ctx", {})) if template else None


def _mismatch(loc: Loc, phrases: Iterable[str], value: Any) -> str:
    wanted = " or ".join(dict.fromkeys(phrases))  # more than one where the type is a union
    near = suggestion(value, re.findall("'([^']*)'", wanted)) if isinstance(value, str) else ""
    path = f"{dotted(loc)}: " if loc else ""
    if wanted == "text" and isinstance(value, dict):
        near = "; text that begins with { stands in quotes"
    return f"{path}expected {wanted}, found {shown(value)}{near}"


def _sentence(error: Mapping[str, Any]) -> str:
    message = error["msg"].removeprefix("Value error, ")
    return f"{message[:1].lower()}{message[1:]}, found {shown(error['input'])}"


def _without_branches(data: Any, loc: Loc) -> Loc:
    """Return `loc` without the names of a union's branches on the way to a key of a mapping."""
    kept: list[Any] = []
    for step, below in zip(loc, (*loc[1:], None), strict=True):
        if isinstance(data, dict) and step not in data and isinstance(below, str):
            continue
        kept.append(step)
        try:
            data = data[step]
        except (LookupError, TypeError):  # what is missing, or a branch of what is no mapping
            data = None
    return tuple(kept)


def _within(data: Any, loc: Loc) -> Loc:
    """Return the part of `loc` that is in the data; the rest names a branch of a union."""
    for depth, step in enumerate(loc):
        inside = isinstance(data, dict) and step in data
        if not inside and not (isinstance(data, list | tuple) and isinstance(step, int)):
            return loc[:depth]
        data = data[step]
    return loc


def _value_at(data: Any, loc: Loc) -> Any:
    for step in loc:
        data = data[step]
    return data


def _keys_at(model: Any, loc: Loc) -> list[str]:
    for step in loc:
        info = getattr(model, "model_fields", {}).get(step)
        model = info.annotation if info else model
    return list(getattr(model, "model_fields", {}))
