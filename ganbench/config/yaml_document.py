"""YAML text that remembers where everything stands.

The YAML 1.2 core rules apply: `1e-4` is a number, `no` and `12:30` are text, a key may stand only
once. Profiles and `--set` are merged into the tree of nodes, so that a later complaint about any
value can say where that value was written.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from ganbench.errors import ConfigError
from ganbench.util.messages import brief

MAX_BYTES = 1_000_000
MAX_NODES = 100_000
MAX_DEPTH = 50
MOST_DIGITS = 100
MOST_PROBLEMS = 100
_TAG = "tag:yaml.org,2002:"
_INT = re.compile(r"^[-+]?[0-9]+$|^0o[0-7]+$|^0x[0-9a-fA-F]+$")
_FLOAT = re.compile(
    r"^[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?$"
    r"|^[-+]?\.(?:inf|Inf|INF)$|^\.(?:nan|NaN|NAN)$"
)
_BOOL = re.compile(r"^(?:true|True|TRUE|false|False|FALSE)$")


class _Loader(yaml.SafeLoader):
    """PyYAML with the scalars of YAML 1.2."""


_DROPPED = {_TAG + name for name in ("bool", "float", "int", "timestamp", "value")}
_Loader.yaml_implicit_resolvers = {
    first: [(tag, pattern) for tag, pattern in resolvers if tag not in _DROPPED]
    for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
}
_Loader.add_implicit_resolver(_TAG + "bool", _BOOL, list("tTfF"))
_Loader.add_implicit_resolver(_TAG + "int", _INT, list("-+0123456789"))
_Loader.add_implicit_resolver(_TAG + "float", _FLOAT, list("-+.0123456789"))

_PLAIN_TAGS = {
    ScalarNode: {_TAG + name for name in ("null", "bool", "int", "float", "str")},
    SequenceNode: {_TAG + "seq"},
    MappingNode: {_TAG + "map"},
}


class NoSuchFile(ConfigError):
    """A path at which there is nothing."""


@dataclass(frozen=True)
class Replaced:
    """A plugin that another took the place of, with the options that went with it."""

    place: str
    at: str  # such as `dataset`
    before: str
    after: str
    options: Mapping[str, Node]
    by_name: bool  # of the other one, nothing but its name was said

    def told(self, kept: Container[str] = ()) -> str:
        """Return a sentence of the options that are gone, or nothing where all are `kept`."""
        gone = [name for name in self.options if name not in kept]
        if not gone:
            return ""
        stay = [name for name in self.options if name in kept]
        stay_told = f", and {', '.join(stay)} stay" if stay else ""
        return (
            f"{self.place}: {self.at} is '{self.after}' in place of '{self.before}', whose options "
            f"{', '.join(gone)} go with it{stay_told}; set anew what is to stay, as in --set "
            f"{self.at}.{gone[-1]}=VALUE"
        )


@dataclass(frozen=True)
class Document:
    """A tree of YAML nodes; `text` is the file's own."""

    name: str
    text: str
    root: MappingNode
    replaced: tuple[Replaced, ...] = ()  # what merging left out
    parent: Document | None = None  # the file that it extends

    @classmethod
    def read(cls, path: Path) -> Document:
        """Read a file. Raises ConfigError where it cannot be read or is not one YAML mapping."""
        try:
            if path.is_dir():
                raise ConfigError(f"{path}: is a folder; name a benchmark file inside it")
            if path.exists() and not path.is_file():  # a pipe or a device may never end
                raise ConfigError(f"{path}: is no regular file; name a benchmark file")
            if path.stat().st_size > MAX_BYTES:
                raise ConfigError(f"{path}: larger than {MAX_BYTES:,} bytes; not a benchmark file")
            text = path.read_bytes().decode("utf-8")
        except FileNotFoundError as error:
            raise NoSuchFile(f"{path}: there is no such file") from error
        except UnicodeDecodeError as error:
            raise ConfigError(f"{path}: not a text file in UTF-8: {error.reason}") from error
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise ConfigError(f"{path}: cannot be read: {reason}") from error
        except ValueError as error:  # of a zero byte in the path
            raise ConfigError(f"{path}: is no path: {error}") from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, name: str) -> Document:
        """Read a text; places in it are of file `name`. Raises ConfigError, as `read` does."""
        root = _compose(text, name)
        if root is None:
            raise ConfigError(f"{name}:1:1: the file is empty; write a mapping of settings")
        if not isinstance(root, MappingNode):
            raise ConfigError(
                f"{place_of(root)}: expected a mapping of settings, found {_kind(root)}"
            )
        return cls(name, text, root)

    def merged(self, other: MappingNode) -> Document:
        """Return it with another mapping laid over it: mappings merge, all else replaces."""
        gone = tuple(_replaced(self.root, other))
        return replace(self, root=_merge(self.root, other), replaced=(*self.replaced, *gone))

    def with_override(self, assignment: str, *, flat: Container[str] = ()) -> Document:
        """Return it with `a.b.c=value` set; the value is YAML.

        Below a key in `flat`, `b.c` is one key. Raises ConfigError where it is no assignment.
        """
        path, equals, value = assignment.partition("=")
        keys = path.strip().split(".")
        label = f"--set {brief(assignment)}"
        if not equals or not all(keys) or len(keys) > MAX_DEPTH:
            raise ConfigError(f"{label}: write it as --set some.setting=value")
        if keys[0] in flat and len(keys) > 1:
            keys = [keys[0], ".".join(keys[1:])]
        mark = yaml.Mark(label, 0, 0, 0, None, 0)
        node = _compose(value, label) or ScalarNode(_TAG + "null", "", mark, mark)
        for key in reversed(keys):
            key_node = ScalarNode(_TAG + "str", key, mark, mark)
            node = MappingNode(_TAG + "map", [(key_node, node)], mark, mark)
        assert isinstance(node, MappingNode)
        return self.merged(node)

    def with_nodes(self, key: str, nodes: Mapping[str, Node]) -> Document:
        """Return it with these nodes below a key of the top level."""
        mark = self.root.start_mark
        keys = {name: ScalarNode(_TAG + "str", name, mark, mark) for name in (key, *nodes)}
        below = MappingNode(
            _TAG + "map", [(keys[name], node) for name, node in nodes.items()], mark, mark
        )
        return self.merged(MappingNode(_TAG + "map", [(keys[key], below)], mark, mark))

    def without(self, key: str) -> Document:
        """Return it without a key of the top level."""
        kept = [(k, v) for k, v in self.root.value if k.value != key]
        root = MappingNode(self.root.tag, kept, self.root.start_mark, self.root.end_mark)
        return replace(self, root=root)

    def child(self, *loc: str) -> Node | None:
        """Return the node below these keys, or None."""
        node: Node | None = self.root
        for key in loc:
            node = _get(node, key) if isinstance(node, MappingNode) else None
        return node

    def data(self) -> dict[str, Any]:
        """Return the values without their places."""
        return plain(self.root)

    def file_of(self, key: str) -> str:
        """Return the file in which the value of a key was written; its own, of one by --set."""
        node = self.child(key)
        name: str = node.start_mark.name if node else self.name
        return self.name if name.startswith("--set ") else name

    def where(self, loc: Sequence[str | int]) -> str:
        """Return `file:line:column` of the value at `loc`, or of its nearest parent that exists."""
        node: Node = self.root
        place = node
        for step in loc:
            if isinstance(node, MappingNode):
                hit = next(((k, v) for k, v in node.value if k.value == str(step)), None)
                if hit is None:
                    continue  # a union's tag, or a missing key: stay on the parent
                place, node = hit
            elif isinstance(node, SequenceNode) and step in range(len(node.value)):
                place = node = node.value[int(step)]
        return place_of(place)


@dataclass
class Problems:
    """Collects complaints, so that one attempt shows them all."""

    document: Document
    messages: dict[str, None] = field(default_factory=dict)

    @property
    def are_many(self) -> bool:
        """Whether there are as many as anybody will read, so that no more need be looked for."""
        return len(self.messages) >= MOST_PROBLEMS

    def add(self, loc: Sequence[str | int], message: str) -> None:
        """Note a complaint about the value at `loc`; the same one twice is one."""
        if not self.are_many:
            self.messages[f"{self.document.where(loc)}: {message}"] = None

    def raise_any(self) -> None:
        """Raise ConfigError with all complaints, one a line, where there are any."""
        if self.messages:
            more = ["… and maybe more; mend these first"] if self.are_many else []
            raise ConfigError("\n".join([*self.messages, *more]))


def plain(node: Node) -> Any:
    """Return the values of a node, with every key as text."""
    if isinstance(node, MappingNode):
        return {key.value: plain(value) for key, value in node.value}
    if isinstance(node, SequenceNode):
        return [plain(value) for value in node.value]
    return _scalar(node)


def _scalar(node: Node) -> str | int | float | bool | None:
    text, name = node.value, node.tag.removeprefix(_TAG)
    try:
        if name == "bool":
            return {"true": True, "false": False}[text.lower()]
        if name == "int":
            base = {"0o": 8, "0x": 16}.get(text[:2], 10)
            if len(text) > MOST_DIGITS:
                raise ValueError("too long")
            return int(text[2:] if base != 10 else text, base)
        if name == "float":
            return _number(text)
    except (KeyError, ValueError) as error:
        raise ConfigError(f"{place_of(node)}: '{text[:40]}' cannot be read as !!{name}") from error
    return None if name == "null" else text


def _number(text: str) -> int | float:
    """`1e4` is the whole number it looks like, so that counts can be written so."""
    value = float(text.replace(".inf", "inf").replace(".nan", "nan") if "n" in text else text)
    return int(value) if "." not in text and abs(value) < 2**53 and value.is_integer() else value


def _compose(text: str, name: str) -> Node | None:
    try:
        loader = _Loader(text)
        loader.name = name
        node = loader.get_single_node()
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        column = error.position - text.rfind("\n", 0, error.position)
        place = _place(name, line, column)
        raise ConfigError(f"{place}: not a text file: it has a control character") from error
    except yaml.MarkedYAMLError as error:
        raise _yaml_error(error, name) from error
    except RecursionError as error:
        place = _place(name, loader.line + 1, loader.column + 1)
        raise ConfigError(f"{place}: nested too deeply; not a benchmark file") from error
    if node is not None:
        _check(node)
        _flatten(node)
    return node


def _check(root: Node) -> None:
    """Refuse duplicate keys, tags, unreadable numbers, and trees made deep or huge by aliases."""
    count, stack = 0, [(root, 0)]
    while stack:
        node, depth = stack.pop()
        count += 1
        if count > MAX_NODES or depth > MAX_DEPTH:
            raise ConfigError(
                f"{place_of(node)}: more than {MAX_NODES:,} values, or {MAX_DEPTH} levels, once "
                "aliases are written out; not a benchmark file"
            )
        if node.tag not in _PLAIN_TAGS[type(node)]:
            tag = node.tag.replace(_TAG, "!!")
            raise ConfigError(f"{place_of(node)}: tag '{tag}' is not allowed; write plain values")
        if isinstance(node, ScalarNode):
            _refuse_surrogates(node)
            _scalar(node)
        if isinstance(node, SequenceNode):
            stack.extend((value, depth + 1) for value in reversed(node.value))
        if isinstance(node, MappingNode):
            _refuse_duplicates(node)
            for key, value in reversed(node.value):
                _refuse_surrogates(key)
                stack.append((value, depth + 1))


def _refuse_surrogates(node: Node) -> None:
    if not node.value.isascii() and re.search("[\ud800-\udfff]", node.value):
        raise ConfigError(f"{place_of(node)}: half of a surrogate pair is no text; write it whole")


def _refuse_duplicates(node: MappingNode) -> None:
    first: dict[str, int] = {}
    for key, _ in node.value:
        if not isinstance(key, ScalarNode):
            raise ConfigError(f"{place_of(key)}: a key must be plain text, found {_kind(key)}")
        line = key.start_mark.line + 1
        if key.value in first:
            raise ConfigError(
                f"{place_of(key)}: '{key.value}' appears twice, first on line {first[key.value]}"
            )
        first[key.value] = line


def _flatten(node: Node) -> None:
    """Put what `<<: *anchor` refers to in its place; a mapping's own keys win."""
    if isinstance(node, SequenceNode):
        for value in node.value:
            _flatten(value)
    if not isinstance(node, MappingNode):
        return
    for _, value in node.value:
        _flatten(value)
    if (merged := _get(node, "<<")) is None:
        return
    own = [(key, value) for key, value in node.value if key.value != "<<"]
    for source in merged.value if isinstance(merged, SequenceNode) else [merged]:
        if not isinstance(source, MappingNode):
            raise ConfigError(f"{place_of(merged)}: '<<' takes an alias of a mapping")
        present = {key.value for key, _ in own}
        own += [(key, value) for key, value in source.value if key.value not in present]
    node.value = own


def _merge(base: MappingNode, over: MappingNode) -> MappingNode:
    values = list(base.value)
    places = {key.value: i for i, (key, _) in reversed([*enumerate(values)])}
    for key, value in over.value:
        at = places.get(key.value)
        if at is None:
            values.append((key, value))
        elif _merges(values[at][1], value):
            values[at] = (values[at][0], _merge(values[at][1], value))
        else:
            values[at] = (key, value)
    return MappingNode(base.tag, values, base.start_mark, base.end_mark)


def _replaced(base: MappingNode, over: MappingNode, path: str = "") -> Iterator[Replaced]:
    """Yield the plugins that others take the place of, where options go with them."""
    for key, value in over.value:
        below, at = _get(base, key.value), f"{path}{key.value}"
        if not (isinstance(below, MappingNode) and isinstance(value, MappingNode)):
            continue
        if _merges(below, value):
            yield from _replaced(below, value, f"{at}.")
            continue
        own = {k.value for k, _ in value.value}
        if gone := {k.value: node for k, node in below.value if k.value not in own}:
            before, after = (plain(_get(node, "name") or node) for node in (below, value))
            yield Replaced(place_of(key), at, before, after, gone, own == {"name"})


def _merges(base: Node, over: Node) -> bool:
    """Whether both are mappings, and not of two plugins, whose options have nothing in common."""
    if not (isinstance(base, MappingNode) and isinstance(over, MappingNode)):
        return False
    names = [_get(base, "name"), _get(over, "name")]
    return None in names or len({node.value for node in names if isinstance(node, ScalarNode)}) == 1


def _get(node: MappingNode, key: str) -> Node | None:
    return next((value for k, value in node.value if k.value == key), None)


def place_of(node: Node) -> str:
    """Return `file:line:column` of a node, or the `--set` that it is of."""
    mark = node.start_mark
    return _place(mark.name, mark.line + 1, mark.column + 1)


def _place(name: str, line: int, column: int) -> str:
    return name if name.startswith("--set ") else f"{name}:{line}:{column}"


def _kind(node: Node) -> str:
    if isinstance(node, SequenceNode):
        return "a list"
    if isinstance(node, MappingNode):
        return "a mapping"
    return f"'{node.value}'"


def _yaml_error(error: yaml.MarkedYAMLError, name: str) -> ConfigError:
    mark = error.problem_mark or error.context_mark
    place = _place(name, mark.line + 1, mark.column + 1) if mark else name
    problem = ", ".join(part for part in (error.context, error.problem) if part)
    hint = "; indent with spaces, not tabs" if r"'\t'" in problem else ""
    return ConfigError(f"{place}: not readable as YAML: {problem}{hint}")
