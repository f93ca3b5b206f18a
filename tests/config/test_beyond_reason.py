"""Benchmark files and overrides beyond reason: refused in a sentence, and in time."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from ganbench.config import benchmark_file, matrix
from ganbench.config.yaml_document import Document, Problems
from ganbench.errors import ConfigError

BASE = "version: 1\nname: x\ndataset: ring\nloss: bce\nconditioning: none\narchitecture: mlp\n"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (BASE + 'description: "\\ud800"\n', "7:14: half of a surrogate pair is no text"),
        (BASE + '"\\udfff": 1\n', "7:1: half of a surrogate pair is no text"),
        (BASE + f"seeds: [0x{'f' * 4000}]\n", "7:9: '0xf+' cannot be read as !!int"),
        (BASE + f"seeds: [{'9' * 5000}]\n", "7:9: '9+' cannot be read as !!int"),
        (BASE.replace("mlp", "{name: mlp, depth: 1000000}"), "depth must be at most 1,000, found"),
        (BASE + f"execution: {{threads: 1{'0' * 37}}}\n", "threads: expected .* of at most 10000"),
        (BASE + f"execution: {{jobs: 1{'0' * 37}}}\n", "jobs: expected .* of at most 10000"),
        (BASE + f"evaluation: {{num_samples: 1{'0' * 37}}}\n", "num_samples: expected .* at most"),
        (BASE + "training: {budget: {kimg: 1e308}}\n", "kimg: expected a number of at most 1e.12"),
        (BASE + "training: {budget: {epochs: 2e12}}\n", "epochs: expected .* of at most 1e.12"),
        (BASE + f"training: {{budget: {{steps: 2{'0' * 20}}}}}\n", "steps: expected .* at most 1e"),
        (BASE + "training: {g_lr: {from: 1, to: 2, until: {epochs: 1e308}}}\n",
         "until: expected a share of the budget .* of at most 1e.12, found"),
        (BASE + "".join(f"k{i}: 1\n" for i in range(5_000)),
         r"unknown key 'k0'(.*\n)+… and maybe more; mend these first"),
        (BASE + "training:\n" + "".join(f"  k{i}: 1\n" for i in range(5_000)),
         r"unknown key 'k0' in 'training'(.*\n)+… and maybe more"),
    ],
)  # fmt: skip
def test_files_beyond_reason_are_refused_in_time(text: str, message: str, plugins) -> None:
    began = time.process_time()
    with pytest.raises(ConfigError, match=message):
        benchmark_file.parse(Document.parse(text, "b.yaml"), plugins)
    assert time.process_time() - began < 10


@pytest.mark.parametrize(
    "assignment", ["a." * 3000 + "b=1", "a=" + "[" * 3000, "a=" + "{b: " * 60 + "1" + "}" * 60]
)
def test_overrides_beyond_reason_are_refused_briefly(assignment: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Document.parse(BASE, "b.yaml").with_override(assignment)
    assert len(str(refused.value)) < 400


def test_pipes_and_devices_are_no_benchmark_files(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.yaml")
    for path in (tmp_path / "pipe.yaml", Path("/dev/zero")):
        with pytest.raises(ConfigError, match="is no regular file"):
            Document.read(path)


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"])
def test_names_that_no_file_can_have_are_refused(name: str) -> None:
    with pytest.raises(ConfigError, match=r"cannot be read: file name too long|is no path"):
        Document.read(Path(name))


RATES = [i / 1000 for i in range(1, 101)]
LARGE = {"training.g_lr": RATES, "training.d_lr": RATES}  # ten thousand combinations


def test_thousands_of_excludes_take_no_time() -> None:
    rules = [{"training.g_lr": g, "training.d_lr": d} for g in RATES for d in RATES[:30]]
    problems = Problems(Document.parse(BASE, "b.yaml"))
    began = time.process_time()
    found, warnings = matrix.combinations({"matrix": {**LARGE, "exclude": rules}}, problems)
    assert len(found) == 7000
    assert warnings == []
    assert not problems.messages
    assert time.process_time() - began < 5


@pytest.mark.parametrize(
    ("table", "says"),
    [
        (
            {**LARGE, "include": [{"training.batch_size": i} for i in range(3000)]},
            "3,000 include rules for 10,000 combinations are 30,000,000 pairs; at most 5,000,000",
        ),
        (
            {"training.g_lr": list(range(20_000)), "exclude": [{"training.g_lr": 1}] * 300},
            "300 rules for 20,000 values are 6,000,000 pairs; at most 5,000,000 are possible",
        ),
    ],
)
def test_rules_beyond_reason_are_refused(table: dict[str, Any], says: str) -> None:
    problems = Problems(Document.parse(BASE, "b.yaml"))
    assert matrix.combinations({"matrix": table}, problems) == ([], [])
    assert says in "\n".join(problems.messages)


def test_many_values_of_an_axis_take_no_quadratic_time() -> None:
    problems = Problems(Document.parse(BASE, "b.yaml"))
    began = time.process_time()
    values = [{"name": "bce", "x": i} for i in range(30_000)]
    matrix.combinations({"matrix": {"loss": [*values, values[7]]}}, problems)
    assert "stands twice in matrix.loss" in next(iter(problems.messages))
    assert time.process_time() - began < 5
