"""What a trial needs of memory, and whether that grows.

    python benchmarks/perf/memory.py                # the textbook's networks, and 10,000 iterations
    python benchmarks/perf/memory.py --pictures 200000    # a folder of 64×64 pictures, made first

A line of JSON per measurement. Peaks are of a worker of `ganbench run`; pages of a mapped file,
which the kernel may take back at any time, are told apart from what the worker needs.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

import common
import numpy as np
import torch
from overhead import contracts, digits
from PIL import Image


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--iterations", type=int, default=10_000)
    parser.add_argument("--pictures", type=int, default=0)
    asked = parser.parse_args()
    if asked.pictures:
        with tempfile.TemporaryDirectory(prefix="ganbench-pictures-") as temporary:
            pictures(Path(temporary), asked.pictures)
        return
    for precision in ("float32", "bfloat16"):
        common.say("peak memory", what_for="textbook cDCGAN on MNIST, batch 128",
                   precision=precision, **peak(precision))  # fmt: skip
    common.say("memory over time", **slope(asked.iterations))


def peak(precision: str) -> dict[str, Any]:
    with tempfile.TemporaryDirectory(prefix="ganbench-memory-") as temporary:
        out = Path(temporary) / "run"
        asked = ("--set", f"training.precision={precision}")
        most = common.run(common.HERE / "training_step.yaml", "--out", out, *asked)
    return {"peak_mb": most["VmHWM"]}


def slope(iterations: int) -> dict[str, Any]:
    """Of resident memory over the iterations of one trainer, small enough to be done in minutes."""
    data = digits()
    trainer = contracts("cdcgan", "bce", "bfloat16", data, 8)
    seen = []
    for number in range(1, iterations + 1):
        trainer.iterate()
        if not number % trainer.settings.log_every:
            trainer.close_window(1.0, trainer.settings.log_every)
            seen.append((number, common.resident()["RssAnon"]))
    later = [(n, mb) for n, mb in seen if n > iterations // 10]
    x, y = (torch.tensor(values, dtype=torch.float64) for values in zip(*later, strict=True))
    grows = float(((x - x.mean()) * (y - y.mean())).sum() / (x - x.mean()).square().sum())
    return {
        "iterations": iterations,
        "mb_after_a_tenth": later[0][1],
        "mb_at_the_end": later[-1][1],
        "mb_per_1000_iterations": 1000 * grows,
        "residual_sd_mb": float((y - y.mean() - grows * (x - x.mean())).std()),
    }


def pictures(folder: Path, count: int) -> None:
    """Train for a pass over so many pictures."""
    source = folder / "pictures"
    started = time.perf_counter()
    draws = np.random.default_rng(0)
    for number in range(count):
        if number % 1000 == 0:
            inside = source / f"{number // 1000:04d}"
            inside.mkdir(parents=True)
        small = draws.integers(0, 256, (8, 8, 3), dtype=np.uint8)
        picture = Image.fromarray(small).resize((64, 64), Image.Resampling.BILINEAR)
        picture.save(inside / f"{number:06d}.jpg", quality=85)
    made = time.perf_counter() - started
    file = folder / "pictures.yaml"
    file.write_text(PICTURES.format(folder=source, kimg=count / 1000))
    cache = common.own_cache(folder / "cache")
    most = common.run(file, "--out", folder / "run", environment=cache)
    common.say("peak memory", what_for="a folder of 64×64 pictures", pictures=count,
               made_in_seconds=made, anonymous_mb=most["RssAnon"], mapped_mb=most["RssFile"],
               seconds=common.only_result(folder / "run")["seconds"])  # fmt: skip


PICTURES = """\
version: 1
name: pictures
seeds: [0]
dataset: {{name: image-folder, path: {folder}, resolution: 64}}
conditioning: none
loss: bce
architecture: {{name: dcgan, width: 8}}
training: {{batch_size: 64, budget: {{kimg: {kimg}}}}}
evaluation: {{num_samples: 100, controls: [], metrics: [throughput]}}
"""


if __name__ == "__main__":
    common.keep_memory()
    main()
