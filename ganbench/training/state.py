"""What a checkpoint keeps of a training."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

import torch
from torch import Tensor

from ganbench.models.trained import Progress
from ganbench.records.windows import Window

PlainState = dict[str, Any]
"""Tensors, numbers and words in dicts and lists: what `torch.load` takes with weights_only."""

FORMER_KEYS = {
    "fake labels": "fake_labels",
    "device random": "device_random",
    "probes": "snapshots_at",
}  # of checkpoints that ganbench wrote before these were fields


def on_device(kept: Any, device: torch.device) -> Any:
    """Return plain values with every tensor in them on a device."""
    if isinstance(kept, Tensor):
        return kept.to(device)
    if isinstance(kept, dict):
        return {key: on_device(value, device) for key, value in kept.items()}
    if isinstance(kept, list | tuple):
        return type(kept)(on_device(value, device) for value in kept)
    return kept


@dataclass(frozen=True)
class TrainerState:
    """All that decides how a training goes on, between two windows."""

    networks: Sequence[PlainState]
    """G, D and the average of G, where there is one; then, where plugins own networks, all that G
    and that D train of them, and the average of the former."""
    optimizers: Sequence[PlainState]  # of G and of D
    plugins: Sequence[PlainState]  # what losses and transforms keep from one step to the next
    batches: PlainState
    latents: Tensor  # states of random streams, as all up to `device_random`
    fake_labels: Tensor
    random: Tensor
    device_random: Sequence[Tensor]
    progress: Progress
    windows: Sequence[Window]
    seconds: float
    snapshots_at: Sequence[int]

    def plain(self) -> PlainState:
        """Return the state as plain values, which `from_plain` takes."""
        return {
            **vars(self),
            "progress": asdict(self.progress),
            "windows": [asdict(window) for window in self.windows],
        }

    @classmethod
    def from_plain(cls, found: PlainState) -> TrainerState:
        """Return the state that `plain` gave, also that of a ganbench of before.

        Raises KeyError where something is missing.
        """
        by_name = {FORMER_KEYS.get(key, key): value for key, value in found.items()}
        values = {field.name: by_name[field.name] for field in fields(cls)}
        progress = Progress(**values.pop("progress"))
        windows = [Window(**window) for window in values.pop("windows")]
        return cls(**values, progress=progress, windows=windows)
