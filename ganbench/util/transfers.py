"""Copies between the host and a device: few large ones where they wait, else none that waits."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import torch
from torch import Tensor

AT_ONCE = 64 * 2**20  # bytes of a copy

Rows = Sequence[Tensor | None]
"""Tensors (N, …) of the same N rows; None: a kind of which there is nothing."""


def on_cpu(parts: Iterable[Rows], at_once: int = AT_ONCE) -> Iterator[Rows]:
    """Yield the rows of all parts, in their order: those of a device in large pieces.

    What is on the CPU comes as it is.
    """
    waiting: list[Rows] = []
    size = 0
    for part in parts:
        found = [tensor for tensor in part if tensor is not None]
        if all(tensor.device.type == "cpu" for tensor in found):
            yield part
            continue
        waiting.append(part)
        size += sum(tensor.nbytes for tensor in found)
        if size >= at_once:
            yield _joined(waiting)
            waiting, size = [], 0
    if waiting:
        yield _joined(waiting)


def to_be_fetched(shape: Sequence[int], dtype: torch.dtype, device: torch.device) -> Tensor:
    """Return room on the host for values that a device fetches while the host goes on."""
    return torch.empty(tuple(shape), dtype=dtype, pin_memory=device.type == "cuda")


def _joined(parts: Sequence[Rows]) -> Rows:
    kinds = zip(*parts, strict=True)
    return [None if kind[0] is None else torch.cat(kind).cpu() for kind in kinds]
