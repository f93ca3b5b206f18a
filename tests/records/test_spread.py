"""Variances of trainings and of draws, by hand, and of numbers whose variances are known."""

from __future__ import annotations

import math
import random

import pytest

from ganbench.records.spread import Spread, pooled, seeds_to_separate, spread


def test_mean_squares_by_hand() -> None:
    """Means 2, 6 and 10 of two draws each: MS between 32, MS within 2, (32 - 2) / 2 = 15."""
    found = spread([[1, 3], [5, 7], [9, 11]])
    assert found == Spread(training=15, sampling=2, trainings=3)
    assert found.training_sd == pytest.approx(math.sqrt(15))
    assert found.sampling_sd == pytest.approx(math.sqrt(2))
    assert found.share == pytest.approx(15 / 17)


def test_a_training_variance_below_zero_is_none_of_the_spread() -> None:
    found = spread([[1, 3], [3, 1]])
    assert (found.training, found.sampling) == (-1, 2)
    assert (found.training_sd, found.share) == (0, 0)


@pytest.mark.parametrize("trials", [[], [[1.0], [2.0]], [[1.0, 2.0], [1.0]], [[], [1.0, 2.0]]])
def test_without_as_many_draws_of_each_training_there_is_none(trials: list[list[float]]) -> None:
    assert spread(trials) is None


def test_one_training_has_a_sampling_spread_alone() -> None:
    found = spread([[1.0, 3.0]])
    assert found == Spread(None, 2.0, 1)
    assert (found.training_sd, found.share) == (None, None)
    assert pooled([found]) is None


def test_numbers_that_never_differ_have_no_share() -> None:
    found = spread([[8.0, 8.0], [8.0, 8.0]])
    assert (found.training_sd, found.sampling_sd, found.share) == (0, 0, None)


@pytest.mark.parametrize(("of_training", "of_sampling"), [(2.0, 1.0), (0.5, 2.0), (0.0, 1.0)])
def test_known_variances_are_found(of_training: float, of_sampling: float) -> None:
    """Of 60 cells of three trainings of four draws: neither too large nor too small."""
    rng = random.Random(0)
    cells = []
    for _ in range(60):
        means = [rng.gauss(5, of_training) for _ in range(3)]
        cells.append(spread([[rng.gauss(mean, of_sampling) for _ in range(4)] for mean in means]))
    found = pooled(cells)
    # Four standard errors of a variance with so many degrees of freedom.
    between = of_training**2 + of_sampling**2 / 4
    assert found.training == pytest.approx(of_training**2, abs=4 * between * math.sqrt(2 / 120))
    assert found.sampling == pytest.approx(of_sampling**2, rel=4 * math.sqrt(2 / 540))


def test_so_many_seeds_separate_and_one_less_does_not() -> None:
    needed = seeds_to_separate(0.5, 2.0)
    assert needed == 9
    assert math.sqrt(2.0 / needed) < 0.5 <= math.sqrt(2.0 / (needed - 1))
    assert seeds_to_separate(-0.5, 2.0) == 9
    assert seeds_to_separate(0.0, 2.0) is None
