"""Rows that a device computes, brought to the CPU in few large copies, as each waits for it."""

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


def _joined(parts: Sequence[Rows]) -> Rows:
    kinds = zip(*parts, strict=True)
    return [None if kind[0] is None else torch.cat(kind).cpu() for kind in kinds]
