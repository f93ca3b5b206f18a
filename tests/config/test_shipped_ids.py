"""Every id of the files that come with ganbench is what it was in ganbench 0.1.0.

An id that changes voids every banked baseline of its cell, and no two machines merge their parts
across the change. Where a test here fails, mend the change that made it. Ids are taken anew only
where a plugin's numbers were meant to change and its `version` rose: `cas` 2, of metrics_mnist.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from helpers import folders_of_pictures as layouts

from ganbench.config import benchmark_file, plan
from ganbench.records.cells import Plan
from ganbench.registry import registry
from ganbench.registry.registry import Registry
from ganbench.util import machine

ROOT = Path(__file__).parents[2]
EXAMPLES = sorted(ROOT.glob("plugins/ganbench-*/ganbench_*.py"))
FILES = sorted(
    path
    for pattern in ("benchmarks/**/*.yaml", "plugins/*/benchmark*.yaml")
    for path in ROOT.glob(pattern)
    if "speedrun"
    not in path.parts  # whose tracks are no benchmarks, and records are kept as they are
)
BANKED = sorted(ROOT.glob("results/baselines/*.json"))
KNOWN: dict[str, Any] = json.loads(
    (Path(__file__).with_name("shipped_ids.json")).read_text("utf-8")
)


@pytest.fixture(scope="module")
def examples() -> Registry:
    """The built-in plugins and those of plugins/, whose sources may be edited here."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GANBENCH_LOAD_PLUGINS", "")
        patch.setattr(registry, "source_digest", lambda module: "")
        return registry.load(map(str, EXAMPLES))


@pytest.fixture(scope="module")
def surroundings(tmp_path_factory: pytest.TempPathFactory):
    """A folder with pictures where the files look for them, and a machine without bfloat16."""
    folder = tmp_path_factory.mktemp("textbook")
    layouts.shipped(folder / "data")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(machine, "has_fast_bfloat16", lambda device: False)
        yield


def profiles(file: Path) -> list[str | None]:
    return [None, *(yaml.safe_load(file.read_text("utf-8")).get("profiles") or {})]


def planned(file: Path, profile: str | None, plugins: Registry) -> Plan:
    asked = benchmark_file.load(file, plugins, profile=profile)
    return plan.make(asked, plugins, device="cpu")


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))
def test_ids_are_those_of_0_1_0(file: Path, examples: Registry, surroundings: None) -> None:
    if file.parent.name == "ganbench-hf-datasets":
        pytest.importorskip("pyarrow", reason="pip install pyarrow")
        layouts.parquet(Path("digits.parquet"))
    for profile in profiles(file):
        known = KNOWN[f"{file.relative_to(ROOT).as_posix()} {profile or ''}".strip()]
        found = planned(file, profile, examples)
        assert {cell.label: cell.id for cell in found.cells} == known["cells"]
        assert {row.label: row.id for row in found.references} == known["references"]
        assert found.id == known["plan"]


@pytest.mark.parametrize("baseline", BANKED, ids=lambda baseline: baseline.stem)
def test_banked_baselines_are_found_by_id(
    baseline: Path, examples: Registry, surroundings: None
) -> None:
    found = json.loads(baseline.read_text("utf-8"))
    file = ROOT / "benchmarks" / f"{found['measurements']['name']}.yaml"
    made = planned(file, found["source"]["profile"], examples)
    assert not found["source"]["overrides"]
    assert {cell.id for cell in made.cells} == set(found["measurements"]["cells"])
