"""A comparison as a value: the rules that it went by, and its verdicts."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Literal, get_args

from ganbench.records.columns import Column

VerdictWord = Literal[
    "failed",
    "regressed",
    "missing",
    "incomparable",
    "inconclusive",
    "improved",
    "unchanged",
    "new",
]
"""From what wants looking at first to what doesn't."""
WORDS: tuple[VerdictWord, ...] = get_args(VerdictWord)

ALPHA = 0.05
STATUS = "status"  # the number of a verdict on how a cell's trials ended


@dataclass(frozen=True)
class Tolerance:
    """The change of a number that does not matter, the larger of a part of it and an amount."""

    rel: float
    abs: float

    def of(self, baseline: float) -> float:
        """Return the change from `baseline` that does not matter, in its unit."""
        return max(self.rel * abs(baseline) if self.rel else 0.0, self.abs)


@dataclass(frozen=True)
class Policy:
    """What a comparison looks at and how sure it must be."""

    alpha: float = ALPHA  # chance of any false alarm among the gated numbers
    metrics: tuple[str, ...] | None = None  # gated; None: those whose metric says so
    tolerances: Mapping[str, Tolerance] = field(default_factory=dict)  # where not the metric's own
    interleaved: bool = False  # both sides were measured in turns, in one job

    def gates(self, column: Column) -> bool:
        """Return whether a number decides the exit code."""
        if self.metrics is not None:
            return column.name in self.metrics or column.kind in ("count", "numerics")
        return column.gated or column.kind == "numerics"

    def tolerance(self, column: Column) -> Tolerance:
        """Return the tolerance of a number: the policy's own, else its metric's."""
        return self.tolerances.get(column.name, Tolerance(column.rel_tol, column.abs_tol))


@dataclass(frozen=True)
class Verdict:
    """What a comparison says of one number of one cell, and why."""

    cell: str  # id
    label: str
    metric: str
    word: VerdictWord
    evidence: str
    gated: bool
    kind: str = ""
    direction: str = "none"
    unit: str = ""
    baseline: tuple[float, ...] = ()
    candidate: tuple[float, ...] = ()
    p: float | None = None  # one-sided, for the worse, after Holm

    @property
    def ratio(self) -> float | None:
        """Return the candidate's median over the baseline's; None where that is no number."""
        if not self.baseline or not self.candidate or median(self.baseline) == 0:
            return None
        found = median(self.candidate) / median(self.baseline)
        return found if math.isfinite(found) else None


@dataclass(frozen=True)
class Comparison:
    """All verdicts on a candidate, the gated first and the gravest of them first."""

    baseline: str  # where each side came from
    candidate: str
    policy: Policy
    verdicts: tuple[Verdict, ...]
    notes: tuple[str, ...] = ()
    measured: bool = True  # whether any trial of the candidate got so far as to tell something

    def gated(self, *words: VerdictWord) -> list[Verdict]:
        """Return the gated verdicts with one of these words, or all gated ones."""
        return [v for v in self.verdicts if v.gated and (not words or v.word in words)]

    @property
    def counts(self) -> dict[str, int]:
        """Return how many gated verdicts have each word that occurs."""
        found = Counter(verdict.word for verdict in self.gated())
        return {word: found[word] for word in WORDS if found[word]}
