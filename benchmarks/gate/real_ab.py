"""Does `ganbench ab` cry wolf, and does it see a planted slowdown? With real trainings.

    python benchmarks/gate/real_ab.py --runs 10 --rounds 5
    python benchmarks/gate/real_ab.py --runs 1 --rounds 2 --set training.budget.kimg=2   # a try

One line of JSON per comparison: the working tree with itself, `--runs` times, and then with itself
where every iteration sleeps so that throughput falls by `--slowdown`; for the latter, after how
many rounds each cell was found to be slower. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import planted

from ganbench.cli.gating import policy_of
from ganbench.gate import ab
from ganbench.gate.compare import compare
from ganbench.records.run_folder import Run

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="ganbench-real-ab-") as temporary:
        examine(asked, Path(asked.out or temporary).resolve())


def examine(asked: argparse.Namespace, out: Path) -> None:
    alarms = 0
    for i in range(1, asked.runs + 1):
        found = measure(asked, out / f"aa-{i}", asked.file, "--base", ".", "--head", ".")
        alarms += found["exit_code"] == 1
        print(json.dumps({"what": "A/A", "run": i, **found}), flush=True)
    if asked.runs:
        print(json.dumps({"what": "A/A", "runs": asked.runs, "alarms": alarms}), flush=True)
    if asked.slowdown:
        found = slowed(asked, out)
        print(json.dumps({"what": "slowdown", "planted": asked.slowdown, **found}), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--file", type=Path, default=ROOT / "benchmarks/ci_throughput.yaml", help="the benchmark"
    )
    parser.add_argument("--runs", type=int, default=10, help="A/A comparisons")
    parser.add_argument("--rounds", type=int, default=5, help="of each comparison")
    parser.add_argument("--slowdown", type=float, default=0.1, help="0: none")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--out", help="keep the runs in this folder")
    return parser.parse_args()


def slowed(asked: argparse.Namespace, out: Path) -> dict[str, Any]:
    """A repository of two versions of nothing but a `sitecustomize`: as it is, and slower."""
    repository = out / "repository"
    repository.mkdir(parents=True)
    file = Path(shutil.copy(asked.file, repository))
    planted.write("none", repository)
    git = ["git", "-C", str(repository), "-c", "user.name=gate", "-c", "user.email=gate@localhost"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-q", "-m", "as it is"]):
        subprocess.run([*git, *command], check=True)
    planted.write(f"slower={asked.slowdown}", repository)
    found = measure(asked, out / "slowdown", file, "--base", "HEAD", "--head", ".")
    return {**found, "caught_after_rounds": dict(caught(out / "slowdown"))}


def measure(asked: argparse.Namespace, out: Path, file: Path, *versions: str) -> dict[str, Any]:
    overrides = [part for value in asked.overrides for part in ("--set", value)]
    done = subprocess.run(
        [
            sys.executable, "-m", "ganbench", "ab", str(file), *versions, *overrides,
            "--rounds", str(asked.rounds), "--json", "--out", str(out),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    said = json.loads(done.stdout)
    if "error" in said:
        sys.exit(said["error"]["message"])
    timed = [v for v in said["verdicts"] if v["gated"] and v["kind"] == "timing"]
    return {
        "exit_code": said["exit_code"],
        "rounds": asked.rounds,
        "verdicts": {f"{v['label']} {v['metric']}": v["verdict"] for v in timed},
        "ratios": {f"{v['label']} {v['metric']}": round(v["ratio"], 4) for v in timed},
        "p": {f"{v['label']} {v['metric']}": v["p"] for v in timed},
    }


def caught(out: Path) -> Iterator[tuple[str, int | None]]:
    """Of each timing, after how many of the rounds it had regressed for good; None: never."""
    sides = ab.read(out)
    gate = Run.read(out / "round-1" / "head").info.gate
    history: dict[str, list[str]] = {}
    for count in range(1, len(sides["head"]) + 1):
        both = ab.reconciled({side: found[:count] for side, found in sides.items()})
        policy = policy_of(gate, (), (), None, [both.base, both.head], interleaved=True)
        for v in compare(both.base, both.head, policy).gated():
            if v.kind == "timing":
                history.setdefault(f"{v.label} {v.metric}", []).append(v.word)
    for name, outcomes in history.items():
        other = [i for i, outcome in enumerate(outcomes, start=1) if outcome != "regressed"]
        after = max(other, default=0) + 1
        yield name, after if after <= len(outcomes) else None


if __name__ == "__main__":
    main()
