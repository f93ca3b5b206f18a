"""How sure a classifier is of the class of each sample, and how many classes it sees."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganbench import Column, Evaluation, Metric, Unavailable, hookimpl
from ganbench.default_plugins.metrics.shuffles import shuffled


def class_score(probabilities: Tensor) -> float:
    """Return exp E KL(p(y|x) || p(y)) of probabilities (N, K), in float64: from 1 to K.

    The mean divergence is the entropy of the mean less the mean entropy; 0 log 0 = 0.
    """
    p = probabilities.double()
    entropy = torch.special.entr(p.mean(0)).sum() - torch.special.entr(p).sum(1).mean()
    return entropy.exp().item()


@dataclass(kw_only=True)
class InceptionScore(Metric):
    """The Inception Score (Salimans et al., 2016); of other extractors, a class score.

    The mean over equal splits of the shuffled samples, and the spread over them. It never looks at
    real data, and its scale is that of the classifier: of digits, 10 at the most.
    """

    name = "is"
    cheap = True
    features: str | None = None  # an extractor with classes; null: the data set's own
    splits: int = 10
    seed: int = 0

    def __post_init__(self) -> None:
        if self.splits < 1:
            raise ValueError(f"splits must be positive, found {self.splits}")

    @property
    def columns(self) -> tuple[Column, ...]:
        score = "is" if self.features == "inception" else "class-score"
        return (
            Column(f"{score}@{self.features}", "", "max", digits=3),
            Column(f"{score}-sd@{self.features}", "", "none", digits=3),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float | Unavailable]:
        if self.features is None:
            raise Unavailable("no feature extractor is named")
        probabilities = evaluation.features(self.features).probabilities
        if probabilities is None:
            raise Unavailable(f"feature extractor '{self.features}' knows no classes")
        if len(probabilities) < 2 * self.splits:
            raise Unavailable(
                f"the score of {self.splits} splits needs at least {2 * self.splits} samples, "
                f"found {len(probabilities)}"
            )
        order = shuffled(evaluation.fake, self.seed)
        found = [class_score(probabilities[part]) for part in order.tensor_split(self.splits)]
        scores = torch.tensor(found, dtype=torch.float64)
        if not scores.isfinite().all():
            raise Unavailable("the class probabilities of the samples are not finite")
        spread: float | Unavailable = scores.std(correction=0).item()
        if self.splits == 1:
            spread = Unavailable("one split has no spread; raise splits")
        mean = scores.mean().item()
        return dict(zip((column.name for column in self.columns), (mean, spread), strict=True))

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "order": "keyed hashes of the samples", "ddof": 0}


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(InceptionScore)
