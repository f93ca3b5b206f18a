"""Whether samples lie among real images, and real images among samples, by balls of neighbours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor

from ganbench import Claim, Column, Evaluation, Metric, hookimpl
from ganbench.default_plugins.metrics.neighbours import PAIRS, content, squared_distances
from ganbench.default_plugins.metrics.sides import AS_MANY, both_sides


class Sides(NamedTuple):
    """Features of as many real as generated images, and the balls of the real ones."""

    real: Tensor  # (N, F)
    fake: Tensor  # (N, F)
    radii: Tensor  # (N,) of the real ones, squared


class PrecisionRecallValues(NamedTuple):
    """What `precision_recall` finds: two shares from 0 to 1."""

    precision: float
    recall: float


class DensityCoverageValues(NamedTuple):
    """What `density_coverage` finds: a mean, and a share from 0 to 1."""

    density: float
    coverage: float


def squared_radii(points: Tensor, k: int, rows: int | None = None) -> Tensor:
    """Return the squared distance of each of N > k points (N, F) to its k-th other neighbour."""
    kept = [
        distances.topk(k + 1, largest=False).values[:, k]  # the point itself is first, at 0
        for _, distances in blocks(points, points, rows)
    ]
    return torch.cat(kept)


def precision_recall(
    sides: Sides, fake_radii: Tensor, rows: int | None = None
) -> PrecisionRecallValues:
    """Return the shares of samples in balls of reals, and of reals in balls of samples; `<=`."""
    precise = sides.real.new_zeros((), dtype=torch.int64)
    recalled = sides.real.new_zeros(len(sides.real), dtype=torch.bool)
    for part, distances in blocks(sides.fake, sides.real, rows):
        precise += (distances <= sides.radii).any(1).sum()
        recalled |= (distances <= fake_radii[part, None]).any(0)
    return PrecisionRecallValues(int(precise) / len(sides.fake), recalled.double().mean().item())


def density_coverage(sides: Sides, k: int, rows: int | None = None) -> DensityCoverageValues:
    """Return in how many balls of real ones a sample lies, and how many balls have a sample; `<`.

    The first is a mean over the samples, divided by k; the second is a share of the balls.
    """
    inside = sides.real.new_zeros((), dtype=torch.int64)
    covered = sides.real.new_zeros(len(sides.real), dtype=torch.bool)
    for _, distances in blocks(sides.fake, sides.real, rows):
        within = distances < sides.radii
        inside += within.sum()
        covered |= within.any(0)
    return DensityCoverageValues(
        int(inside) / (k * len(sides.fake)), covered.double().mean().item()
    )


def blocks(a: Tensor, b: Tensor, rows: int | None = None) -> Iterator[tuple[slice, Tensor]]:
    """Yield which few rows of a, and their squared distances to all of b."""
    rows = rows or max(1, PAIRS // len(b))
    b = b.double()
    for start in range(0, len(a), rows):
        part = slice(start, start + rows)
        yield part, squared_distances(a[part], b)


@dataclass(kw_only=True)
class Balls(Metric):
    """What has a ball around each image, as wide as the distance to its k-th neighbour."""

    features: str | None = None  # an extractor; null: the data set's own
    k: int
    num_samples: int = 5000  # of either side
    seed: int = 0  # of which samples, where there are more

    def __post_init__(self) -> None:
        for name, value in (("k", self.k), ("num_samples", self.num_samples)):
            if value < 1:
                raise ValueError(f"{name} must be positive, found {value}")
        if self.num_samples <= self.k:
            raise ValueError(
                f"num_samples must be more than k = {self.k}, found {self.num_samples}"
            )

    def _sides(self, evaluation: Evaluation) -> Sides:
        needed = f"k = {self.k} neighbours need at least {self.k + 1}"
        needed += " samples and as many real images"
        chosen = (self.features, self.num_samples, self.seed)
        real, fake = both_sides(evaluation, *chosen, self.k + 1, needed)
        radii = evaluation.remember(
            f"manifold-radii|{self.version}|{self.k}|{content(real)}",
            lambda: {"radii": squared_radii(real, self.k).cpu()},
        )
        return Sides(real, fake, radii["radii"].to(real.device))

    def protocol(self) -> dict[str, Any]:
        return {
            **super().protocol(),
            "sides": AS_MANY,
            "radius": "Euclidean distance to the k-th neighbour, the image itself not counted",
            "distances": "squared, float64 rounded to float32; 0 where only rounding differs",
        }


@dataclass(kw_only=True)
class PrecisionRecall(Balls):
    """Shares of samples among reals, and of reals among samples (Kynkäänniemi et al., 2019).

    A ball holds its border: a copy of a real image counts as precise even where that image has k
    duplicates, which leave it the radius 0.
    """

    name = "precision-recall"
    claims: ClassVar[dict[str, Claim]] = {
        "precision": Claim("fidelity", ("mode-dropping-invention/purpose",)),
        "recall": Claim("diversity", ("sequential-mode-dropping/purpose",)),
    }
    k: int = 3

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column(f"precision@{self.features}", "", "max", digits=3),
            Column(f"recall@{self.features}", "", "max", digits=3),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        sides = self._sides(evaluation)
        found = precision_recall(sides, squared_radii(sides.fake, self.k))
        names = (column.name for column in self.columns)
        return dict(zip(names, found, strict=True))

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "inside": "distance <= radius"}


@dataclass(kw_only=True)
class DensityCoverage(Balls):
    """How many balls of real images hold a sample, and the share that do (Naeem et al., 2020).

    A ball is open: around a real image with k duplicates, whose radius is 0, it is empty and stays
    uncovered. Of N real images against N others the coverage is 1 - ∏ (N - i) / (2N - i), i = 1…k,
    about 1 - 2^-k, and the density about 1; samples that crowd where real images are dense exceed
    it.
    """

    name = "density-coverage"
    claims: ClassVar[dict[str, Claim]] = {
        "density": Claim("fidelity", ("gaussian-mean-difference-pareto/purpose",)),
        "coverage": Claim("diversity", ("sequential-mode-dropping/purpose",)),
    }
    k: int = 5

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column(f"density@{self.features}", "", "max", digits=3),
            Column(f"coverage@{self.features}", "", "max", digits=3),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        found = density_coverage(self._sides(evaluation), self.k)
        names = (column.name for column in self.columns)
        return dict(zip(names, found, strict=True))

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "inside": "distance < radius"}


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(PrecisionRecall)
    register(DensityCoverage)
