"""What is known of NVIDIA's GPUs, of their memory, and whether they compute."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import backends

from ganbench.util import float32, machine

DRIVER = Path("/proc/driver/nvidia/version")
BUSY = 0.1  # of a GPU's memory, taken by other programs
BEGINNING = 2**30  # bytes; what CUDA takes for this program itself is less


def described(device: str) -> dict[str, Any] | None:
    """Return what a record carries of a GPU, as `Gpu` has it; None for any other device."""
    if not device.startswith("cuda"):
        return None
    about = torch.cuda.get_device_properties(device)
    return {
        "uuid": str(getattr(about, "uuid", "")),
        "name": about.name,
        "capability": f"{about.major}.{about.minor}",
        "memory_bytes": about.total_memory,
        "driver": driver(),
        "cuda": torch.version.cuda or "",
        "cudnn": (backends.cudnn.version() or 0) if backends.cudnn.is_available() else 0,
        "flags": {
            "float32": list(float32.read().names),
            "deterministic": torch.are_deterministic_algorithms_enabled(),
            "cudnn_benchmark": backends.cudnn.benchmark,
        },
    }


def driver() -> str:
    """Return the version of NVIDIA's driver, where the system tells it."""
    try:
        found = re.search(r"^NVRM.*?(\d+\.\d+(?:\.\d+)?)", DRIVER.read_text("utf-8"), re.MULTILINE)
    except OSError:
        return ""
    return found[1] if found else ""


def forget_peaks(device: str) -> None:
    """Let the most memory in use count from here on."""
    if device.startswith("cuda"):
        torch.cuda.reset_peak_memory_stats(device)


def peaks(device: str) -> dict[str, int | None]:
    """Return the most memory in use, as `Timings` has it."""
    host = machine.peak_memory()
    if not device.startswith("cuda"):
        return {"peak_memory_bytes": host}
    return {
        "peak_memory_bytes": torch.cuda.max_memory_allocated(device),
        "peak_reserved_bytes": torch.cuda.max_memory_reserved(device),
        "peak_host_bytes": host,
    }


def fault(device: str) -> str | None:
    """Return what goes wrong where a device is to compute something small, or None."""
    try:
        found = torch.arange(4.0, device=device).square().sum().item()
    except Exception as error:
        return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"
    return None if found == 14.0 else f"0² + 1² + 2² + 3² is {found:g} there"


def remarks() -> Iterator[str]:
    """Yield what of the GPUs here is not used, or used by others, and what to do."""
    there = [device for device in machine.devices() if device.startswith("cuda")]
    if not there and torch.version.cuda is None and _has_nvidia():
        yield (
            "an NVIDIA GPU is here, and this torch was built without CUDA: install torch from "
            "https://download.pytorch.org/whl, as docs/install.md says"
        )
    for device in filter(is_busy, there):
        yield f"{device} is used by other programs{_how_much(device)}: timings will suffer"
    if len(there) > 1:
        yield (
            f"{len(there)} GPUs are here, and a run that measures speed uses one unless it is told "
            "--jobs auto, which takes all that are free"
        )


def is_busy(device: str) -> bool:
    """Whether other programs use a GPU: they have much of its memory, or it is theirs alone."""
    try:
        taken, total = _taken(device)
    except RuntimeError:  # one program at a time may compute on it, and another does
        return True
    return taken > max(BUSY * total, BEGINNING)


def _how_much(device: str) -> str:
    try:
        taken, total = _taken(device)
    except RuntimeError:
        return ""
    return f" ({taken / 2**30:.1f} of {total / 2**30:.1f} GiB)"


def _taken(device: str) -> tuple[int, int]:
    """Return what of a GPU's memory this process has not reserved, and is not free; and all."""
    free, total = torch.cuda.mem_get_info(device)
    return total - free - torch.cuda.memory_reserved(device), total


def _has_nvidia() -> bool:
    return DRIVER.exists() or shutil.which("nvidia-smi") is not None
