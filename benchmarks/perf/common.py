"""What the measurements of this folder share: a quiet allocator, turns, and lines of JSON."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import ganbench
from ganbench import folders, machine, provenance
from ganbench.default_plugins.executors import KEEP_MEMORY

ROOT = Path(__file__).resolve().parents[2]
HERE = Path(__file__).resolve().parent


def keep_memory() -> None:
    """Begin this script anew with the allocator that the workers of a run have."""
    if os.environ.setdefault("GLIBC_TUNABLES", KEEP_MEMORY) != KEEP_MEMORY:
        raise SystemExit("GLIBC_TUNABLES is set; unset it, so that all are measured alike")
    if os.environ.setdefault("GANBENCH_PERF", "begun") != "begun anew":
        os.environ["GANBENCH_PERF"] = "begun anew"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def mnist() -> Path:
    """The folder that torchvision's MNIST is looked for in, filled where it is not yet."""
    from ganbench import registry

    registry.load().build("dataset", "mnist", {}).load("train", folders.data())
    return folders.data()


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

    git = ["git", "-C", str(ROOT)]
    commit = subprocess.run([*git, "rev-parse", "HEAD"], capture_output=True, text=True)
    dirty = subprocess.run([*git, "status", "--porcelain"], capture_output=True, text=True)
    return {
        "cpu": machine.cpu_name(),
        "cores": machine.cores(),
        "ganbench": ganbench.__version__,
        "commit": commit.stdout.strip() + ("-dirty" if dirty.stdout.strip() else ""),
        "torch": torch.__version__,
        "time": provenance.now(),
    }
