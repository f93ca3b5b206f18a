"""A stand-in for a CUDA graph: the operations of a function, done again with the same tensors.

As with the real one, nothing of Python runs when it is replayed, and whoever waits for a value
while it is captured is refused. Unlike there, what is captured is computed right away, so that the
first replay has nothing left to do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import nullcontext
from typing import Any

import torch
from torch import Tensor
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from ganbench.training.graphs import Kind

REFUSED = "operation not permitted when stream is capturing"
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2"}


class RecordedGraph:
    """One graph; `made` has all of them."""

    made: list[RecordedGraph] = []

    def __init__(self, generators: Sequence[torch.Generator]) -> None:
        self.generators = list(generators)
        self.replays = 0
        self._done: list[tuple[Any, Any, Any, Any]] = []
        self.made.append(self)

    def capture(self, compute: Callable[[], None]) -> None:
        with _Recorder(self._done):
            compute()

    def replay(self) -> None:
        self.replays += 1
        if self.replays == 1:
            return
        with torch.no_grad():
            for operation, args, kwargs, made in self._done:
                _overwrite(made, operation(*args, **kwargs), (args, kwargs))


KIND = Kind(RecordedGraph, lambda device: nullcontext())


class _Recorder(TorchDispatchMode):
    def __init__(self, done: list[tuple[Any, Any, Any, Any]]) -> None:
        super().__init__()
        self._done = done

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if op.overloadpacket.__name__ in WAITING:
            raise RuntimeError(f"{REFUSED}: {op}")
        made = op(*args, **(kwargs or {}))
        self._done.append((op, args, kwargs or {}, made))
        return made


def _overwrite(made: Any, found: Any, given: Any) -> None:
    """Put what was found now into the tensors of then, but for those that lie in given ones."""
    places = {_place(x) for x in _tensors(given)}
    for then, now in zip(_tensors(made), _tensors(found), strict=True):
        if _place(then) not in places:
            then.copy_(now)


def _tensors(tree: Any) -> list[Tensor]:
    return [x for x in pytree.tree_leaves(tree) if isinstance(x, Tensor)]


def _place(tensor: Tensor) -> int:
    held: Tensor = getattr(tensor, "held", tensor)  # of a disguised GPU
    return held.untyped_storage()._cdata
