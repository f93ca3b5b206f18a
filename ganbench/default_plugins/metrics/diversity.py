"""How many different samples there are, whatever real ones are like."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganbench import Column, Evaluation, Metric, Unavailable, hookimpl
from ganbench.default_plugins.metrics.neighbours import drawn, finite


def vendi(features: Tensor) -> float:
    """Return the exponential of the entropy of the eigenvalues of K / N, in float64.

    K (N, N) are the cosines of the features (N, F), of which none is zero.
    """
    unit = features.double()
    unit = unit / unit.norm(dim=1, keepdim=True)
    gram = unit @ unit.T if len(unit) < unit.shape[1] else unit.T @ unit  # the same eigenvalues
    shares = torch.linalg.eigvalsh(gram / len(unit)).clamp(min=0)
    return math.exp(torch.special.entr(shares).sum().item())


@dataclass(kw_only=True)
class Vendi(Metric):
    """The effective number of different samples (Friedman & Dieng, 2023).

    By the cosine of their features: N that are orthogonal count N, N copies count one. It knows
    nothing of real images, so that no direction is better.
    """

    name = "vendi"
    cheap = True
    features: str | None = None  # an extractor; null: the data set's own
    num_samples: int = 5000
    seed: int = 0  # of which samples, where there are more

    def __post_init__(self) -> None:
        if self.num_samples < 1:
            raise ValueError(f"num_samples must be positive, found {self.num_samples}")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(f"vendi@{self.features}", "", "none", digits=2),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if self.features is None:
            raise Unavailable("no feature extractor is named")
        chosen = drawn(evaluation.fake, self.num_samples, self.seed)
        features = evaluation.features(self.features).embedding[chosen]
        finite(features, "the features of the samples")
        if not features.any(1).all():
            raise Unavailable("the features of some samples are all zero, which have no cosine")
        return {self.columns[0].name: vendi(features)}

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "kernel": "cosine", "order": 1}


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(Vendi)
