"""What this machine has: cores, devices, memory; torch is imported only where it is asked."""

from __future__ import annotations

import os
import platform
import re
import shutil
import sys
from collections.abc import Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Literal

from ganbench.errors import ConfigError

if TYPE_CHECKING:
    import torch

DEVICE = re.compile(r"auto|cpu|mps|cuda(:\d+)?")


def cores() -> int:
    """Return how many cores this process may use: its affinity, capped by the container's quota."""
    affinity = getattr(os, "sched_getaffinity", None)
    count = len(affinity(0)) if affinity else os.cpu_count() or 1
    quota = _text("/sys/fs/cgroup/cpu.max").split()
    if len(quota) == 2 and quota[0] != "max":
        count = min(count, max(1, int(quota[0]) // int(quota[1])))
    return count


@cache
def cpu_name() -> str:
    """Return the name of the processor, as the system tells it."""
    found = re.search(r"^model name\s*:\s*(.+)$", _text("/proc/cpuinfo"), re.MULTILINE)
    return found[1] if found else platform.processor() or platform.machine()


def memory_bytes() -> int | None:
    """Return how much memory this process may use, or None where that is not known.

    It is the machine's, capped by the process's control groups.
    """
    caps = [int(text) for text in map(_text, _memory_caps()) if text.strip().isdecimal()]
    if sys.platform != "win32":
        with suppress(AttributeError, OSError, ValueError):
            caps.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(caps, default=None)


def free_memory_bytes() -> int | None:
    """Return how many bytes this process can still ask for, or None where that is not known.

    They are the machine's, and no more than its control groups leave; what the system keeps of
    files it gives up, and so they count as free.
    """
    free = [*_left_by_groups()]
    told = re.search(r"^MemAvailable:\s*(\d+)", _now("/proc/meminfo"), re.MULTILINE)
    if told:
        free.append(1024 * int(told[1]))
    return min(free, default=memory_bytes())


def _left_by_groups() -> Iterator[int]:
    for cap in map(Path, _memory_caps()):
        usage = "memory.current" if cap.name == "memory.max" else "memory.usage_in_bytes"
        limit, used = (text.strip() for text in (_now(cap), _now(cap.with_name(usage))))
        if limit.isdecimal() and used.isdecimal():
            stat = _now(cap.with_name("memory.stat"))
            kept = re.findall(r"^(?:total_)?inactive_file (\d+)", stat, re.MULTILINE)
            yield max(0, int(limit) - int(used) + max(map(int, kept), default=0))


def _memory_caps() -> Iterator[str]:
    """Yield the files of this process's control groups and all above them, of both versions.

    A container sees its own as the root.
    """
    version1, version2 = (
        "/sys/fs/cgroup/memory{}/memory.limit_in_bytes",
        "/sys/fs/cgroup{}/memory.max",
    )
    yield from (version1.format(""), version2.format(""))
    for line in _text("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        if "memory" in controllers.split(","):
            file = version1
        elif not controllers:
            file = version2
        else:
            continue
        groups = (PurePosixPath(path), *PurePosixPath(path).parents)
        yield from (file.format(group) for group in groups if group.name)


def free_disk_bytes(path: Path) -> int:
    """Return what is free of the file system that holds `path` or its nearest parent."""
    while not path.exists() and path != path.parent:
        path = path.parent
    return shutil.disk_usage(path).free


def devices() -> list[str]:
    """Return every device that can be asked for here: `cpu`, `cuda:0`, …, `mps`."""
    import torch

    found = ["cpu", *(f"cuda:{i}" for i in range(torch.cuda.device_count()))]
    return [*found, "mps"] if torch.backends.mps.is_available() else found


def resolve_device(asked: str) -> str:
    """Return the device behind a name; `auto` is a GPU where there is one. Raises ConfigError."""
    if not DEVICE.fullmatch(asked):
        raise ConfigError(f"--device {asked}: expected auto, cpu, cuda, cuda:N or mps")
    here = devices()
    if asked == "auto":
        return next((d for d in ("cuda:0", "mps") if d in here), "cpu")
    device = "cuda:0" if asked == "cuda" else asked
    if device not in here:
        raise ConfigError(f"--device {asked}: not on this machine, which has {', '.join(here)}")
    return device


def free_device_bytes(device: torch.device) -> int | None:
    """Return how many bytes of its own memory a device can still give, or None where none is known.

    Those that torch keeps for tensors to come are free.
    """
    import torch

    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)


def device_name(device: str) -> str:
    """Return the model of a device, such as a GPU's name."""
    if device.startswith("cuda"):
        import torch

        return torch.cuda.get_device_name(device)
    return cpu_name()


def has_fast_bfloat16(device: str) -> bool:
    """Return whether bfloat16 convolutions outrun float32 ones.

    On CPUs, that takes matrix units (AMX). With AVX-512's bfloat16 products alone a step takes 1.4
    times as long as in float32, and with AVX2 alone 18 times (measured by bare_loop.py under
    ONEDNN_MAX_CPU_ISA).
    """
    if device.startswith("cuda"):
        import torch

        with torch.cuda.device(device):
            return torch.cuda.is_bf16_supported(including_emulation=False)
    return device == "cpu" and "amx_bf16" in _text("/proc/cpuinfo")


def has_tf32(device: str) -> bool:
    """Return whether a device rounds float32 to TF32 where it is let: NVIDIA's since Ampere."""
    if not device.startswith("cuda"):
        return False
    import torch

    return torch.version.cuda is not None and torch.cuda.get_device_capability(device) >= (8, 0)


def resolve_precision(
    asked: Literal["auto", "float32", "tf32", "bfloat16"], device: str
) -> Literal["float32", "tf32", "bfloat16"]:
    """Return the precision behind a name; `auto` is bfloat16 where that is fast.

    Raises ConfigError for TF32 on a device without it.
    """
    if asked == "tf32" and not has_tf32(device):
        raise ConfigError(
            f"training.precision: tf32 is of NVIDIA's GPUs of capability 8.0 and more, and this is "
            f"planned for {device}; use float32, or auto"
        )
    if asked == "auto":
        return "bfloat16" if has_fast_bfloat16(device) else "float32"
    return asked


def auto_precision(device: str) -> str:
    """Return what `precision: auto` is on a device, and why."""
    fast = has_fast_bfloat16(device)
    if device.startswith("cuda"):
        why = f"this GPU has {'' if fast else 'no '}arithmetic units for bfloat16"
    elif device == "cpu":
        why = f"this CPU has {'' if fast else 'no '}matrix units for bfloat16 (AMX)"
    else:
        why = f"bfloat16 is not tried on {device}"
    return f"{resolve_precision('auto', device)}, as {why}"


def describe(device: str = "cpu") -> dict[str, Any]:
    """Return what is known of the hardware, as every record carries it."""
    return {
        "platform": platform.platform(),
        "cpu": cpu_name(),
        "cores": cores(),
        "memory_bytes": memory_bytes(),
        "device": device,
        "device_name": device_name(device),
        "auto_precision": auto_precision(device),
    }


@cache
def _text(path: str) -> str:
    return _now(path)


def _now(path: str | Path) -> str:
    """Return what a file of the system says now; nothing where there is none."""
    try:
        return Path(path).read_text("utf-8", "replace")
    except OSError:
        return ""


def peak_memory() -> int | None:
    """Return the most bytes that this process had in use so far, or None where that is unknown."""
    if sys.platform == "win32":
        return None
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
