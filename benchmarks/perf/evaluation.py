"""How long judging one MNIST trial takes, metric by metric.

    python benchmarks/perf/evaluation.py

Trains a small network for a moment and judges 10,000 samples with every metric of metrics_mnist but
time-to, which is of the training: first with nothing remembered of the real data, then with its
statistics kept. A line of JSON each; the peak of memory is that of the whole trial.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from typing import Any

import common

KIMG = 5
METRICS = (
    *("fid", "fid-inf", "kid", "is", "precision-recall", "density-coverage", "mode-coverage"),
    *("cond-accuracy", "intra-fid", "cas", "memorization", "ndb", "fid@random-conv", "throughput"),
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=common.ROOT / "benchmarks/metrics_mnist.yaml")
    parser.add_argument("--rounds", type=int, default=2, help="with the statistics kept")
    asked = parser.parse_args()
    common.mnist()  # so that no run has to fetch it
    with tempfile.TemporaryDirectory(prefix="ganbench-evaluation-") as temporary:
        cache = Path(temporary) / "cache"  # of statistics; the data is where it was
        for number in range(1 + asked.rounds):
            found = judged(asked.file.resolve(), Path(temporary) / f"run-{number}", cache)
            common.say("evaluation", file=asked.file.name, remembered=number > 0, **found)


def judged(file: Path, out: Path, cache: Path) -> dict[str, Any]:
    asked = [f"training.budget.kimg={KIMG}", "evaluation.controls=[]"]
    asked += [f"evaluation.metrics=[{', '.join(METRICS)}]"]
    overrides = [part for one in asked for part in ("--set", one)]
    most = common.run(file, "--out", out, *overrides, environment=common.own_cache(cache))
    result = common.only_result(out)
    return {
        "seconds": result["seconds"]["evaluate"],
        "sampling_seconds": result["seconds"]["sample"],
        "by_metric": result["metric_seconds"],
        "peak_memory_mb": most["VmHWM"],
    }


if __name__ == "__main__":
    main()
