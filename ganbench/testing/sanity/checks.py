"""The checks: which points a number is asked about, and what it must say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import partial

from ganbench.contracts.metrics import Measured
from ganbench.testing.sanity import sweeps
from ganbench.testing.sanity.shapes import (
    Judge,
    each,
    either,
    ends_at,
    falling,
    falling_by,
    is_at,
    level,
    peak,
    rising,
    starts_at,
)
from ganbench.testing.sanity.sweeps import Sweep, in_all

FIDELITY: Measured = "fidelity"
DIVERSITY: Measured = "diversity"
DISTANCE: Measured = "distance"
PURPOSE, BOUNDS, DATA, SIZES, INVARIANCE = "purpose", "bounds", "data", "sizes", "invariance"


@dataclass(frozen=True)
class SanityCheck:
    """One experiment, judged for one or two properties of a number, by what the number measures."""

    name: str
    sweeps: tuple[Sweep, ...]
    parts: Mapping[str, Mapping[Measured, Judge]]

    def full_names(self, measures: Measured) -> Iterator[str]:
        """Yield the check's parts that say something of such a number, as claims name them."""
        yield from (f"{self.name}/{part}" for part, by in self.parts.items() if measures in by)


def _all(judge: Judge) -> dict[Measured, Judge]:
    return {FIDELITY: judge, DIVERSITY: judge, DISTANCE: judge}


def _both(fidelity: Judge, diversity: Judge | None = None) -> dict[Measured, Judge]:
    """Return judges of what has a scale from 0 to 1, which no distance has."""
    return {FIDELITY: fidelity, DIVERSITY: diversity or fidelity}


WIDE = either(ends_at(0), ends_at(1))  # a diversity, of samples much wider than the data
PEAK_OF_SHIFT = {
    PURPOSE: _all(peak(0.0)),
    BOUNDS: _both(each(is_at(0.0, 1), starts_at(0), ends_at(0))),
}


def _dropping(halfway: float) -> dict[str, Mapping[Measured, Judge]]:
    fewer = falling_by(halfway)
    return {
        PURPOSE: {FIDELITY: level, DIVERSITY: fewer, DISTANCE: fewer},
        BOUNDS: _both(each(starts_at(1), ends_at(1)), starts_at(1)),
    }


CHECKS = (
    SanityCheck("gaussian-mean-difference", in_all(sweeps.shifted), PEAK_OF_SHIFT),
    SanityCheck("gaussian-mean-difference-outlier", sweeps.with_outliers(), PEAK_OF_SHIFT),
    SanityCheck("gaussian-mean-difference-pareto", (sweeps.heavy_tailed(),), PEAK_OF_SHIFT),
    SanityCheck(
        "gaussian-std-difference",
        in_all(sweeps.wider),
        {
            PURPOSE: {
                FIDELITY: falling,
                DIVERSITY: either(peak(1.0), rising),
                DISTANCE: peak(1.0),
            },
            BOUNDS: _both(
                each(starts_at(1), is_at(1.0, 1), ends_at(0)),
                each(starts_at(0), is_at(1.0, 1), WIDE),
            ),
        },
    ),
    SanityCheck(
        "hypersphere-surface",
        in_all(sweeps.sphere, (2, 16, 128)),
        {
            PURPOSE: _all(peak(1.0)),
            BOUNDS: _both(each(is_at(1.0, 1), starts_at(0), ends_at(0))),
        },
    ),
    SanityCheck("simultaneous-mode-dropping", in_all(sweeps.dropped_together), _dropping(0.96)),
    SanityCheck("sequential-mode-dropping", in_all(sweeps.dropped_in_turn), _dropping(4.0)),
    SanityCheck(
        "mode-dropping-invention",
        (sweeps.invented(),),
        {
            PURPOSE: {FIDELITY: falling, DIVERSITY: rising, DISTANCE: peak(5.0)},
            BOUNDS: _both(each(is_at(5.0, 1), starts_at(1)), each(is_at(5.0, 1), ends_at(1))),
        },
    ),
    SanityCheck(
        "mode-collapse",
        in_all(sweeps.two_modes),
        {
            PURPOSE: {FIDELITY: falling, DIVERSITY: either(falling, level), DISTANCE: falling},
            BOUNDS: _both(starts_at(1)),
        },
    ),
    SanityCheck(
        "hypercube-sample-size",
        in_all(partial(sweeps.cubes, sides="both")),
        {DATA: _all(level), PURPOSE: _both(ends_at(sweeps.OVERLAP))},
    ),
    SanityCheck(
        "hypercube-synthetic-size",
        in_all(partial(sweeps.cubes, sides="samples")),
        {SIZES: _all(level), PURPOSE: _both(ends_at(sweeps.OVERLAP))},
    ),
    SanityCheck(
        "sphere-torus",
        tuple(map(sweeps.ball_and_ring, ("ball", "ring"))),
        {PURPOSE: _all(level), BOUNDS: _both(ends_at(0))},
    ),
    SanityCheck(
        "one-disjoint-dimension",
        (sweeps.far_in_one(),),
        {PURPOSE: _all(level), BOUNDS: _both(each(starts_at(0), ends_at(0)))},
    ),
    SanityCheck(
        "scaling-one-dimension",
        (sweeps.scaled(),),
        {INVARIANCE: _all(level), BOUNDS: _both(each(starts_at(0), ends_at(0)))},
    ),
    SanityCheck(
        "discrete-vs-continuous",
        (sweeps.rounded("real"),),
        {
            PURPOSE: _both(level),
            BOUNDS: _both(
                each(starts_at(0), ends_at(0)),
                each(either(starts_at(0), starts_at(1)), WIDE),
            ),
        },
    ),
    SanityCheck(
        "continuous-vs-discrete",
        (sweeps.rounded("fake"),),
        {
            PURPOSE: _both(level),
            BOUNDS: _both(each(starts_at(1), ends_at(1)), each(starts_at(0), ends_at(0))),
        },
    ),
)


def names_for(measures: Measured) -> tuple[str, ...]:
    """Return the names that claims of such a number may have."""
    return tuple(name for check in CHECKS for name in check.full_names(measures))
