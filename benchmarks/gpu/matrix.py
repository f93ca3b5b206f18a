"""A whole run on the device: `matrix.py OUT JOBS [arguments of ganbench run]`."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from common import DEVICE, wall

from ganbench.util import files

FILE = Path(__file__).resolve().parents[1] / "cgan_mnist.yaml"


def main(out: str, jobs: str, *more: str) -> None:
    command = [sys.executable, "-m", "ganbench", "run", str(FILE), "--device", str(DEVICE)]
    began = wall()
    data = {"GANBENCH_DATA": str(files.data())}
    subprocess.run(
        [*command, "--jobs", jobs, "--out", out, "--quiet", *more],
        check=True,
        env=os.environ | data,
    )
    taken = wall() - began
    found = {
        p.parent.name: json.loads(p.read_text()) for p in Path(out).glob("trials/*/result.json")
    }
    parts: Counter[str] = Counter()
    for result in found.values():
        parts.update(result["seconds"])
    told = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in parts.items())
    print(f"ROW a run of {len(found)} trials, --jobs {jobs}: {taken:.0f} s; trials' parts: {told}")
    for name, result in sorted(found.items()):
        print(f"ROW   {name[:50]:50s} {_told(result)}")
    machine = json.loads((Path(out) / "run.json").read_text())["machine"]
    print(f"NOTE run.json tells of the GPU: {machine.get('gpu')}")


def _told(result: dict[str, Any]) -> str:
    values = {one["name"]: one["value"] for one in result.get("metrics", [])}
    if not values.get("train-images-per-s"):
        return str(result["status"])
    timings = result["timings"]
    memory = f"peak {timings['peak_memory_bytes'] / 1e6:,.0f} MB"
    if reserved := timings.get("peak_reserved_bytes"):
        memory += f" of {reserved / 1e6:,.0f} reserved"
    return (
        f"{result['status']}, {values['train-images-per-s']:,.0f} img/s, sampling "
        f"{values['sample-images-per-s']:,.0f}/s, {memory}, fid {values.get('fid@mnist-cnn-v1')}"
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
