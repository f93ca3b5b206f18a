"""Features of as many real as generated images, for metrics that compare two sets of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ganbench import Evaluation, Metric, Unavailable
from ganbench.default_plugins.metrics.neighbours import drawn, finite

AS_MANY = "as many real as generated, num_samples or all of fewer"
FEWEST = 2  # of either side, for there to be a spread


def both_sides(
    evaluation: Evaluation, features: str | None, most: int, seed: int, fewest: int, needed: str
) -> tuple[Tensor, Tensor]:
    """Return features of real images and of as many samples, of at most so many: (N, F) each.

    They are on the device that computes fastest.
    Raises Unavailable where they are not finite, or fewer than `fewest`, which `needed` tells.
    """
    if features is None:
        raise Unavailable("no feature extractor is named")
    chosen = drawn(evaluation.fake, most, seed)
    real = evaluation.real_features(features, count=len(chosen)).embedding
    count = len(real)  # fewer than asked for where the training set is small
    if count < fewest:
        raise Unavailable(f"{needed}, found {count}")
    fake = evaluation.features(features).embedding[chosen[:count]]
    finite(real, "the features of the training set")
    finite(fake, "the features of the samples")
    return real.to(evaluation.device), fake.to(evaluation.device)


@dataclass(kw_only=True)
class TwoSided(Metric):
    """What compares the features of as many real as generated images."""

    features: str | None = None  # an extractor; null: the data set's own
    num_samples: int = 5000  # of either side
    seed: int = 0  # of which samples, where there are more

    def __post_init__(self) -> None:
        if self.num_samples < FEWEST:
            raise ValueError(f"num_samples must be at least {FEWEST}, found {self.num_samples}")

    def sides(self, evaluation: Evaluation) -> tuple[Tensor, Tensor]:
        """Return features of real images and of as many samples. Raises Unavailable."""
        needed = f"it needs at least {FEWEST} samples and as many real images"
        chosen = (self.features, self.num_samples, self.seed)
        return both_sides(evaluation, *chosen, FEWEST, needed)

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "sides": AS_MANY}
