"""Independent random streams, each derived from (seed, name)."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import numpy as np
import torch


def stream_seed(seed: int, name: str) -> int:
    """Return the seed of one stream; streams of other names or seeds are unrelated."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(seed: int, name: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new generator on a device, seeded for one stream."""
    return torch.Generator(device).manual_seed(stream_seed(seed, name))


@contextmanager
def undisturbed(devices: Sequence[torch.device] = ()) -> Iterator[None]:
    """Let what the body draws of torch's, NumPy's and Python's own generators change nothing after.

    `devices` are the CUDA devices whose generators count.
    """
    pythons, numpys = random.getstate(), np.random.get_state()
    try:
        with torch.random.fork_rng(devices):
            yield
    finally:
        random.setstate(pythons)
        np.random.set_state(numpys)
