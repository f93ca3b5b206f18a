"""Metrics are asked about the points of sanity checks, and what they say is told, not refused."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import pytest

from ganbench import Claim, Column, Evaluation, Metric, Unavailable
from ganbench.testing import sanity_findings
from ganbench.testing.sanity.checks import CHECKS, names_for

MEAN, SPREAD = "gaussian-mean-difference/purpose", "gaussian-std-difference/purpose"


@dataclass(kw_only=True)
class Gap(Metric):
    """The distance of the means, and a score of it."""

    name = "gap"
    claims: ClassVar[dict[str, Claim]] = {
        "gap": Claim("distance"),
        "score": Claim("fidelity"),
    }
    features: str | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column(f"gap@{self.features}", "", "min"),
            Column(f"score@{self.features}", "", "max"),
            Column("count"),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        real = evaluation.real_features(str(self.features)).embedding.double().mean(0)
        fake = evaluation.features(str(self.features)).embedding.double().mean(0)
        gap = (real - fake).norm().item()
        values = (gap, max(0.0, 1 - gap**2 / 36), float(len(evaluation.fake)))
        return dict(zip((column.name for column in self.columns), values, strict=True))


def findings(metric: Metric, *checks: str):
    return {(f.column, f.check): f for f in sanity_findings(metric, checks or None)}


def test_each_claimed_column_is_judged_by_what_it_measures():
    found = findings(Gap(), MEAN, "gaussian-mean-difference/bounds", SPREAD)
    assert {key: f.verdict for key, f in found.items()} == {
        ("gap", MEAN): True,
        ("score", MEAN): True,
        ("score", "gaussian-mean-difference/bounds"): True,
        ("gap", SPREAD): False,
        ("score", SPREAD): False,
    }
    assert found["gap", MEAN].seen == ""
    assert found["gap", SPREAD].seen.startswith("spread in 1-D: ")
    assert " at 1e+03" in found["gap", SPREAD].seen


def test_number_that_is_never_there_passes_nothing():
    class Silent(Gap):
        def compute(self, evaluation: Evaluation) -> dict[str, float]:
            raise Unavailable("no")

    found = findings(Silent(), MEAN)
    assert [f.verdict for f in found.values()] == [False, False]
    assert found["gap", MEAN].seen == "mean in 1-D: no value"


def test_repeats_are_averaged():
    once, thrice = (
        next(iter(sanity_findings(Gap(), {SPREAD}, repeats=repeats))) for repeats in (1, 3)
    )
    assert once.seen != thrice.seen


def test_real_data_is_described_once_in_a_sweep():
    described = []

    class Remembers(Gap):
        def compute(self, evaluation: Evaluation) -> dict[str, float]:
            evaluation.remember("reals", lambda: described.append(1) or {})
            return super().compute(evaluation)

    findings(Remembers(), MEAN)
    assert len(described) == 3  # dimensions, and not the settings in them


@pytest.mark.parametrize(("measures", "count"), [("fidelity", 32), ("diversity", 32)])
def test_scores_are_judged_by_every_part(measures, count):
    assert len(names_for(measures)) == count == sum(len(check.parts) for check in CHECKS)


def test_distance_has_no_bounds():
    names = names_for("distance")
    assert not [name for name in names if name.endswith("/bounds")]
    assert len(names) == 14
