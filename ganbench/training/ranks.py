"""The processes that train one trial together, each with its share of every batch.

All hold the same weights and take the same steps: what a step's last backward left is averaged over
them, and rank 0 alone looks, judges and writes. A plugin knows nothing of it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed

from ganbench.errors import ContractError, ProcessLost, RunError
from ganbench.records.training_settings import TrainingSettings

K = TypeVar("K")


@dataclass(frozen=True)
class Ranks:
    """This process among those that train a trial; alone, every method leaves things as they are.

    What talks to the others has to be called by all of them, in the same order.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def of(cls, settings: TrainingSettings) -> Ranks:
        """Return this process among as many as the settings ask for.

        Raises RunError where it is not one of so many.
        """
        if settings.processes == 1:
            return ALONE
        begun = distributed.is_available() and distributed.is_initialized()
        found = distributed.get_world_size() if begun else 1
        if found != settings.processes:
            raise RunError(
                f"the training is of {settings.processes} processes, and this is one of {found}; "
                "`ganbench.worker` starts them all"
            )
        return cls(distributed.get_rank(), found)

    @property
    def is_first(self) -> bool:
        """Whether it is this one that looks, judges and writes."""
        return self.rank == 0

    def stream(self, name: str) -> str:
        """Return the name of this process's own random stream."""
        return name if self.is_first else f"{name}, of process {self.rank}"

    def share(self, batch: Tensor) -> Tensor:
        """Return this process's rows of a batch (N, ...), which go to all in equal parts."""
        if self.count == 1:
            return batch
        size = len(batch) // self.count
        return batch[self.rank * size : (self.rank + 1) * size]

    @torch.no_grad()
    def average_gradients(self, parameters: Sequence[Tensor]) -> None:
        """Give each of the parameters the mean of its gradients in all processes.

        One that has none in some counts as 0 there; one that has none in any is left without.
        """
        if self.count > 1:
            for dtype in dict.fromkeys(p.dtype for p in parameters):
                self._average([p for p in parameters if p.dtype == dtype])

    def mean(self, values: Mapping[K, Tensor]) -> dict[K, Tensor]:
        """Return the means over all processes of scalars that each has under the same keys."""
        if self.count == 1 or not values:
            return dict(values)
        stacked = torch.stack([value.detach().double() for value in values.values()])
        return dict(zip(values, summed(stacked).div_(self.count).unbind(), strict=True))

    def decided(self, own: bool) -> bool:
        """Return what the first process says, so that all do the same."""
        if self.count == 1:
            return own
        with _others():
            found = [own]
            distributed.broadcast_object_list(found, src=0)
        return found[0]

    def gathered(self, value: Any) -> list[Any]:
        """Return the plain values of all processes, in their order."""
        if self.count == 1:
            return [value]
        found: list[Any] = [None] * self.count
        with _others():
            distributed.all_gather_object(found, value)
        return found

    def check_alike(self, parameters: Sequence[Tensor]) -> None:
        """Raise ContractError where the processes' weights are no longer the same."""
        if self.count == 1:
            return
        sums = torch.stack([p.detach().double().sum() for p in parameters]).nan_to_num()
        most = torch.cat([sums, -sums])
        with _others():
            distributed.all_reduce(most, distributed.ReduceOp.MAX)
        if not torch.equal(most, torch.cat([sums, -sums])):
            raise ContractError(
                f"the {self.count} processes' weights are no longer the same: a plugin changes "
                "them by what it draws or keeps of its own share of each batch; let it declare "
                "`whole_batch`, or leave execution.processes out"
            )

    def _average(self, parameters: Sequence[Tensor]) -> None:
        lacking = [i for i, p in enumerate(parameters) if p.grad is None]
        gradients = [torch.zeros_like(p) if p.grad is None else p.grad for p in parameters]
        there = gradients[0].new_ones(len(gradients))
        if lacking:
            there[lacking] = 0
        flat = summed(torch.cat([*(g.reshape(-1) for g in gradients), there])).div_(self.count)
        *means, there = flat.split([*(g.numel() for g in gradients), len(gradients)])
        torch._foreach_copy_(
            gradients, [m.view(g.shape) for m, g in zip(means, gradients, strict=True)]
        )
        for i in lacking:  # what is rare, and waits for the device
            if there[i] > 0:
                parameters[i].grad = gradients[i]


ALONE = Ranks()
LOST = "another process of this training has ended"


def summed(tensor: Tensor) -> Tensor:
    """Return a tensor after it has become the sum over all processes, in place."""
    with _others():
        distributed.all_reduce(tensor)
    return tensor


@contextmanager
def _others() -> Iterator[None]:
    """Say that another process is gone where torch says what went wrong with its connection."""
    try:
        yield
    except RuntimeError as error:
        first, *_ = str(error).splitlines() or [""]
        raise ProcessLost(f"{LOST}: {first}") from error
