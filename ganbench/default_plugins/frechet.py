"""Fréchet distances between the features of real and generated images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganbench import Column, Evaluation, Metric, Moments, Unavailable, hookimpl

CHUNK = 4096


def frechet_distance(real: Moments, fake: Moments) -> float:
    """The squared 2-Wasserstein distance of two Gaussians (Dowson & Landau, 1982), in float64.

    |m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½). With S1 = R Rᵀ the last trace is that of (Rᵀ S2 R)^½,
    a symmetric matrix: nothing can turn complex, R is kept with the real statistics, and directions
    that are only rounding are dropped, so that fewer samples than dimensions are exact too. May be
    a rounding error below zero.
    """
    inner = torch.linalg.eigvalsh(real.root.T @ fake.covariance @ real.root)
    if len(inner):
        eps = torch.finfo(torch.float64).eps
        inner = inner[inner > eps * len(inner) * inner.max().clamp_min(0)]
    distance = (real.mean - fake.mean).square().sum()
    distance += real.covariance.trace() + fake.covariance.trace()
    return (distance - 2 * inner.sqrt().sum()).item()


def fake_moments(features: Tensor) -> Moments:
    """Of samples' features (N, F), chunk by chunk; Unavailable where they have none."""
    if len(features) < 2:
        raise Unavailable("a covariance needs at least two samples")
    moments = Moments.of(features.split(CHUNK))
    # Before any LAPACK call: a NaN there has ended whole processes (pytorch#93124).
    if not (moments.mean.isfinite().all() and moments.covariance.isfinite().all()):
        raise Unavailable("the features of the samples are not finite")
    return moments


@dataclass(kw_only=True)
class FID(Metric):
    """Fréchet distance to the training set in a named feature space (Heusel et al., 2017)."""

    name = "fid"
    version = 2
    features: str | None = None  # an extractor; null: the data set's own

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(f"fid@{self.features}", "", "min", digits=4),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if self.features is None:
            raise Unavailable("no feature extractor is named")
        fake = fake_moments(evaluation.features(self.features).embedding)
        return {self.columns[0].name: frechet_distance(evaluation.real(self.features), fake)}

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "ddof": 1}


@hookimpl
def register_metrics(register) -> None:
    register(FID)
