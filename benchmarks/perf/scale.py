"""How the tool itself copes with many cells and trials; nothing is trained.

    python benchmarks/perf/scale.py

Plans a matrix of 10,000 cells; shows and reports a run of 10,000 finished trials with made-up
numbers; carries out runs of 1,000 and of 2,000 trials whose workers end at once. A line of JSON
each: seconds, without imports where it says so.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import common
import yaml

from ganbench import Executor, Resources, TrialRef
from ganbench.cli.garbage import look_seldom_for_garbage
from ganbench.config import benchmark_file, plan
from ganbench.records.run_folder import RESULT
from ganbench.registry import registry
from ganbench.registry.registry import Registry
from ganbench.runs import beginning, runner
from ganbench.testing.fixtures import trials
from ganbench.util import files

SETTINGS = {
    "version": 1,
    "name": "scale",
    "dataset": {"name": "ring"},
    "conditioning": "none",
    "architecture": {"name": "mlp", "width": 16, "depth": 1},
    "loss": "bce",
    "evaluation": {"num_samples": 200, "metrics": ["mode-coverage", "fid", "throughput"]},
}


@dataclass(kw_only=True)
class Instant(Executor):
    """Every trial is finished as soon as it is begun."""

    name = "instant"

    def run(self, trials_: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        for trial in trials_:
            finish(trial.directory, len(trial.label))
            yield trial


def finish(directory: Path, number: int) -> None:
    values = (1 + number % 97 / 100, 8.0, 0.75 + number % 13 / 100, 1234.5 + number % 89, 321.0)
    files.write_json(directory / RESULT, trials.finished(values))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--side", type=int, default=100, help="of the square of cells")
    parser.add_argument("--trials", type=int, default=1000, help="of the run, and then twice that")
    asked = parser.parse_args()
    look_seldom_for_garbage()  # as the command line does
    plugins = registry.load()
    with tempfile.TemporaryDirectory(prefix="ganbench-scale-") as temporary:
        folder = Path(temporary)
        order = planned(plugins, folder, asked.side, asked.side)
        shown(folder / "big", order)
        for times in (1, 2):
            carried_out(plugins, folder / f"run-{times}", folder, times * asked.trials)


@dataclass(frozen=True)
class Planned:
    order: beginning.Order
    plan: plan.Plan
    plugins: Registry


def planned(
    plugins: Registry, folder: Path, rows: int, columns: int, *, tell: bool = True
) -> Planned:
    rates = [round(1e-3 + 1e-4 * i, 6) for i in range(max(rows, columns))]
    matrix = {"training.g_lr": rates[:rows], "training.d_lr": rates[:columns]}
    file = folder / "scale.yaml"
    file.write_text(yaml.safe_dump({**SETTINGS, "matrix": matrix}))
    started = time.perf_counter()
    asked = benchmark_file.load(file, plugins)
    made = plan.make(asked, plugins, device="cpu")
    seconds = time.perf_counter() - started
    if tell:
        common.say("plan", cells=len(made.cells), seconds=seconds, imports="not counted")
    return Planned(beginning.Order(asked, file, None, (), (), 1), made, plugins)


def shown(out: Path, asked: Planned) -> None:
    run = beginning.create(out, asked.plan, asked.order, asked.plugins)
    for number, outcome in enumerate(run.outcomes()):
        outcome.directory.mkdir()
        finish(outcome.directory, number)
    for command in (
        ["show", str(out)],
        ["report", str(out)],
        ["report", str(out), "--format", "html"],
    ):
        started = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "ganbench", *command], check=True, stdout=subprocess.DEVNULL
        )
        seconds = time.perf_counter() - started
        told = " ".join(["ganbench", command[0], *command[2:]])
        common.say("read", command=told, trials=len(run.trials), seconds=seconds, imports="counted")


def carried_out(plugins: Registry, out: Path, folder: Path, count: int) -> None:
    asked = planned(plugins, folder, count // 10, 10, tell=False)
    run = beginning.create(out, asked.plan, asked.order, plugins)
    began = time.perf_counter()
    runner.execute(run, _Instantly(plugins))  # type: ignore[arg-type]
    seconds = time.perf_counter() - began
    common.say("run", trials=count, seconds=seconds, seconds_a_trial=seconds / count)


class _Instantly:
    """A registry whose executor is Instant."""

    def __init__(self, plugins: Registry) -> None:
        self.plugins = plugins

    def build(self, kind: str, name: str, options: dict[str, object]) -> object:
        return Instant() if kind == "executor" else self.plugins.build(kind, name, options)


if __name__ == "__main__":
    main()
