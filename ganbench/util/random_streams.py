"""Independent random streams, each derived from (seed, name)."""

from __future__ import annotations

import hashlib

import torch


def stream_seed(seed: int, name: str) -> int:
    """Return the seed of one stream; streams of other names or seeds are unrelated."""
    digest = hashlib.sha256(f"{seed}/{name}".encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def stream(seed: int, name: str, device: torch.device | str = "cpu") -> torch.Generator:
    """Return a new generator on a device, seeded for one stream."""
    return torch.Generator(device).manual_seed(stream_seed(seed, name))
