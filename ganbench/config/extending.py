"""A benchmark file that extends another one is laid over it, as a profile over its file."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from yaml.nodes import MappingNode

from ganbench.config import shipped
from ganbench.config.schema import EXTENDS
from ganbench.config.yaml_document import Document, NoSuchFile
from ganbench.errors import ConfigError
from ganbench.util.messages import shown


def read(path: Path) -> Document:
    """Read a benchmark file, laid over the one that it extends. Raises ConfigError."""
    document = _read(path)
    if EXTENDS not in document.data():
        return document
    parent = _parent(document, path)
    own = document.without(EXTENDS).root
    whole = parent.merged(own)
    root = MappingNode(own.tag, whole.root.value, own.start_mark, own.end_mark)
    return replace(whole, name=document.name, text=document.text, root=root, parent=parent)


def _parent(document: Document, path: Path) -> Document:
    """Return what the file extends: one that comes with ganbench by its name, or a path."""
    where, asked = document.where((EXTENDS,)), document.data()[EXTENDS]
    if not isinstance(asked, str) or not asked:
        raise ConfigError(
            f"{where}: {EXTENDS}: expected the name of a benchmark that comes with ganbench, or "
            f"a path, found {shown(asked)}"
        )
    file = path.parent / os.path.expanduser(shipped.named(asked))
    if os.path.realpath(file) == os.path.realpath(path):
        raise ConfigError(f"{where}: {EXTENDS}: {asked} is this file; name another one")
    try:
        parent = _read(file)
    except ConfigError as error:
        raise ConfigError(f"{where}: {EXTENDS}: {error}") from error
    if EXTENDS in parent.data():
        raise ConfigError(
            f"{where}: {EXTENDS}: {asked} extends {shown(parent.data()[EXTENDS])} itself, at "
            f"{parent.where((EXTENDS,))}, and a parent has none; extend that one, and write here "
            "what this one adds"
        )
    return parent


def _read(path: Path) -> Document:
    try:
        return Document.read(path)
    except NoSuchFile as error:
        raise ConfigError(f"{error}{shipped.near(path)}") from error
