"""Training steps through `ganbench run`, beside the textbook's own loop and the bare one.

    python benchmarks/perf/training_step.py --rounds 3

Each round runs all of them in turns, every one in a process of its own: real images per second
shown to the discriminator, and, of each round, the ratio to the textbook's loop (float32). Of a run
it is what its throughput metric reports, its log, average of weights and signals included. A line
of JSON per loss, precision and loop. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import common
from reference_loop import N_CRITIC

ITERATIONS = {"bce": 30, "lsgan": 30, "wgan-gp": 8}
FILE = common.HERE / "training_step.yaml"
Key = tuple[str, str, str]  # loss, precision, loop


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--loss", choices=list(N_CRITIC), action="append", help="default: all")
    parser.add_argument("--precision", choices=["float32", "bfloat16"], action="append")
    asked = parser.parse_args()
    losses = asked.loss or list(N_CRITIC)
    precisions = asked.precision or ["float32", "bfloat16"]
    data = common.mnist()
    rates: dict[Key, list[float]] = defaultdict(list)
    for number in range(asked.rounds):
        for loss in losses:
            todo: list[Key] = [(loss, "float32", "reference")]
            todo += [(loss, p, loop) for p in precisions for loop in ("bare", "ganbench run")]
            for key in todo if number % 2 else todo[::-1]:
                rates[key].append(_rate(*key, data))
                print(f"round {number + 1}: {', '.join(key)}: {rates[key][-1]:.0f} images/s",
                      file=sys.stderr, flush=True)  # fmt: skip
    for (loss, precision, loop), found in rates.items():
        plain = rates[loss, "float32", "reference"]
        ratios = [rate / theirs for rate, theirs in zip(found, plain, strict=True)]
        common.say(
            "training step",
            loss=loss,
            precision=precision,
            loop=loop,
            threads=_threads(),
            images_per_second=common.spread(found),
            times_the_reference=common.spread(ratios),
        )


def _rate(loss: str, precision: str, loop: str, data: Path) -> float:
    """Real images per second shown to the discriminator."""
    norm = "layer" if loss == "wgan-gp" else "batch"  # penalties per image forbid batch statistics
    if loop == "ganbench run":
        return _through_run(loss, precision)
    arguments = ["--data", str(data), "--loss", loss, "--norm", norm]
    arguments += ["--iterations", str(ITERATIONS[loss]), "--warm-up", "3"]
    if loop == "bare":
        arguments += ["--precision", precision]
    script = common.HERE / f"{loop}_loop.py"
    # The textbook's reader has a plain environment; the bare loop has the best that we know.
    environment = {k: v for k, v in os.environ.items() if k != "GLIBC_TUNABLES"}
    environment = dict(os.environ) if loop == "bare" else environment
    done = subprocess.run(
        [sys.executable, str(script), *arguments],
        env=environment, capture_output=True, text=True, check=True,
    )  # fmt: skip
    return float(json.loads(done.stdout)["images_per_second"])


def _through_run(loss: str, precision: str) -> float:
    with tempfile.TemporaryDirectory(prefix="ganbench-perf-") as folder:
        out = Path(folder) / "run"
        command = [sys.executable, "-m", "ganbench", "run", str(FILE), "--out", str(out)]
        command += ["--set", f"training.precision={precision}"]
        command += ["--profile", loss] if loss == "wgan-gp" else ["--set", f"loss={loss}"]
        subprocess.run(command, capture_output=True, check=True, cwd=folder)
        values: list[dict[str, Any]] = common.only_result(out)["metrics"]
    return next(v["value"] for v in values if v["name"] == "train-images-per-s")


def _threads() -> int:
    import torch

    return torch.get_num_threads()


if __name__ == "__main__":
    common.keep_memory()
    main()
