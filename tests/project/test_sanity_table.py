"""The table of sanity checks in docs/metrics.md is of the metrics that there are."""

from __future__ import annotations

import re
from types import ModuleType

import pytest
from helpers import scripts
from helpers.documents import block, text

from ganbench.registry.registry import Registry
from ganbench.testing import SanityFinding
from ganbench.testing.sanity.checks import CHECKS

PASSED = {"✓", "L", "H"}


@pytest.fixture(scope="module")
def script() -> ModuleType:
    return scripts.script("metrics", "sanity")


@pytest.fixture(scope="module")
def shown() -> dict[str, dict[str, str]]:
    """The marks of the document, by column and check."""
    head, _, *rows, _ = block("sanity", text("docs/metrics.md")).strip().splitlines()
    found: dict[str, dict[str, str]] = {name: {} for name in re.findall(r"`([^`]+)`", head)}
    for row in rows:
        title, *cells = (cell.strip() for cell in row.strip("|").split("|"))
        check, _, parts = title.partition(": ")
        names = [f"{check}/{part}" for part in parts.split(", ")]
        for column, cell in zip(found, cells, strict=True):
            found[column].update(zip(names, cell.split(" "), strict=True))
    return found


def claims(plugins: Registry):
    for entry in plugins.entries("metric"):
        yield from entry.cls.claims.items()


def test_every_metric_with_claims_has_its_columns(plugins: Registry, shown) -> None:
    assert set(shown) == {column for column, _ in claims(plugins)}
    names = {f"{check.name}/{part}" for check in CHECKS for part in check.parts}
    assert all(set(marks) == names for marks in shown.values())


def test_what_is_claimed_is_shown_as_passed(plugins: Registry, shown) -> None:
    for column, claim in claims(plugins):
        for check in claim.passes:
            assert shown[column][check] in PASSED, f"{column}: {check}"


def test_table_counts_what_passed(script: ModuleType) -> None:
    name = "sphere-torus/purpose"
    found = {"precision": {name: SanityFinding("precision", name, "low")}, "fid": {}}
    lines = script.table(found).splitlines()
    assert lines[0] == "| check | `precision` | `fid` |"
    assert "| sphere-torus: purpose, bounds | L – | – – |" in lines
    assert lines[-1] == "| passed | 1 of 1 | 0 of 0 |"


def test_table_is_written_between_its_marks(script: ModuleType, tmp_path) -> None:
    path = tmp_path / "page.md"
    path.write_text("a\n<!-- sanity:start -->\nold\n<!-- sanity:end -->\nb\n", "utf-8")
    script.write(path, "| new |")
    assert path.read_text("utf-8") == "a\n<!-- sanity:start -->\n| new |\n<!-- sanity:end -->\nb\n"
    path.write_text("nothing", "utf-8")
    with pytest.raises(SystemExit, match="no place marked"):
        script.write(path, "| new |")


def test_metric_without_claims_is_refused(script: ModuleType) -> None:
    with pytest.raises(SystemExit, match="no metric with claims is named vendi"):
        script.chosen([], ["vendi"])
