"""Tensors that all metrics of a trial see, known again by a checksum.

What one metric changes in place would be in the numbers of those after it.
"""

from __future__ import annotations

import zlib
from typing import NamedTuple

import torch
from torch import Tensor

LOOKED_AT = 2**24  # bytes of a tensor: of larger ones, rows evenly spread
_AT_ONCE = 2**20  # bytes


class Spoiled(Exception):
    """What was changed in place cannot be brought back."""


class _Seen(NamedTuple):
    """A tensor as it was."""

    tensor: Tensor
    shape: tuple[int, ...]
    writes: int | None  # by PyTorch, which counts them; None where it does not
    checksum: int


class Shared:
    """Notes tensors as they are, and tells which are others by now."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def note(self, what: str, tensor: Tensor | None) -> None:
        """Note how a tensor is; `what` names it for people."""
        if tensor is not None:
            self._seen[what] = _Seen(
                tensor, tuple(tensor.shape), _writes(tensor), _checksum(tensor)
            )

    def changed(self) -> list[str]:
        """Return what is not as it was noted."""
        return [
            what
            for what, seen in self._seen.items()
            if not _looks_the_same(seen)
            # A write that changed nothing is none; of a large tensor nobody knows.
            or (seen.tensor.nbytes > LOOKED_AT and _writes(seen.tensor) != seen.writes)
        ]

    def is_restored(self) -> bool:
        """Whether all are again as they were noted; writes count from here on."""
        self._seen = {
            w: seen._replace(writes=_writes(seen.tensor)) for w, seen in self._seen.items()
        }
        return not self.changed()

    def forget(self) -> None:
        """Begin anew, with nothing noted."""
        self._seen.clear()


def _looks_the_same(seen: _Seen) -> bool:
    return tuple(seen.tensor.shape) == seen.shape and _checksum(seen.tensor) == seen.checksum


def _writes(tensor: Tensor) -> int | None:
    return None if tensor.is_inference() else tensor._version


def _checksum(tensor: Tensor) -> int:
    found = 0
    if tensor.numel():
        rows = tensor.detach()[:: -(-tensor.nbytes // LOOKED_AT)]
        for part in rows.split(max(1, _AT_ONCE * len(tensor) // tensor.nbytes)):
            found = zlib.crc32(part.contiguous().cpu().view(torch.uint8).numpy().data, found)
    return found
