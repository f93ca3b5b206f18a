"""What a GPU does with ganbench, in about ten minutes: correct, how fast, and as it says.

    python benchmarks/gpu/prove.py --seconds 560                          # make prove-gpu
    python benchmarks/gpu/prove.py --device cpu --quick --seconds 300     # tries the script itself

Reads the card's settings and changes none. Each step has its log in the folder --out; the lines of
all of them that say something come as they are done. OK and BAD are judgements, NOTE and ROW are
what was measured, FAILED is a step's part that raised. Exit code 1 where anything is BAD or FAILED.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
TOLD = ("ROW", "NOTE", "OK", "BAD", "FAILED")
SMALL = ("--profile", "smoke", "--only", "conditioning=projection", "--only", "loss=bce")
LEAST = 15  # seconds that a step is worth beginning with


class Step(NamedTuple):
    """A command, and the most seconds that it may take."""

    name: str
    seconds: int
    command: tuple[str, ...]


def steps(device: str, quick: bool, work: Path) -> Iterator[Step]:
    python = sys.executable
    few = SMALL if quick else ()
    yield Step("doctor", 60, (python, "-m", "ganbench", "doctor"))
    for name, seconds in (("check", 120), ("rates", 150), ("judging", 60)):
        yield Step(name, seconds, (python, str(HERE / f"{name}.py")))
    for jobs, seconds in ((1, 230), (4, 90)):
        command = (python, str(HERE / "matrix.py"), str(work / f"jobs{jobs}"), str(jobs), *few)
        yield Step(f"jobs{jobs}", seconds, command)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--device", default="cuda:0")
    parser.add_argument("--seconds", type=int, default=560, help="of all steps")
    parser.add_argument("--quick", action="store_true", help="tiny batches, to try the script")
    parser.add_argument("--step", action="append", help="this alone, and others that are named so")
    parser.add_argument("--out", type=Path, help="a folder for the logs; default: a new one")
    asked = parser.parse_args()
    work = Path(tempfile.mkdtemp(prefix="prove-gpu-"))
    out = asked.out or work / "logs"
    out.mkdir(parents=True, exist_ok=True)
    environment = os.environ | {
        "PROVE_DEVICE": asked.device,
        "PROVE_QUICK": "1" if asked.quick else "",
        "PYTHONUNBUFFERED": "1",
        "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]),
        "GANBENCH_CACHE": str(work / "cache"),
    }
    ends = time.monotonic() + asked.seconds
    wrong = 0
    for step in steps(asked.device, asked.quick, work):
        if not asked.step or step.name in asked.step:
            wrong += carried_out(step, out / f"{step.name}.log", ends, environment)
    print(f"== logs in {out}")
    return 1 if wrong else 0


def carried_out(step: Step, log: Path, ends: float, environment: dict[str, str]) -> bool:
    """Carry a step out, print what its log says, and return whether something was wrong."""
    began = time.monotonic()
    limit = min(step.seconds, ends - began)
    if limit < LEAST:
        print(f"== {step.name}: left out, {ends - began:.0f} s are left")
        return False
    with log.open("w", encoding="utf-8") as file:
        try:
            code = subprocess.run(
                step.command, stdout=file, stderr=subprocess.STDOUT, env=environment, timeout=limit
            ).returncode
            end = f"exit {code}"
        except subprocess.TimeoutExpired:
            code, end = 0, "no more time"
    print(f"== {step.name}: {end} after {time.monotonic() - began:.0f} s (limit {limit:.0f})")
    lines = log.read_text("utf-8", "replace").splitlines()
    told = [line for line in lines if line.startswith(TOLD)]
    print("\n".join(told if told and not code else [*told, *lines[-5:]]), flush=True)
    return bool(code) or any(line.startswith(("BAD", "FAILED")) for line in told)


if __name__ == "__main__":
    sys.exit(main())
