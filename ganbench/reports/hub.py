"""Evaluation results for the Hugging Face Hub, as files that its own library reads.

A trained model has one `.eval_results/ganbench.yaml`, of which each entry names a task of a
benchmark; that is a repository of data on the Hub, whose `eval.yaml` lists the tasks.
"""

from __future__ import annotations

import hashlib
import math
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from ganbench.errors import ConfigError
from ganbench.records.cells import SAMPLER
from ganbench.records.columns import Column
from ganbench.records.results import MetricValue
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.reports.exporters.named_measurements import left_out
from ganbench.util.terminal import one_line

FRAMEWORK = "ganbench"
RESULTS = Path(".eval_results", "ganbench.yaml")
BENCHMARK = "eval.yaml"
MOST_NAME = 96  # characters of a repository's name
MOST_COMMANDS = 3
_OWNED = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*", re.ASCII)


@dataclass
class Exported:
    """What is written: texts by their place, commands that would publish them, and remarks."""

    texts: dict[Path, str] = field(default_factory=dict)
    commands: list[str] = field(default_factory=list)
    numbers: int = 0
    notes: tuple[str, ...] = ()


def export(run: Run, benchmark: str, out: Path) -> Exported:
    """Return the results of each trained model of a run, for a benchmark `OWNER/NAME` of the Hub.

    Numbers that a machine decides, and those without a direction, are left out. Raises ConfigError
    for what cannot be the name of a repository.
    """
    check(benchmark)
    tasks = _Tasks(benchmark)
    entries: dict[Path, list[dict[str, Any]]] = {}
    missing = []
    for outcome in run.outcomes_by_sampler():
        if outcome.trial.cell is None:
            continue
        for number in outcome.result.metrics:
            if number.column.depends_on_machine or number.column.direction == "none":
                continue
            if number.value is None or not math.isfinite(number.value) or not number.protocol:
                missing.append(f"{outcome.trial.subject.label}/{number.column.name}")
                continue
            place = out / outcome.directory.name / RESULTS
            entries.setdefault(place, []).append(tasks.entry(run, outcome, number))
    found = Exported(notes=left_out(missing, "without a value"))
    if not entries:
        return found
    found.numbers = sum(map(len, entries.values()))
    found.texts = {place: _yaml(one) for place, one in entries.items()}
    found.texts[out / BENCHMARK] = _yaml(tasks.benchmark(run))
    found.commands = [*_commands(benchmark, out, list(entries))]
    return found


def check(benchmark: str) -> None:
    """Raise ConfigError for what cannot be the name of a repository on the Hub."""
    odd = "--" in benchmark or ".." in benchmark or len(benchmark) > MOST_NAME
    if odd or not _OWNED.fullmatch(benchmark) or benchmark.endswith((".git", ".", "-")):
        raise ConfigError(
            f"--benchmark {benchmark}: expected OWNER/NAME of a repository of data on the Hub, as "
            "in my-lab/gan-benchmark"
        )


class _Tasks:
    """The tasks of a benchmark: a data set, a number and a protocol each."""

    def __init__(self, benchmark: str) -> None:
        self._benchmark = benchmark
        self._ids: dict[tuple[str, str, str], str] = {}

    def entry(self, run: Run, outcome: TrialOutcome, number: MetricValue) -> dict[str, Any]:
        """Return a number as the Hub has it."""
        subject = outcome.trial.subject
        dataset = subject.axes.get("dataset", subject.dataset.name)
        sampler = subject.axes.get(SAMPLER)
        drawn = f", sampler {sampler}" if sampler else ""
        notes = (
            f"{subject.label}, seed {outcome.trial.seed}{drawn}; {_told(number.column)}; protocol "
            f"{number.protocol}; ganbench {run.info.provenance.ganbench}"
        )
        return {
            "dataset": {
                "id": self._benchmark,
                "task_id": self._id(dataset, number.column.name, number.protocol),
            },
            "value": number.value,
            "date": run.info.created,
            "notes": one_line(notes),
        }

    def benchmark(self, run: Run) -> dict[str, Any]:
        """Return the tasks as the benchmark's own repository lists them."""
        about = run.description or "GAN variants, judged by ganbench"
        return {
            "name": one_line(run.info.name),
            "description": one_line(about),
            "evaluation_framework": FRAMEWORK,
            "tasks": [
                {"id": id, "config": "default", "split": "test"} for id in self._ids.values()
            ],
        }

    def _id(self, *key: str) -> str:
        if key not in self._ids:
            found = re.sub(r"[^a-z0-9]+", "-", "-".join(key).lower()).strip("-")
            if found in self._ids.values():
                found += f"-{hashlib.sha256(repr(key).encode()).hexdigest()[:6]}"
            self._ids[key] = found  # type: ignore[index]
        return self._ids[key]  # type: ignore[index]


def _told(column: Column) -> str:
    better = {"min": "lower is better", "max": "higher is better"}[column.direction]
    unit = f" in {column.unit}" if column.unit else ""
    return f"{column.name}{unit}, {better}"


def _commands(benchmark: str, out: Path, places: list[Path]) -> Iterator[str]:
    """Yield what to type, once for each model and for the benchmark."""
    for place in places[:MOST_COMMANDS]:
        yield shlex.join(["hf", "upload", "USER/MODEL", str(place.parent), RESULTS.parts[0]])
    if len(places) > MOST_COMMANDS:
        yield f"# and so on, for {len(places) - MOST_COMMANDS:,} more models"
    target = ["hf", "upload", benchmark, str(out / BENCHMARK), BENCHMARK]
    yield shlex.join([*target, "--repo-type", "dataset"])


def _yaml(value: Any) -> str:
    text: str = yaml.safe_dump(value, sort_keys=False, allow_unicode=True, width=1000)
    return text
