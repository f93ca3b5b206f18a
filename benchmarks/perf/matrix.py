"""What the runner adds to its trials, and what two trials at a time are worth.

    python benchmarks/perf/matrix.py                      # cgan_mnist as it stands: half an hour
    python benchmarks/perf/matrix.py --profile smoke

Runs a benchmark one trial at a time and then two, each with its share of the cores. A line of JSON
per run: its wall time, beside the seconds that its trials trained, sampled and judged; what it took
for anything else (its own start, pictures, saved models, the report), a trial; and, one at a time,
what a trial took to begin: from the end of the one before to its data. Leave the machine alone
meanwhile.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

import common

WORK = ("train", "sample", "evaluate")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=common.ROOT / "benchmarks/cgan_mnist.yaml")
    parser.add_argument("--profile")
    parser.add_argument("--only", action="append", default=[], help="as of `ganbench run`")
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ganbench-matrix-") as temporary:
        for jobs in asked.jobs:
            out = Path(temporary) / f"jobs-{jobs}"
            cache = common.own_cache(Path(temporary) / f"cache-{jobs}")  # none finds the other's
            seconds = run(asked.file.resolve(), asked.profile, asked.only, jobs, out, cache)
            what = {"file": asked.file.name, "profile": asked.profile, "only": asked.only}
            common.say("matrix", **what, jobs=jobs, **measured(out, seconds))


def run(
    file: Path,
    profile: str | None,
    only: Sequence[str],
    jobs: int,
    out: Path,
    environment: dict[str, str],
) -> float:
    chosen = ["--profile", profile] if profile else []
    chosen += [part for rule in only for part in ("--only", rule)]
    started = time.perf_counter()
    common.run(file, "--out", out, "--jobs", jobs, *chosen, environment=environment)
    return time.perf_counter() - started


def measured(out: Path, wall: float) -> dict[str, Any]:
    ended = {path.stat().st_mtime: path for path in out.glob("trials/*/result.json")}
    seconds = [json.loads(ended[moment].read_text())["seconds"] for moment in sorted(ended)]
    work = sum(found.get(part, 0.0) for found in seconds for part in WORK)
    jobs = json.loads((out / "run.json").read_text())["execution"]["jobs"]
    beginnings = [
        later - earlier - found["total"] + found["data"]
        for (earlier, later), found in zip(pairwise(sorted(ended)), seconds[1:], strict=True)
    ]
    return {
        "trials": len(seconds),
        "wall_seconds": wall,
        "trained_and_judged_seconds": work,
        "wall_for_work": wall * jobs / work,
        "else_seconds_a_trial": (wall * jobs - work) / len(seconds),
        "seconds_to_begin": statistics.median(beginnings) if jobs == 1 else None,
    }


if __name__ == "__main__":
    main()
