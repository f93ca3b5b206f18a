"""Does `ganbench compare` see planted bugs that make training worse, and nothing without one?

    python benchmarks/gate/planted_quality.py results/baselines/ci_quality.json
    python benchmarks/gate/planted_quality.py RUN --set training.budget.kimg=0.5   # a try

One line of JSON per bug: the verdicts on a run of benchmarks/ci_quality.yaml in which the gradient
penalty has no weight, in which a tenth of each batch has wrong labels, and as the code is (A/A).
The bugs are of the code: settings, and with them the ids of cells, stay the same.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import planted

ROOT = Path(__file__).resolve().parents[2]
QUALITY = ("none", "no-penalty", "shuffled-labels")


def main() -> None:
    asked = arguments()
    with tempfile.TemporaryDirectory(prefix="ganbench-planted-") as temporary:
        out = Path(asked.out or temporary).resolve()
        for bug in asked.bugs:
            site = planted.folder(bug, Path(temporary) / "sites")
            print(json.dumps({"bug": bug, **judged(asked, site, out / bug)}), flush=True)


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("baseline", type=Path, help="a banked file, or a run's folder")
    parser.add_argument(
        "--file", type=Path, default=ROOT / "benchmarks/ci_quality.yaml", help="the benchmark"
    )
    parser.add_argument("--bugs", nargs="+", default=QUALITY, choices=QUALITY)
    parser.add_argument("--seeds", help="of the candidates; else the file's")
    parser.add_argument("--set", action="append", default=[], dest="overrides")
    parser.add_argument("--out", help="keep the runs in this folder")
    return parser.parse_args()


def judged(asked: argparse.Namespace, site: Path, out: Path) -> dict[str, Any]:
    options = [part for value in asked.overrides for part in ("--set", value)]
    options += ["--seeds", asked.seeds] if asked.seeds else []
    path = os.pathsep.join(filter(None, [str(site), os.environ.get("PYTHONPATH")]))
    began = time.monotonic()
    ganbench("run", asked.file, *options, "--out", out, "--quiet", "--json", PYTHONPATH=path)
    seconds = time.monotonic() - began
    said = json.loads(ganbench("compare", asked.baseline, out, "--json"))
    gated = [v for v in said.get("verdicts", []) if v["gated"] and v["kind"] != "count"]
    return {
        "exit_code": said.get("exit_code"),
        "conclusion": said.get("conclusion") or said["error"]["message"],
        "caught": any(v["verdict"] in ("regressed", "failed") for v in gated),
        "seconds": round(seconds),
        "verdicts": [
            {key: v[key] for key in ("label", "metric", "verdict", "evidence")} for v in gated
        ],
    }


def ganbench(*arguments: object, **environment: str) -> str:
    """What the command printed; its exit code is a finding."""
    done = subprocess.run(
        [sys.executable, "-m", "ganbench", *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        text=True,
    )
    return done.stdout


if __name__ == "__main__":
    main()
