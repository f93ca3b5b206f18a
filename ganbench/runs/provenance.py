"""What a run must remember to be defended: versions, commit, hardware, arguments."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import ganbench
from ganbench.records.results import Gpu
from ganbench.records.run_info import GitState, Machine, Provenance
from ganbench.registry.registry import Registry
from ganbench.util import gpus, machine

PACKAGES = ("torch", "torchvision", "torchmetrics", "numpy", "pandas", "pydantic", "safetensors")


def now() -> str:
    """Return the time in UTC, to the second, as ISO 8601 has it."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def describe(registry: Registry, config: Path) -> Provenance:
    """Return the versions, commits and arguments of a run that begins now."""
    return Provenance(
        ganbench=ganbench.__version__,
        python=platform.python_version(),
        packages={name: version(name) for name in PACKAGES},
        plugins=tuple(sorted({entry.source.identity for entry in registry.entries()})),
        failed_plugins={str(f.source): f.reason for f in registry.failures},
        argv=tuple(sys.argv),
        git={
            "ganbench": git_state(Path(ganbench.__file__).parent),
            "benchmark": git_state(config.resolve().parent),
        },
        weights=fingerprints(registry),
    )


def fingerprints(registry: Registry) -> dict[str, str]:
    """Return those of the feature extractors without required options, for they judge samples."""
    return {
        entry.name: _fingerprint(registry, entry.name)
        for entry in registry.entries("feature extractor")
        if not any(f.is_required() for f in _fields(registry, entry.name))
    }


def _fingerprint(registry: Registry, name: str) -> str:
    """Or why there is none: no cell may use it, and then its trouble is nobody's."""
    try:
        return registry.build("feature extractor", name, {}).fingerprint()
    except Exception as error:
        return f"none: {type(error).__name__}: {error}"


def version(distribution: str) -> str | None:
    """Return the version of an installed package, or None."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def git_state(folder: Path) -> GitState | None:
    """Return what a folder's repository is at; None where the folder is in none."""
    commit = _git(folder, ["rev-parse", "HEAD"])
    if not commit or not _git(folder, ["ls-files", "."]):
        return None  # none, or of somebody else's repository, in which this is installed
    return GitState(commit, bool(_git(folder, ["status", "--porcelain", "-uno"])))


def hardware(device: str) -> Machine:
    """Return this machine as it is now, seen from a device."""
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
    gpu = gpus.described(device)
    return Machine(**machine.describe(device), gpu=Gpu(**gpu) if gpu else None, load_average=load)


def _fields(registry: Registry, name: str) -> list[Any]:
    return list(registry.options_model("feature extractor", name).model_fields.values())


def _git(folder: Path, arguments: Sequence[str]) -> str | None:
    try:
        found = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() if found.returncode == 0 else None
