"""What a plugin's options mean, from the comments beside them, and the values that they take."""

from __future__ import annotations

import ast
import inspect
import io
import textwrap
import tokenize
import types
import typing
from typing import Any

import pydantic

UNIONS = (typing.Union, types.UnionType)


def meanings(cls: type) -> dict[str, str]:
    """Return what comments say of a class's fields, by name; of a field without one, nothing.

    A comment stands behind the field, or on lines of its own above it. Those of a base class count
    too. Where the source cannot be read there are none.
    """
    found: dict[str, str] = {}
    for base in reversed(cls.__mro__[:-1]):
        try:
            source = textwrap.dedent(inspect.getsource(base))
            found |= _of_source(source)
        except (OSError, TypeError, SyntaxError, tokenize.TokenError):
            continue  # made in a shell, say: its options have names and types all the same
    return found


def choices(model: type[pydantic.BaseModel]) -> dict[str, list[Any]]:
    """Return the values of each option that takes but a few, which its type lists."""
    of_all = {name: _literals(info.annotation) for name, info in model.model_fields.items()}
    return {name: values for name, values in of_all.items() if values}


def _of_source(source: str) -> dict[str, str]:
    (body,) = (part.body for part in ast.parse(source).body if isinstance(part, ast.ClassDef))
    comments, alone = _comments(source)
    found = {}
    for part in body:
        if isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            behind = [comments[n] for n in range(part.lineno, _last(part) + 1) if n in comments]
            said = " ".join(behind) or _above(part.lineno, comments, alone)
            if said:
                found[part.target.id] = said
    return found


def _last(part: ast.AnnAssign) -> int:
    return part.end_lineno or part.lineno


def _above(line: int, comments: dict[int, str], alone: set[int]) -> str:
    """Return the lines of comment that end right above this one."""
    first = line
    while first - 1 in alone:
        first -= 1
    return " ".join(comments[number] for number in range(first, line))


def _comments(source: str) -> tuple[dict[int, str], set[int]]:
    """Return each line's comment, and which lines have nothing else."""
    lines, found, alone = source.splitlines(), {}, set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        text = token.string.lstrip("#: ").strip()
        if token.type == tokenize.COMMENT and not text.startswith(("fmt:", "noqa", "type:")):
            found[token.start[0]] = text
            if not lines[token.start[0] - 1][: token.start[1]].strip():
                alone.add(token.start[0])
    return found, alone


def _literals(annotation: Any) -> list[Any]:
    """Return the values of a Literal, of one in a union with null too; [] of other types."""
    origin, parts = typing.get_origin(annotation), typing.get_args(annotation)
    if origin is typing.Literal:
        return list(parts)
    if origin is typing.Annotated:
        return _literals(parts[0])
    if origin in UNIONS:
        found = [_literals(part) for part in parts if part is not type(None)]
        null = [None] if type(None) in parts else []
        return [*(v for values in found for v in values), *null] if all(found) else []
    return []
