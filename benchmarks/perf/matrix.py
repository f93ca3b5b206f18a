"""What the runner adds to its trials, and what two trials at a time are worth.

    python benchmarks/perf/matrix.py                      # cgan_mnist as it stands: half an hour
    python benchmarks/perf/matrix.py --profile smoke
    python benchmarks/perf/matrix.py --file benchmarks/perf/short_trials.yaml --seeds 1000 --jobs 2

Plans a benchmark and runs it, one trial at a time and then two, each with its share of the cores. A
line of JSON per run: its wall time, beside the seconds that its trials trained, sampled and judged;
what it took for anything else (its own start, pictures, saved models, the report), a trial; the
mean of each part of a trial; the seconds of a core that all of it computed, a trial; and, one at a
time, what a trial took to begin: from the end of the one before to its first step. Leave the
machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import common

BEFORE = ("plugins", "data", "prepare")
WORK = ("train", "sample", "evaluate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=common.ROOT / "benchmarks/cgan_mnist.yaml")
    parser.add_argument("--profile")
    parser.add_argument("--only", action="append", default=[], help="as of `ganbench run`")
    parser.add_argument("--seeds", type=int, help="so many, not the file's own")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ganbench-matrix-") as temporary:
        for jobs in asked.jobs:
            out = Path(temporary) / f"jobs-{jobs}"
            cache = common.own_cache(Path(temporary) / f"cache-{jobs}")  # none finds the other's
            plan(asked, jobs, cache)
            before = core_seconds()
            seconds = run(asked, jobs, out, cache)
            what = {"file": asked.file.name, "profile": asked.profile, "only": asked.only}
            found = measured(out, seconds)
            each = (core_seconds() - before) / found["trials"]
            common.say("matrix", **what, jobs=jobs, **found, core_seconds_a_trial=each)


def plan(asked: argparse.Namespace, jobs: int, environment: dict[str, str]) -> None:
    """Have it estimated what trials take, by which the last of a run are ordered."""
    what = [asked.file.resolve(), *chosen(asked), "--set", f"execution.jobs={jobs}"]
    command = [sys.executable, "-m", "ganbench", "plan", *map(str, what)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)


def run(asked: argparse.Namespace, jobs: int, out: Path, environment: dict[str, str]) -> float:
    what, started = [asked.file.resolve(), *chosen(asked)], time.perf_counter()
    common.run(*what, "--out", out, "--jobs", jobs, environment=environment)
    return time.perf_counter() - started


def chosen(asked: argparse.Namespace) -> list[str]:
    found = ["--profile", asked.profile] if asked.profile else []
    found += [part for rule in asked.only for part in ("--only", rule)]
    return found + (["--seeds", ",".join(map(str, range(asked.seeds)))] if asked.seeds else [])


def core_seconds() -> float:
    """What the processes that this one has started, and theirs, have computed until they ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measured(out: Path, wall: float) -> dict[str, Any]:
    results = sorted(out.glob("trials/*/result.json"), key=_ended)
    seconds = [json.loads(path.read_text())["seconds"] for path in results]
    work = sum(found.get(part, 0.0) for found in seconds for part in WORK)
    jobs = json.loads((out / "run.json").read_text())["execution"]["jobs"]
    beginnings = [
        _ended(path) - _ended(before) - found["total"] + sum(found.get(p, 0.0) for p in BEFORE)
        for before, path, found in zip(results, results[1:], seconds[1:], strict=False)
    ]
    return {
        "trials": len(seconds),
        "wall_seconds": wall,
        "trained_and_judged_seconds": work,
        "wall_for_work": wall * jobs / work,
        "else_seconds_a_trial": (wall * jobs - work) / len(seconds),
        "seconds_a_trial": wall * jobs / len(seconds),
        "parts": {
            part: statistics.mean(found.get(part, 0.0) for found in seconds)
            for part in (*BEFORE, *WORK)
        },
        "seconds_to_begin": statistics.median(beginnings) if jobs == 1 and beginnings else None,
    }


def _ended(result: Path) -> float:
    return result.stat().st_mtime


if __name__ == "__main__":
    main()
