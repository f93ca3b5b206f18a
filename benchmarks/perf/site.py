"""How long the leaderboard of many runs takes, and how large its pages are; nothing is trained.

    python benchmarks/perf/site.py            # 10,000 trials of 50 runs

Writes runs with made-up numbers and pictures of samples, then `ganbench results site` over them in
a process of its own, and prints a line of JSON: seconds with imports and of a core, pages, and the
largest one.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from PIL import Image

from ganbench.records import results, run_folder
from ganbench.records.cells import Plan, Spec, as_written
from ganbench.records.run_folder import Run
from ganbench.testing.fixtures import trials
from ganbench.util import files, sealed

DATASETS = ("ring", "grid", "mnist", "cifar10", "faces")
PROTOCOL = {"metric": "frechet", "version": 1, "num_samples": 10_000}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=50)
    parser.add_argument("--trials", type=int, default=10_000, help="of all runs together")
    parser.add_argument("--seeds", type=int, default=5, help="of a run")
    parser.add_argument("--keep", type=Path, help="leave runs and site in this new folder")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="ganbench-site-") as temporary:
        folder = asked.keep or Path(temporary)
        cells = asked.trials // (asked.runs * asked.seeds)
        for number in range(asked.runs):
            write(folder / "runs" / f"run-{number}", number, cells, asked.seeds)
        command = [sys.executable, "-m", "ganbench", "results", "site", str(folder / "runs")]
        began, before = time.perf_counter(), os.times()
        subprocess.run([*command, "--out", str(folder / "site")], check=True, stdout=sys.stderr)
        seconds, after = time.perf_counter() - began, os.times()
        of_a_core = sum(after[2:4]) - sum(before[2:4])
        pages = {path: path.stat().st_size for path in (folder / "site").rglob("*.html")}
        largest = max(pages, key=lambda path: pages[path])
        found = {
            "what": "site",
            "runs": asked.runs,
            "trials": asked.runs * cells * asked.seeds,
            "seconds": round(seconds, 1),
            "cpu_seconds": round(of_a_core, 1),
            "pages": len(pages),
            "largest": largest.relative_to(folder / "site").as_posix(),
            "largest_bytes": pages[largest],
        }
        print(json.dumps(found))


def write(folder: Path, number: int, cells: int, seeds: int) -> None:
    """Write a run of one data set, of which other runs have the same cells by other seeds."""
    dataset = DATASETS[number % len(DATASETS)]
    first = seeds * (number // len(DATASETS))
    named = [
        {
            "dataset": dataset,
            "loss": f"loss{cell}",
            "conditioning": "none",
            "architecture": "mlp",
        }
        for cell in range(cells)
    ]
    plan = Plan(
        "site",
        tuple(
            replace(
                trials._cell(f"{axes['loss']}/none/mlp", axes),
                dataset=Spec("dataset", dataset, {}, "kit 1.0"),
            )
            for axes in named
        ),
        (),
        tuple(range(first, first + seeds)),
        "cpu",
    )
    folder.mkdir(parents=True)
    about = {
        "schema_version": run_folder.SCHEMA_VERSION,
        "id": f"site-{number}",
        "name": "site",
        "created": f"2026-01-{number % 28 + 1:02}T00:00:00+00:00",
        "machine": {"device": "cpu", "device_name": f"Processor {number % 3}"},
        "provenance": {"ganbench": "0.2", "python": "3.11", "packages": {"torch": "2.10.0"}},
    }
    files.write_json(folder / run_folder.RUN, about)
    sealed.write_json(folder / run_folder.PLAN, as_written(plan))
    picture = Image.effect_noise((320, 320), 80)
    for trial in Run.read(folder).trials:
        place = folder / run_folder.TRIALS / trial.id
        place.mkdir(parents=True)
        cell = int(trial.subject.axes["loss"].removeprefix("loss"))
        values = (1 + cell / 10 + trial.seed * 7 % 13 / 20, 8.0, 0.75, 1234.5, 321.0)
        found = trials.finished(values)
        key = results.protocol_id(PROTOCOL)
        metrics = [{**one, "protocol": key} for one in found["metrics"]]
        content = {**found, "metrics": metrics, "protocols": {key: PROTOCOL}}
        (place / run_folder.RESULT).write_text(json.dumps(sealed.with_seal(content)), "utf-8")
        if trial.seed == first:
            picture.save(place / "samples.png")


if __name__ == "__main__":
    main()
