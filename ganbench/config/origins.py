"""Where each setting of a benchmark was written: its file, what that extends, or `--set`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yaml.nodes import MappingNode, Node

from ganbench.config.yaml_document import Document, place_of, plain


@dataclass(frozen=True)
class Origin:
    """A value, and the place where it was written."""

    key: str  # such as `training.g_lr`
    value: Any
    place: str


def origins(document: Document) -> Iterator[Origin]:
    """Yield every value of a document; a list, which merging replaces, is one."""
    yield from _below(document.root, "")


def _below(node: Node, key: str) -> Iterator[Origin]:
    if isinstance(node, MappingNode) and node.value:
        for name, value in node.value:
            yield from _below(value, f"{key}.{name.value}" if key else name.value)
    else:
        yield Origin(key, plain(node), place_of(node))
