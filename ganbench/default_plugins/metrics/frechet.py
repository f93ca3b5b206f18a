"""Fréchet distances between the features of real and generated images."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from ganbench import (
    Claim,
    Column,
    Evaluation,
    Metric,
    Moments,
    MomentSums,
    OfClasses,
    Unavailable,
    hookimpl,
    require_classes,
)
from ganbench.default_plugins.metrics.classes import class_name
from ganbench.default_plugins.metrics.shuffles import shuffled

CHUNK = 4096
MAX_CLASSES = 200


def frechet_distance(real: Moments, fake: Moments) -> float:
    """Return the squared 2-Wasserstein distance of two Gaussians (Dowson & Landau, 1982).

    It is |m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½), in float64. With S1 = R Rᵀ the last trace is that
    of (Rᵀ S2 R)^½, a symmetric matrix: nothing can turn complex, and R is kept with the real
    statistics. It may be a rounding error below zero.
    """
    # With the large columns first, LAPACK finds the small eigenvalues to many more digits; it is
    # their roots that count. More of them than S2 has rank are zeros, whose noise would add up.
    root = real.root.flip(1)
    inner = torch.linalg.eigvalsh(root.T @ fake.covariance @ root)
    inner = inner.flip(0)[: rank(fake.covariance)].clamp_min(0)
    distance = (real.mean - fake.mean).square().sum()
    distance += real.covariance.trace() + fake.covariance.trace()
    return (distance - 2 * inner.sqrt().sum()).item()


def rank(covariance: Tensor) -> int:
    """Return the number of eigenvalues that are more than rounding beside the largest."""
    dim = len(covariance)
    rounding = dim * torch.finfo(torch.float64).eps
    # Full rank, the usual case, is seen four times faster: positive definite with more than
    # rounding taken off.
    less = covariance - rounding * covariance.trace() * torch.eye(dim, dtype=torch.float64)
    if torch.linalg.cholesky_ex(less).info == 0:
        return dim
    values = torch.linalg.eigvalsh(covariance)
    return int((values > rounding * values.max().clamp_min(0)).sum())


def fake_moments(
    features: Tensor, chosen: Tensor | None = None, device: torch.device | str = "cpu"
) -> Moments:
    """Return the moments of samples' features (N, F), or of the chosen rows, two or more.

    `device` adds them up; they are on the CPU.
    """
    count = len(features) if chosen is None else len(chosen)
    if count < 2:
        raise Unavailable("a covariance needs at least two samples")
    if chosen is None:
        parts: Iterable[Tensor] = features.split(CHUNK)
    else:
        parts = (features[part] for part in chosen.split(CHUNK))
    found = Moments.of(part.to(device) for part in parts)
    return _finite(Moments(count, found.mean.cpu(), found.covariance.cpu()))


def _finite(moments: Moments) -> Moments:
    """Return the same, before any LAPACK call: NaN there has ended processes (pytorch#93124)."""
    if not (moments.mean.isfinite().all() and moments.covariance.isfinite().all()):
        raise Unavailable("the features of the samples are not finite")
    return moments


@dataclass(kw_only=True)
class FID(Metric):
    """Fréchet distance to the training set in a named feature space (Heusel et al., 2017)."""

    name = "fid"
    cheap = True
    claims: ClassVar[dict[str, Claim]] = {
        "fid": Claim("distance", ("mode-dropping-invention/purpose",))
    }
    version = 2
    features: str | None = None  # an extractor; null: the data set's own

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(f"fid@{self.features}", "", "min", digits=4, gated=True),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if self.features is None:
            raise Unavailable("no feature extractor is named")
        features = evaluation.features(self.features).embedding
        fake = fake_moments(features, device=evaluation.device)
        return {self.columns[0].name: frechet_distance(evaluation.real(self.features), fake)}

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "ddof": 1}


def intercept(x: Tensor, y: Tensor) -> tuple[float, float]:
    """Return that of the least-squares line through (x, y), three or more, and its error."""
    dx = x - x.mean()
    slope = dx.dot(y) / dx.dot(dx)
    found = y.mean() - slope * x.mean()
    residuals = y - found - slope * x
    variance = residuals.dot(residuals) / (len(x) - 2)
    error = (variance * (1 / len(x) + x.mean().square() / dx.dot(dx))).sqrt()
    return found.item(), error.item()


@dataclass(kw_only=True)
class FIDInfinity(Metric):
    """Fréchet distance extrapolated to infinitely many samples (Chong & Forsyth, 2020).

    FID is biased by about c / N. It is taken of `points` growing parts of the shuffled samples, and
    a line in 1 / N is fitted. Each part contains those before it, so the fit's error says how
    straight the line is, and not how far another draw of samples would lie.
    """

    name = "fid-inf"
    features: str | None = None  # an extractor; null: the data set's own
    points: int = 15
    seed: int = 0

    def __post_init__(self) -> None:
        if self.points < 3:
            raise ValueError(f"points must be at least 3, found {self.points}")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column(f"fid-inf@{self.features}", "", "min", digits=4),
            Column(f"fid-inf-se@{self.features}", "", "none", digits=4),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if self.features is None:
            raise Unavailable("no feature extractor is named")
        features = evaluation.features(self.features).embedding
        counts = self._counts(*features.shape)
        real, order = evaluation.real(self.features), shuffled(evaluation.fake, self.seed)
        distances = [frechet_distance(real, part) for part in _growing(features, order, counts)]
        inverse = 1 / torch.tensor(counts, dtype=torch.float64)
        found = intercept(inverse, torch.tensor(distances, dtype=torch.float64))
        return dict(zip((column.name for column in self.columns), found, strict=True))

    def protocol(self) -> dict[str, Any]:
        return {
            **super().protocol(),
            "ddof": 1,
            "order": "keyed hashes of the samples",
            "counts": "evenly from max(N / 10, 2 F) to N, each part within the next",
            "fit": "ordinary least squares on 1 / N",
        }

    def _counts(self, num_samples: int, dim: int) -> list[int]:
        """Return the samples of each point, from 2 F on: there covariances have full rank."""
        needed = max(4 * dim, 2 * self.points)
        if num_samples < needed:
            raise Unavailable(
                f"an extrapolation over {self.points} points in {dim} dimensions needs at least "
                f"{needed} samples, found {num_samples}"
            )
        start = max(num_samples // 10, 2 * dim)
        step = (num_samples - start) / (self.points - 1)
        return [round(start + i * step) for i in range(self.points)]


def _growing(features: Tensor, order: Tensor, counts: list[int]) -> Iterator[Moments]:
    """Yield the moments of the first rows in that order, for each count; no row is read twice."""
    sums = MomentSums()
    for count in counts:
        for part in order[sums.count : count].split(CHUNK):
            sums.add(features[part])
        yield _finite(sums.moments())


@dataclass(kw_only=True)
class IntraFID(Metric):
    """Fréchet distance within each class (Miyato & Koyama, 2018): the mean and the worst.

    All training images of a class beside all samples that were asked for as that class.
    """

    name = "intra-fid"
    features: str | None = None  # an extractor; null: the data set's own

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column(f"intra-fid@{self.features}", "", "min", digits=4),
            Column(f"intra-fid-worst@{self.features}", "", "min", digits=4),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if self.features is None:
            raise Unavailable("no feature extractor is named")
        members = _members(evaluation)
        features = evaluation.features(self.features).embedding
        distances = {
            class_name(evaluation.dataset, label): frechet_distance(
                evaluation.real(self.features, label),
                fake_moments(features, rows, evaluation.device),
            )
            for label, rows in enumerate(members)
        }
        worst = max(distances, key=lambda name: distances[name])
        mean = OfClasses(sum(distances.values()) / len(distances), distances)
        found = (mean, OfClasses(distances[worst], {}, worst))
        return dict(zip((column.name for column in self.columns), found, strict=True))

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "ddof": 1, "mean": "over the classes, each counted once"}


def _members(evaluation: Evaluation) -> list[Tensor]:
    """Return the indices of the samples of each class. Raises Unavailable for fewer than two."""
    classes, labels = require_classes(evaluation), evaluation.fake.labels
    if labels is None:
        raise Unavailable("the generator is not told a class")
    if classes > MAX_CLASSES:
        raise Unavailable(f"{classes} classes would take hours; at most {MAX_CLASSES} are compared")
    members = [(labels == label).nonzero().flatten() for label in range(classes)]
    few = [str(label) for label, rows in enumerate(members) if len(rows) < 2]
    if few:
        named = ", ".join(few[:8]) + (", …" if len(few) > 8 else "")
        raise Unavailable(
            f"a covariance needs at least two samples of each class, and {len(few)} of {classes} "
            f"have fewer: {named}"
        )
    return members


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(FID)
    register(FIDInfinity)
    register(IntraFID)
