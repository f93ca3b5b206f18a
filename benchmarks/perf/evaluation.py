"""How long judging one MNIST trial takes, metric by metric.

    python benchmarks/perf/evaluation.py

Trains a small network for a moment and judges 10,000 samples with every metric of metrics_mnist:
first with nothing remembered of the real data, then with its statistics kept. A line of JSON each.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import common

from ganbench import folders

KIMG = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--file", type=Path, default=common.ROOT / "benchmarks/metrics_mnist.yaml")
    parser.add_argument("--rounds", type=int, default=3, help="with the statistics kept")
    asked = parser.parse_args()
    common.mnist()
    with tempfile.TemporaryDirectory(prefix="ganbench-evaluation-") as temporary:
        cache = Path(temporary) / "cache"  # of statistics; the data is where it was
        for number in range(1 + asked.rounds):
            found = judged(asked.file.resolve(), Path(temporary) / f"run-{number}", cache)
            common.say("evaluation", file=asked.file.name, remembered=number > 0, **found)


def judged(file: Path, out: Path, cache: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "ganbench", "run", str(file), "--out", str(out)]
    command += ["--set", f"training.budget.kimg={KIMG}", "--set", "evaluation.controls=[]"]
    environment = {
        **os.environ,
        "GANBENCH_CACHE": str(cache),
        "GANBENCH_DATA": str(folders.data()),
    }
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    (path,) = out.glob("trials/*/result.json")
    result = json.loads(path.read_text())
    return {
        "seconds": result["seconds"]["evaluate"],
        "sampling_seconds": result["seconds"]["sample"],
        "by_metric": result["metric_seconds"],
        "peak_memory_mb": result["timings"]["peak_memory_bytes"] / 1e6,
    }


if __name__ == "__main__":
    main()
