"""The names of `import ganbench`: what loads on use is what type checkers are told."""

from __future__ import annotations

import ast
from pathlib import Path

import ganbench
from ganbench.registry.kinds import KINDS


def test_type_checkers_see_the_names_that_load_on_use() -> None:
    tree = ast.parse(Path(ganbench.__file__).read_text("utf-8"))
    block = next(part for part in tree.body if isinstance(part, ast.If))
    seen = {
        alias.name: str(part.module)
        for part in block.body
        if isinstance(part, ast.ImportFrom)
        for alias in part.names
    }
    loaded = {name: f"ganbench.{home}" for name, home in ganbench._HOME_OF.items()}
    assert seen == loaded


def test_every_name_loads() -> None:
    for name in ganbench.__all__:
        assert getattr(ganbench, name) is not None


def test_every_contract_is_a_public_name() -> None:
    for kind in KINDS.values():
        assert getattr(ganbench, kind.contract) is kind.contract_class()
