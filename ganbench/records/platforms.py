"""What trials ran on, as far as numbers depend on it, and what tables call that."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from ganbench.records.run_info import Machine, Part, Provenance, RunInfo

PLATFORM = "platform"
"""The axis that tells rows of a merged run apart by what they ran on."""
DEVICE = "device"
SEVERAL = " + "


def facts(machine: Machine, threads: int, provenance: Provenance) -> dict[str, str]:
    """Return what decides the last digits of numbers and every timing.

    Clock speed and host name do not.
    """
    gpu = machine.gpu
    return {
        **({"driver": gpu.driver, "cudnn": str(gpu.cudnn)} if gpu else {}),
        DEVICE: machine.device_name,
        "threads": str(threads),
        "torch": str(provenance.packages.get("torch")),
        "python": provenance.python,
    }


def of_run(info: RunInfo) -> dict[str, str]:
    """Return the same of a run; of a merged one, each fact of all its parts."""
    if not info.parts:
        return facts(info.machine, info.execution.threads, info.provenance)
    return joined([facts(part.machine, part.threads, part.provenance) for part in info.parts])


def joined(found: Sequence[dict[str, str]]) -> dict[str, str]:
    """Return several platforms as one: where they differ, all values of a fact."""
    names = dict.fromkeys(name for one in found for name in one)
    return {
        name: SEVERAL.join(dict.fromkeys(one[name] for one in found if name in one))
        for name in names
    }


def named(parts: Sequence[Part]) -> tuple[Part, ...]:
    """Return the parts with what tables call their platforms: the device, and what else differs."""
    known = [facts(part.machine, part.threads, part.provenance) for part in parts]
    differing = [
        name
        for name in dict.fromkeys(name for one in known for name in one)
        if name != DEVICE and len({one.get(name) for one in known}) > 1
    ]
    return tuple(
        replace(part, platform=_text(one, differing, part))
        for part, one in zip(parts, known, strict=True)
    )


def text(info: RunInfo) -> str:
    """Return what tables call the platform of a run that is not merged: its device."""
    return info.machine.device_name or info.machine.device


def _text(found: dict[str, str], differing: Sequence[str], part: Part) -> str:
    device = found[DEVICE] or part.machine.device or "unknown"
    return ", ".join([device, *(f"{name} {found[name]}" for name in differing if name in found)])
