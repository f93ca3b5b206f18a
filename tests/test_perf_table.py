"""The table of `make bench`, and the documents that show it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
MEASURED = ROOT / "results/perf/measured.jsonl"


@pytest.fixture(scope="module")
def bench():
    spec = importlib.util.spec_from_file_location("bench", ROOT / "benchmarks/perf/bench.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def measured() -> list[dict]:
    return [json.loads(line) for line in MEASURED.read_text("utf-8").splitlines()]


def test_rows_say_target_and_spread(bench):
    times = {"median": 1.02, "least": 0.99, "most": 1.05, "rounds": 3}
    rates = {"median": 1400.0, "least": 1300.0, "most": 1500.0, "rounds": 3}
    step = {"what": "training step", "loss": "wgan-gp", "precision": "float32", "threads": 2}
    found = [
        {**step, "loop": "reference", "times_the_reference": times, "images_per_second": rates},
        {**step, "loop": "ganbench run", "times_the_reference": times, "images_per_second": rates},
        {"what": "overhead", "net": "ring", "loss": "bce", "precision": "float32",
         "batch_size": 100, "times_as_long": times},
        {"what": "matrix", "file": "a.yaml", "only": ["loss=bce"], "jobs": 1, "wall_seconds": 100.0,
         "wall_for_work": 1.1, "else_seconds_a_trial": 3.5, "seconds_to_begin": 2.0},
        {"what": "matrix", "file": "a.yaml", "only": ["loss=bce"], "jobs": 2, "wall_seconds": 80.0},
    ]  # fmt: skip
    assert list(bench.rows(found)) == [
        ("textbook cDCGAN, wgan-gp, float32: ganbench run", "≥ 1.25 ×",
         "1.02 × (0.99 to 1.05), 1,400 img/s"),
        ("trainer over bare loop: ring, MLP, bce, float32, batch 100", "≤ 10 %",
         "+2.0 % (-1.0 to +5.0)"),
        ("a.yaml loss=bce: wall time over its trials' training, sampling and judging", "≤ 1.15",
         "1.100 (100 s)"),
        ("a.yaml loss=bce: process, imports and data of a trial", "≤ 3 s", "2.0 s"),
        ("a.yaml loss=bce: these, pictures and all else, a trial", "", "3.5 s"),
        ("a.yaml loss=bce: --jobs 2 over --jobs 1", "≤ 0.9", "0.80 (80 s)"),
    ]  # fmt: skip


def test_every_committed_measurement_has_its_origin():
    for one in measured():
        assert {"what", "cpu", "cores", "commit", "torch", "time"} <= one.keys()
        assert not one["commit"].endswith("-dirty")


@pytest.mark.parametrize("kind", ["training step", "overhead", "evaluation", "peak memory",
                                  "memory over time", "plan", "read", "run", "matrix"])  # fmt: skip
def test_every_figure_was_measured(kind):
    assert any(one["what"] == kind for one in measured())


def test_the_guide_shows_the_committed_table(bench):
    guide = (ROOT / "docs/performance.md").read_text("utf-8")
    assert "\n".join(bench.table(measured())) in guide


def test_the_readme_shows_rows_of_it(bench):
    rows = set(bench.table(measured()))
    section = (ROOT / "README.md").read_text("utf-8").split("\n## Speed\n")[1].split("\n## ")[0]
    shown = [line for line in section.splitlines() if line.startswith("|")]
    assert len(shown) > 8
    assert set(shown) <= rows
