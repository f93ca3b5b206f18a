"""What the measurements of this folder share: a quiet allocator, turns, and lines of JSON."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import ganbench
from ganbench.records.run_info import GitState
from ganbench.runs import provenance
from ganbench.util import files, machine
from ganbench.util.allocator import KEEP_MEMORY, VARIABLE

ROOT = Path(__file__).resolve().parents[2]
POLL_SECONDS = 0.1
HERE = Path(__file__).resolve().parent


def keep_memory() -> None:
    """Begin this script anew with the allocator that the workers of a run have."""
    if os.environ.setdefault(VARIABLE, KEEP_MEMORY) != KEEP_MEMORY:
        raise SystemExit("GLIBC_TUNABLES is set; unset it, so that all are measured alike")
    if os.environ.setdefault("GANBENCH_PERF", "begun") != "begun anew":
        os.environ["GANBENCH_PERF"] = "begun anew"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def mnist() -> Path:
    """The folder that torchvision's MNIST is looked for in, filled where it is not yet."""
    from ganbench.registry import registry

    registry.load().build("dataset", "mnist", {}).load("train", files.data())
    return files.data()


def own_cache(folder: Path) -> dict[str, str]:
    """The environment of runs that find nothing remembered of earlier ones but the data itself."""
    return {**os.environ, "GANBENCH_CACHE": str(folder), "GANBENCH_DATA": str(files.data())}


def run(*arguments: object, environment: dict[str, str] | None = None) -> dict[str, float]:
    """`ganbench run`; the most resident megabytes of any worker at any time, by kind."""
    command = [sys.executable, "-m", "ganbench", "run", *map(str, arguments)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, env=environment)
    most: dict[str, float] = {}
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    while process.poll() is None:
        time.sleep(POLL_SECONDS)
        for pid in children.read_text("ascii").split():
            for name, megabytes in resident(pid).items():
                most[name] = max(megabytes, most.get(name, 0.0))
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return most


def resident(pid: str = "self") -> dict[str, float]:
    """Megabytes of a process, by kind, and VmHWM, the most so far; of none that has just ended."""
    try:
        text = Path(f"/proc/{pid}/status").read_text("utf-8", "replace")
    except (FileNotFoundError, ProcessLookupError):
        return {}
    lines = (line.split(":") for line in text.splitlines())
    kinds = ("RssAnon", "RssFile", "VmHWM")
    return {name: int(rest.split()[0]) / 1000 for name, rest in lines if name in kinds}


def only_result(out: Path) -> dict[str, Any]:
    """Of a run of one trial."""
    (path,) = out.glob("trials/*/result.json")
    found: dict[str, Any] = json.loads(path.read_text())
    return found


def spread(values: Sequence[float]) -> dict[str, Any]:
    """The median with the whole range, and how many there are."""
    return {
        "median": statistics.median(values),
        "least": min(values),
        "most": max(values),
        "rounds": len(values),
    }


def say(what: str, **found: Any) -> None:
    """Print one line of JSON, with what is needed to know where it comes from."""
    print(json.dumps({"what": what, **found, **_origin()}), flush=True)


@cache
def _origin() -> dict[str, Any]:
    import torch

    git = provenance.git_state(ROOT) or GitState("unknown", True)
    return {
        "cpu": machine.cpu_name(),
        "cores": machine.cores(),
        "ganbench": ganbench.__version__,
        "commit": git.commit + ("-dirty" if git.dirty else ""),
        "torch": torch.__version__,
        "time": provenance.now(),
    }
