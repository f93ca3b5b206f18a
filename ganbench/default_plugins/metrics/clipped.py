"""Density and coverage that outliers do not carry, on a scale of shares of good samples."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganbench import Claim, Column, Evaluation, Metric, hookimpl
from ganbench.default_plugins.metrics.manifold import Balls, blocks
from ganbench.default_plugins.metrics.neighbours import content


def clipped_shares(points: Tensor, centers: Tensor, radii: Tensor, k: int) -> Tensor:
    """Return of each point (N, F) in how many balls it lies, of at most k, as a share: (N,).

    `radii` (M,) are the squared ones of balls around `centers`; a ball holds its border.
    """
    counts = [(distances <= radii).sum(1) for _, distances in blocks(points, centers)]
    return torch.cat(counts).clamp(max=k).double() / k


def ideal_density(real: Tensor, radii: Tensor, k: int) -> float:
    """Return the mean share of real points themselves, each left out of its own ball."""
    counts = [(distances <= radii).sum(1) - 1 for _, distances in blocks(real, real)]
    return (torch.cat(counts).clamp(max=k).double() / k).mean().item()


def clipped_coverage(real: Tensor, fake: Tensor, radii: Tensor, k: int) -> float:
    """Return how many samples each open ball of a real point holds, of at most k: a mean share."""
    counts = real.new_zeros(len(real), dtype=torch.int64)
    for _, distances in blocks(fake, real):
        counts += (distances < radii).sum(0)
    return (counts.clamp(max=k).double() / k).mean().item()


def expected_coverage(samples: int, real: int, k: int) -> Tensor:
    """Return what `clipped_coverage` is where 0, 1, … `samples` of the samples are real ones.

    (samples + 1,), of which those of fewer than k good samples are taken for 0. A ball that is as
    wide as the k-th of the other real points has a share of the distribution that is Beta(k, N - k)
    distributed, so that the good samples in it are beta-binomially many.
    """
    good = torch.arange(samples + 1, dtype=torch.float64)
    missing = torch.zeros_like(good)
    for inside in range(k):
        j = torch.tensor(float(inside), dtype=torch.float64)
        chance = _log_binomial(good, j) + _log_beta(k + j, real - k + good - j)
        chance = (chance - _log_beta(torch.tensor(float(k)), torch.tensor(float(real - k)))).exp()
        missing += (k - inside) * torch.where(good >= inside, chance, 0)
    return torch.where(good < k, 0, 1 - missing / k)


def share_of_good(coverage: float, expected: Tensor) -> float:
    """Return which share of the samples would have to be real ones for such a coverage."""
    return int((expected < coverage).sum()) / len(expected)


def _log_binomial(n: Tensor, k: Tensor) -> Tensor:
    return torch.lgamma(n + 1) - torch.lgamma(k + 1) - torch.lgamma((n - k).clamp(min=0) + 1)


def _log_beta(a: Tensor, b: Tensor) -> Tensor:
    a, b = a.double(), b.double()
    return torch.lgamma(a) + torch.lgamma(b) - torch.lgamma(a + b)


@dataclass(kw_only=True)
class ClippedDensityCoverage(Balls):
    """Shares of samples that are as good, and of reals as well covered, as by real ones.

    Balls are no wider than their median, a sample counts once at most, and both numbers are set
    against what real images reach, so that they fall linearly with the share of bad samples
    (Salvy et al., 2026).
    """

    name = "clipped-density-coverage"
    claims: ClassVar[dict[str, Claim]] = {
        "clipped-density": Claim("fidelity", ("mode-dropping-invention/purpose",)),
        "clipped-coverage": Claim("diversity", ("sequential-mode-dropping/purpose",)),
    }
    k: int = 5

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column(f"clipped-density@{self.features}", "", "max", digits=3),
            Column(f"clipped-coverage@{self.features}", "", "max", digits=3),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        real, fake, radii = self._sides(evaluation)
        widest = radii.double().sqrt().quantile(0.5).square()
        narrow = torch.where(radii > widest, widest, radii)
        ideal = evaluation.remember(
            f"clipped-density|{self.version}|{self.k}|{content(real)}",
            lambda: {"ideal": torch.tensor(ideal_density(real, narrow, self.k))},
        )["ideal"]
        density = clipped_shares(fake, real, narrow, self.k).mean().item()
        coverage = clipped_coverage(real, fake, radii, self.k)
        expected = expected_coverage(len(fake), len(real), self.k)
        names = (column.name for column in self.columns)
        found = (min(density / ideal.item(), 1.0), share_of_good(coverage, expected))
        return dict(zip(names, found, strict=True))

    def protocol(self) -> dict[str, Any]:
        return {
            **super().protocol(),
            "density": "radii of at most their median, distance <= radius, over that of reals",
            "coverage": "distance < radius, as a share of samples by its expected value",
        }


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(ClippedDensityCoverage)
