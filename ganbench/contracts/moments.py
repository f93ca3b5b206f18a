"""The mean and the covariance of a stream of features."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Moments:
    """The mean and the covariance of N feature vectors of F dimensions, in float64."""

    num_samples: int
    mean: Tensor  #: (F,)
    covariance: Tensor  #: (F, F), divided by N - 1

    @classmethod
    def of(cls, batches: Iterable[Tensor]) -> Moments:
        """Return those of all rows (N, F) of all batches. Raises ValueError for fewer than two."""
        sums = MomentSums()
        for batch in batches:
            sums.add(batch)
        return sums.moments()

    @cached_property
    def root(self) -> Tensor:
        """R (F, r) with R Rᵀ the covariance; what is only rounding beside the largest is dropped.

        The cut-off is relative, as numpy's matrix_rank has it: with fewer samples than dimensions
        the eigenvalues that should be zero would else add up.
        """
        values, vectors = torch.linalg.eigh(self.covariance)
        eps = torch.finfo(torch.float64).eps
        kept = values > eps * len(values) * values.max().clamp_min(0)
        return vectors[:, kept] * values[kept].sqrt()


class MomentSums:
    """Sums about the first batch's mean, so that neither order nor cancellation matters.

    Several of them, each over a shard of the data, merge into what one would have found.
    """

    def __init__(self) -> None:
        self.count = 0
        self._shift = self._sum = self._products = torch.empty(0, dtype=torch.float64)

    def add(self, batch: Tensor) -> None:
        """Add the rows of a batch (N, F) of any floating type."""
        if not len(batch):
            return
        x = batch.double()
        if not self.count:
            self._start(x.mean(0))
        x = x - self._shift
        self.count += len(x)
        self._sum += x.sum(0)
        self._products += x.T @ x

    def merge(self, other: MomentSums) -> None:
        """Add what another has seen, as if all its rows had been added here (Chan et al., 1979)."""
        if not other.count:
            return
        if not self.count:
            self._start(other._shift)
        gap = other._shift - self._shift
        cross = torch.outer(other._sum, gap)
        self._products += other._products + cross + cross.T + other.count * torch.outer(gap, gap)
        self._sum += other._sum + other.count * gap
        self.count += other.count

    def moments(self) -> Moments:
        """Return the moments of all rows so far. Raises ValueError with fewer than two."""
        if self.count < 2:
            raise ValueError(f"a covariance needs at least two samples, and there are {self.count}")
        mean = self._sum / self.count
        centred = self._products - self.count * torch.outer(mean, mean)
        return Moments(self.count, self._shift + mean, centred / (self.count - 1))

    def _start(self, shift: Tensor) -> None:
        self._shift = shift
        self._sum = torch.zeros_like(shift)
        self._products = shift.new_zeros(len(shift), len(shift))
