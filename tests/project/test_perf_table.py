"""The table of `make bench`, and the documents that show it."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from helpers import scripts

ROOT = Path(__file__).parents[2]
MEASURED = ROOT / "results/perf/measured.jsonl"


@pytest.fixture(scope="module")
def bench():
    return scripts.script("perf", "bench")


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
        ("a.yaml loss=bce: wall time over its trials' training, sampling and judging", "≤ 1.04",
         "1.100 (100 s)"),
        ("a.yaml loss=bce: process, imports and data of a trial", "≤ 0.3 s", "2.00 s"),
        ("a.yaml loss=bce: these, pictures and all else, a trial", "", "3.5 s"),
        ("a.yaml loss=bce: --jobs 2 over --jobs 1", "≤ 0.78", "0.800 (80 s)"),
    ]  # fmt: skip


def test_two_at_a_time_are_beside_one_at_a_time_of_the_same_measurement(bench):
    work = {"wall_for_work": 1.0, "else_seconds_a_trial": 1.0, "seconds_to_begin": None}
    runs = [("a.yaml", 1, 100.0), ("a.yaml", 2, 80.0), ("b.yaml", 1, 50.0), ("b.yaml", 2, 45.0),
            ("a.yaml", 1, 200.0), ("a.yaml", 2, 150.0), ("c.yaml", 2, 9.0)]  # fmt: skip
    found = [
        {"what": "matrix", "file": file, "only": [], "jobs": jobs, "wall_seconds": wall, **work}
        for file, jobs, wall in runs
    ]
    ratios = [row[2] for row in bench.rows(found) if "--jobs 2" in row[0]]
    assert ratios == ["0.800 (80 s)", "0.900 (45 s)", "0.750 (150 s)"]


def test_a_run_is_measured_trial_by_trial(tmp_path):
    matrix = scripts.script("perf", "matrix")
    (tmp_path / "run.json").write_text('{"execution": {"jobs": 1}}')
    common = {"plugins": 0.2, "data": 0.1, "total": 8.0}
    ends = {"b": 30.0, "a": 10.0, "c": 30.0}  # two within one tick of the clock
    for name, end in ends.items():
        result = tmp_path / "trials" / name / "result.json"
        result.parent.mkdir(parents=True)
        seconds = {
            **common,
            "train": 5.0,
            "evaluate": 1.5,
            **({"prepare": 0.4} if end > 10 else {}),
        }
        result.write_text(json.dumps({"seconds": seconds}))
        os.utime(result, (end, end))
    found = matrix.measured(tmp_path, 40.0)
    assert found["trials"] == 3
    assert found["trained_and_judged_seconds"] == pytest.approx(19.5)
    assert found["wall_for_work"] == pytest.approx(40 / 19.5)
    assert found["seconds_to_begin"] == pytest.approx((20 - 8 + 0.7 + 0 - 8 + 0.7) / 2)
    for name in "bc":
        (tmp_path / "trials" / name / "result.json").unlink()
    assert matrix.measured(tmp_path, 40.0)["seconds_to_begin"] is None


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
