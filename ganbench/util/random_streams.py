"""Independent random streams, each derived from (seed, name)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor


def stream_seed(seed: int, name: str) -> int:
    """Return the seed of one stream; streams of other names or seeds are unrelated."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(seed: int, name: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new generator on a device, seeded for one stream."""
    return torch.Generator(device).manual_seed(stream_seed(seed, name))


def seed_all(seed: int, name: str) -> None:
    """Seed torch's, NumPy's and Python's own generators, each for one stream."""
    torch.manual_seed(stream_seed(seed, name))
    seed_others(seed, name)


def seed_others(seed: int, name: str) -> None:
    """Seed NumPy's and Python's own generators, for plugins that draw of these."""
    random.seed(stream_seed(seed, f"{name}, of Python"))
    np.random.seed(stream_seed(seed, f"{name}, of NumPy") % 2**32)


def others_state() -> dict[str, Any]:
    """Return where NumPy's and Python's own generators are, as plain values."""
    numpys: Any = np.random.get_state()
    name, keys, *rest = numpys
    return {
        "python": random.getstate(),
        "numpy": [name, torch.from_numpy(keys.astype(np.int64)), *rest],
    }


def restore_others(state: dict[str, Any]) -> None:
    """Go back to where `others_state` was taken."""
    version, internal, gauss = state["python"]
    random.setstate((version, tuple(internal), gauss))
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, keys.numpy().astype(np.uint32), *rest))


def accelerators(device: torch.device) -> list[torch.device]:
    """Return the devices whose generators count beside the CPU's, of work on `device`."""
    return [] if device.type == "cpu" else [device]


def device_state(device: torch.device) -> Tensor:
    """Return where the own generator of an accelerator is."""
    if device.type == "mps":
        return torch.mps.get_rng_state()
    found: Tensor = torch.get_device_module(device).get_rng_state(device)
    return found


def restore_device(device: torch.device, state: Tensor) -> None:
    """Go back to where `device_state` was taken."""
    if device.type == "mps":
        torch.mps.set_rng_state(state)
    else:
        torch.get_device_module(device).set_rng_state(state, device)


@contextmanager
def undisturbed(devices: Sequence[torch.device] = ()) -> Iterator[None]:
    """Let what the body draws of torch's, NumPy's and Python's own generators change nothing after.

    `devices` are the accelerators whose generators count.
    """
    pythons, numpys = random.getstate(), np.random.get_state()
    states = [device_state(device) for device in devices]
    try:
        with torch.random.fork_rng([]):
            yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)
        for device, state in zip(devices, states, strict=True):
            restore_device(device, state)
