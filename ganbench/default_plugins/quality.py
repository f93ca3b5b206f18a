"""Distances between the distributions of real and generated images, and class agreement."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench import Column, Evaluation, Metric, Unavailable, hookimpl


def frechet_distance(
    mean1: Tensor, covariance1: Tensor, mean2: Tensor, covariance2: Tensor
) -> float:
    """The squared 2-Wasserstein distance of two Gaussians (Dowson & Landau, 1982), in float64.

    |m1 - m2|² + tr(S1 + S2 - 2 (S1 S2)^½), by symmetric eigendecompositions alone: nothing can turn
    complex, and directions that are noise beside the largest are dropped, so that covariances of
    fewer samples than dimensions are exact too. May be a rounding error below zero.
    """
    mean1, covariance1, mean2, covariance2 = (
        x.double() for x in (mean1, covariance1, mean2, covariance2)
    )
    eps = torch.finfo(torch.float64).eps
    values, vectors = torch.linalg.eigh(covariance1)
    kept = values > eps * len(values) * values.max().clamp_min(0)
    root = vectors[:, kept] * values[kept].sqrt()
    inner = torch.linalg.eigvalsh(root.T @ covariance2 @ root)
    if len(inner):
        inner = inner[inner > eps * len(inner) * inner.max().clamp_min(0)]
    distance = (mean1 - mean2).square().sum() + covariance1.trace() + covariance2.trace()
    return (distance - 2 * inner.sqrt().sum()).item()


def moments(features: Tensor) -> tuple[Tensor, Tensor]:
    """The mean (F,) and the covariance (F, F), divided by N - 1, of (N, F), in float64."""
    features = features.double()
    mean = features.mean(0)
    centred = features - mean
    return mean, centred.T @ centred / (len(features) - 1)


@dataclass(kw_only=True)
class FID(Metric):
    """Fréchet distance to the training set in a named feature space (Heusel et al., 2017)."""

    name = "fid"
    features: str | None = None  # an extractor; null: the data set's own

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(f"fid@{self.features}", "", "min", digits=4),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if self.features is None:
            raise Unavailable("no feature extractor is named")
        fake = evaluation.features(self.features).embedding
        if len(fake) < 2:
            raise Unavailable("a covariance needs at least two samples")
        if not fake.isfinite().all():
            raise Unavailable("the features of the samples are not finite")
        real = evaluation.real(self.features)
        value = frechet_distance(real.mean, real.covariance, *moments(fake))
        return {self.columns[0].name: value}


@dataclass(kw_only=True)
class ConditionalAccuracy(Metric):
    """The share of samples that a judge trained on real data puts into the class asked for."""

    name = "cond-accuracy"

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column("cond-accuracy", "", "max", digits=3, title="cond. accuracy"),
            Column("cond-accuracy-worst", "", "max", digits=3, title="worst class"),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        asked = evaluation.fake.labels
        if asked is None:
            raise Unavailable("the generator is not told a class")
        right = evaluation.classes() == asked
        shares = [right[asked == label].double().mean() for label in asked.unique()]
        return {
            "cond-accuracy": right.double().mean().item(),
            "cond-accuracy-worst": min(shares).item(),
        }


@hookimpl
def register_metrics(register) -> None:
    register(FID)
    register(ConditionalAccuracy)
