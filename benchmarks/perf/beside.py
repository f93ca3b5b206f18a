"""Trials beside other work: their speed alone, beside a busy core, and beside a second trial.

    python benchmarks/perf/beside.py

One trial of cgan_mnist (bce, projection, dcgan, float32) at a time, in turns with threads that
yield to other programs and with threads that do not; a line of JSON has images per second and the
ratios. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import common

BUSY = [sys.executable, "-c", "while True: pass"]
OBSTINATE = (  # the command line, in which nothing yields
    "import sys; from ganbench.contracts import executors as p; "
    "p.RUN_MODULE = 'import ganbench.runs.neighbours as n; n.BUSY = 1e9; ' + p.RUN_MODULE; "
    "from ganbench.cli import main; main()"
)
SIDES = {"yielding": ["-m", "ganbench"], "obstinate": ["-c", OBSTINATE]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kimg", type=float, default=20.0)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--patience", type=float, default=600.0, help="seconds for a trial")
    asked = parser.parse_args()
    found: dict[str, list[float]] = {}
    for turn in range(asked.rounds):
        for side in list(SIDES) if turn % 2 else list(SIDES)[::-1]:
            for place, how in (("alone", alone), ("beside a busy core", beside_a_loop)):
                with how():
                    rate = measured({side: asked.kimg}, asked.patience)[side]
                found.setdefault(f"{side}, {place}", []).append(rate)
        pair = measured({"yielding": asked.kimg, "yielding again": asked.kimg}, asked.patience)
        found.setdefault("two side by side", []).append(sum(pair.values()) / 2)
    best = {name: max(rates) for name, rates in found.items()}
    common.say(
        "beside",
        kimg=asked.kimg,
        images_per_second={name: common.spread(rates) for name, rates in found.items()},
        cost_alone=1 - best["yielding, alone"] / best["obstinate, alone"],
        beside_over_alone=ratio(found, "yielding, beside a busy core"),
        two_take=1 / ratio(found, "two side by side"),
    )


def ratio(found: Mapping[str, list[float]], name: str) -> float:
    """To the speed alone, in the mean over rounds."""
    ratios = [a / b for a, b in zip(found[name], found["yielding, alone"], strict=True)]
    return sum(ratios) / len(ratios)


@contextmanager
def alone() -> Iterator[None]:
    yield


@contextmanager
def beside_a_loop() -> Iterator[None]:
    loop = subprocess.Popen(BUSY)
    time.sleep(0.5)
    try:
        yield
    finally:
        loop.kill()
        loop.wait()


def measured(sides: Mapping[str, float], patience: float) -> dict[str, float]:
    """Images per second of trials side by side, each of so many kimg; 0 where one took too long."""
    with tempfile.TemporaryDirectory() as folder:
        running = {}
        for name, kimg in sides.items():
            out = Path(folder, name)
            command = [sys.executable, *SIDES[name.split()[0]], "run", *arguments(kimg, out)]
            running[name] = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        found = {}
        for name, process in running.items():
            try:
                process.wait(patience)
                result = common.only_result(Path(folder, name))
                found[name] = result["training"]["images"] / result["timings"]["train_seconds"]
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
                found[name] = 0.0
        return found


def arguments(kimg: float, out: Path) -> list[str]:
    settings = {
        "training.precision": "float32",
        "training.budget.kimg": kimg,
        "evaluation.num_samples": 100,
        "evaluation.metrics": ["throughput"],
        "evaluation.controls": [],
    }
    chosen = ["--only", "loss=bce", "--only", "conditioning=projection", "--seeds", "0"]
    overrides = [f"{key}={json.dumps(value)}" for key, value in settings.items()]
    sets = [part for override in overrides for part in ("--set", override)]
    benchmark = str(common.ROOT / "benchmarks" / "cgan_mnist.yaml")
    return [benchmark, *chosen, *sets, "--quiet", "--out", str(out)]


if __name__ == "__main__":
    main()
