"""A benchmark of seconds, a loss that misbehaves on demand, and the command line as a process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from ganbench.util import sealed
from helpers import warm

TINY = """\
version: 1
name: tiny
seeds: [0]
dataset: {name: ring, train_size: 2000, test_size: 500}
matrix:
  loss: [bce, lsgan]
conditioning: none
architecture: {name: mlp, width: 16, depth: 1}
training: {batch_size: 50, budget: {kimg: 1}, log_every: 5}
evaluation: {num_samples: 200, metrics: [mode-coverage, fid, throughput]}
execution: {threads: 1}
reporters: [markdown, csv, json]
"""

# Without the real test set, whose trial is a process too.
UNCONTROLLED = TINY.replace("num_samples: 200,", "num_samples: 200, controls: [],")

# Where it does not matter that trials are processes of their own, each of which takes seconds.
INLINE = TINY.replace("execution: {threads: 1}", "execution: {threads: 1, executor: inline}")

TROUBLE = '''\
"""A loss for tests: trains as least squares, then does what it is told at the tenth step."""

import os
import signal
import time
from dataclasses import dataclass
from typing import Literal

from ganbench import Loss, Step, Terms, hookimpl


@dataclass(kw_only=True)
class Trouble(Loss):
    """Misbehaves."""

    name = "trouble"
    does: Literal["nothing", "raise", "nan", "kill", "exit", "hang"] = "nothing"

    def discriminator_loss(self, step: Step) -> Terms:
        loss = (step.real.logits - 1).square().mean() + step.fake.logits.square().mean()
        if step.iteration == 10:
            loss = loss * self._misbehave()
        return {"adversarial": loss}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": (step.fake.logits - 1).square().mean()}

    def _misbehave(self) -> float:
        if self.does == "raise":
            raise RuntimeError("out of ideas")
        if self.does == "kill":
            os.kill(os.getpid(), signal.SIGKILL)
        if self.does == "exit":
            os._exit(7)
        if self.does == "hang" and "NO_MORE_TROUBLE" not in os.environ:
            time.sleep(600)
        return float("nan") if self.does == "nan" else 1.0


@hookimpl
def register_losses(register):
    register(Trouble)
'''


def write(folder: Path, text: str = TINY) -> Path:
    path = folder / "tiny.yaml"
    path.write_text(text, encoding="utf-8")
    return path


def write_trouble(folder: Path) -> Path:
    path = folder / "trouble.py"
    path.write_text(TROUBLE, encoding="utf-8")
    return path


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "ganbench", *map(str, arguments)]


def ganbench(*arguments: object, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command line in a process of its own, which finds torch imported."""
    return warm.run("ganbench", *arguments, cwd=cwd, environment=surroundings(**environment))


def cold_ganbench(
    *arguments: object, cwd: Path, **environment: str
) -> subprocess.CompletedProcess[str]:
    """The command line in a process that is started as a shell starts it."""
    return subprocess.run(
        command(*arguments),
        cwd=cwd,
        env=surroundings(**environment),
        capture_output=True,
        text=True,
        timeout=300,
    )


def surroundings(**changes: str) -> dict[str, str]:
    """This process's environment; the package is found from anywhere."""
    root = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    threads = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    return {**os.environ, "PYTHONPATH": path, **threads, **changes}


def results(run: Path) -> dict[str, dict[str, Any]]:
    """Every finished trial's result, by the trial's name."""
    found = sorted((run / "trials").glob("*/result.json"))
    return {path.parent.name: json.loads(path.read_text("utf-8")) for path in found}


def change_result(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change a result.json as if the trial had ended so: sealed again."""
    result = json.loads(path.read_text("utf-8"))
    change(result)
    sealed.write_json(path, result)


def without_clock(result: dict[str, Any]) -> dict[str, Any]:
    """What must be the same when a trial is run again."""
    clocks = ("seconds", "timings", "metric_seconds", "sha256")
    kept = {k: v for k, v in result.items() if k not in clocks}
    timed = ("train-images-per-s", "g-steps-per-s", "sample-images-per-s", "peak-memory-mb")
    kept["metrics"] = [m for m in result["metrics"] if m["name"] not in timed]
    return kept
