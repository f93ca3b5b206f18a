"""What of a number's spread is of training seeds and what of sampling seeds.

Draws of trained models are a balanced one-way layout with random effects: y = μ + a + e, with a of
the training and e of the draw. The variances of both are estimated from mean squares (Searle,
Casella & McCulloch, 1992, section 3.5), which is unbiased but for the cut at zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import fmean, variance


@dataclass(frozen=True)
class Spread:
    """Variances of a single value: between trainings, and between draws of one trained model."""

    training: float | None  #: before the cut at zero; None with fewer than two trainings
    sampling: float
    trainings: int

    @property
    def training_sd(self) -> float | None:
        """The standard deviation over training seeds, without what sampling adds."""
        return None if self.training is None else sqrt(max(0.0, self.training))

    @property
    def sampling_sd(self) -> float:
        """The standard deviation over sampling seeds of one trained model."""
        return sqrt(self.sampling)

    @property
    def share(self) -> float | None:
        """Of the variance of a single value, what is of training seeds; None: nothing to tell."""
        if self.training is None or (whole := max(0.0, self.training) + self.sampling) <= 0:
            return None
        return max(0.0, self.training) / whole


def spread(trials: Sequence[Sequence[float]]) -> Spread | None:
    """Return the spread of a number, of which each training has as many draws.

    None: with fewer than two draws nothing tells them apart.
    """
    draws = min(map(len, trials), default=0)
    if draws < 2 or any(len(values) != draws for values in trials):
        return None
    sampling = fmean(map(variance, trials))
    if len(trials) < 2:
        return Spread(None, sampling, 1)
    return Spread(variance([*map(fmean, trials)]) - sampling / draws, sampling, len(trials))


def pooled(spreads: Sequence[Spread]) -> Spread | None:
    """Return one spread of those of several cells, by their degrees of freedom.

    None where no cell has two trainings.
    """
    known = [(s.training, s) for s in spreads if s.training is not None]
    if not known:
        return None
    freedom = sum(s.trainings - 1 for _, s in known)
    trainings = sum(s.trainings for _, s in known)
    return Spread(
        sum(training * (s.trainings - 1) for training, s in known) / freedom,
        sum(s.sampling * s.trainings for _, s in known) / trainings,
        trainings,
    )


def seeds_to_separate(difference: float, variance: float) -> int | None:
    """Return with how many training seeds of each two means lie farther apart than their error.

    `variance` is that of the difference with one seed of each. None: they do not differ.
    """
    return int(variance / difference**2) + 1 if difference else None
