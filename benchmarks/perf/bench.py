"""Every measurement of this folder, one after the other, and the table of what they found.

    python benchmarks/perf/bench.py --out results/perf/measured.jsonl     # about an hour
    python benchmarks/perf/bench.py --table results/perf/measured.jsonl   # only print

Leave the machine alone meanwhile: nothing else may run on its cores.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
SHORT = "short_trials.yaml"
JOBS = (
    ("training_step.py",),
    *(("overhead.py", "--precision", p) for p in ("float32", "bfloat16")),
    ("overhead.py", "--loss", "wgan-gp", "--precision", "bfloat16"),
    *(("overhead.py", "--net", "ring", "--loss", loss) for loss in ("bce", "lsgan", "wgan-gp")),
    ("evaluation.py",),
    ("memory.py",),
    ("memory.py", "--pictures", "200000"),
    ("scale.py",),
    ("matrix.py",),
    ("matrix.py", "--file", str(HERE / SHORT), "--seeds", "1000", "--jobs", "2"),
    ("beside.py",),
)
Found = dict[str, Any]
Row = tuple[str, str, str]  # figure, target, measured


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=ROOT / "results/perf/measured.jsonl")
    parser.add_argument("--table", type=Path, help="print what this file has, and measure nothing")
    asked = parser.parse_args()
    if asked.table is None:
        asked.out.parent.mkdir(parents=True, exist_ok=True)
        part = asked.out.with_suffix(".part")  # what is there stays until all is measured
        with part.open("w") as file:
            for script, *arguments in JOBS:
                print(f"{script} {' '.join(arguments)}", file=sys.stderr, flush=True)
                command = [sys.executable, str(HERE / script), *arguments]
                subprocess.run(command, check=True, stdout=file)
        part.replace(asked.out)
    found = [json.loads(line) for line in (asked.table or asked.out).read_text().splitlines()]
    print("\n".join(table(found)))


def table(found: Sequence[Found]) -> Iterator[str]:
    yield "| figure | target | measured |"
    yield "|---|---|---|"
    for row in rows(found):
        yield f"| {' | '.join(row)} |"


def rows(found: Sequence[Found]) -> Iterator[Row]:
    for one in found:
        match one["what"]:
            case "training step" if one["loop"] != "reference":
                yield _training_step(one)
            case "overhead":
                net = "ring, MLP" if one["net"] == "ring" else "cDCGAN"
                more = {k: 100 * (v - 1) for k, v in one["times_as_long"].items() if k != "rounds"}
                yield (
                    f"trainer over bare loop: {net}, {one['loss']}, {one['precision']}, "
                    f"batch {one['batch_size']}",
                    "≤ 10 %" if one["net"] == "ring" else "≤ 3 %",
                    f"{more['median']:+.1f} % ({more['least']:+.1f} to {more['most']:+.1f})",
                )
            case "evaluation":
                yield (
                    f"judging 10,000 samples of MNIST by every metric of {one['file']}, "
                    + ("statistics kept" if one["remembered"] else "nothing kept yet"),
                    "≤ 20 s" if one["remembered"] else "",
                    f"{one['seconds']:.1f} s, peak {one['peak_memory_mb']:,.0f} MB",
                )
            case "peak memory":
                yield (f"peak memory: {one['what_for']}" + _of(one), *_peak(one))
            case "memory over time":
                yield (
                    f"memory over {one['iterations']:,} iterations",
                    "slope 0",
                    f"{one['mb_per_1000_iterations']:+.3f} MB per 1,000 iterations "
                    f"(scatter {one['residual_sd_mb']:.2f} MB)",
                )
            case "plan":
                yield f"plan of {one['cells']:,} cells", "≤ 3 s", f"{one['seconds']:.1f} s"
            case "read":
                count = f"{one['trials']:,} trials"
                yield f"`{one['command']}`, {count}", "≤ 5 s", f"{one['seconds']:.1f} s"
            case "run":
                yield (
                    f"runner's own time, {one['trials']:,} trials",
                    "≤ 50 ms a trial",
                    f"{1000 * one['seconds_a_trial']:.1f} ms a trial",
                )
            case "beside":
                yield from _beside(one)
    matrices = [one for one in found if one["what"] == "matrix"]
    yield from _matrix([one for one in matrices if one["file"] != SHORT])
    for one in matrices:
        if one["file"] == SHORT:
            yield (
                f"{one['trials']:,} trials of {SHORT}, two at a time",
                "≤ 3.6 s a trial",
                f"{one['seconds_a_trial'] / one['jobs']:.2f} s a trial",
            )


def _beside(one: Found) -> Iterator[Row]:
    yield (
        "a trial beside a busy core, to its speed alone",
        "≥ 0.45",
        f"{one['beside_over_alone']:.2f}",
    )
    yield "two trials side by side, to the time of one", "≤ 2.3 ×", f"{one['two_take']:.2f} ×"
    yield "yielding, while alone", "≤ 1 %", f"{100 * one['cost_alone']:+.1f} %"


def _training_step(one: Found) -> Row:
    targets = {
        ("float32", False): "≥ 1.45 ×",
        ("float32", True): "≥ 1.25 ×",
        ("bfloat16", False): "≥ 3.0 ×",
        ("bfloat16", True): "≥ 1.8 ×",
    }
    target = targets[one["precision"], one["loss"] == "wgan-gp"]
    ratio, rate = one["times_the_reference"], one["images_per_second"]["median"]
    return (
        f"textbook cDCGAN, {one['loss']}, {one['precision']}: {one['loop']}",
        target if one["loop"] == "ganbench run" else "",
        f"{ratio['median']:.2f} × ({ratio['least']:.2f} to {ratio['most']:.2f}), {rate:,.0f} img/s",
    )


def _of(one: Found) -> str:
    return f", {one['precision']}" if "precision" in one else f", {one['pictures']:,}"


def _peak(one: Found) -> tuple[str, str]:
    if "anonymous_mb" in one:
        return "≤ 1.5 GB", (
            f"{one['anonymous_mb']:,.0f} MB, and {one['mapped_mb']:,.0f} MB of mapped file"
        )
    return "≤ 1.2 GB", f"{one['peak_mb']:,.0f} MB"


def _matrix(found: Sequence[Found]) -> Iterator[Row]:
    alone: dict[str, Found] = {}  # the last of each name: matrix.py measures it, then two at a time
    for one in found:
        name = " ".join((one["file"], *one["only"]))
        if one["jobs"] == 1:
            alone[name] = one
            yield (
                f"{name}: wall time over its trials' training, sampling and judging",
                "≤ 1.04",
                f"{one['wall_for_work']:.3f} ({one['wall_seconds']:.0f} s)",
            )
            if begins := one["seconds_to_begin"]:
                yield f"{name}: process, imports and data of a trial", "≤ 0.3 s", f"{begins:.2f} s"
            each = one["else_seconds_a_trial"]
            yield f"{name}: these, pictures and all else, a trial", "", f"{each:.1f} s"
        elif name in alone:
            ratio = one["wall_seconds"] / alone[name]["wall_seconds"]
            yield (
                f"{name}: --jobs {one['jobs']} over --jobs 1",
                "≤ 0.78",
                f"{ratio:.3f} ({one['wall_seconds']:.0f} s)",
            )


if __name__ == "__main__":
    main()
