"""Asking a metric about the points of the checks, and what it says of each."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

from torch import Tensor

from ganbench.contracts.feature_extractors import Unavailable
from ganbench.contracts.images import ImageSpec, LabeledImages, Split
from ganbench.contracts.metrics import Claim, Metric
from ganbench.records.columns import Name
from ganbench.testing.fixtures.evaluations import (
    EXTRACTOR,
    KitDataset,
    KitEvaluation,
    with_features,
)
from ganbench.testing.sanity.checks import CHECKS, DISTANCE, SanityCheck
from ganbench.testing.sanity.shapes import Curve, Verdict, together
from ganbench.testing.sanity.sweeps import Sweep


@dataclass(frozen=True)
class SanityFinding:
    """What one column makes of one part of a check."""

    column: str  #: without its features
    check: str  #: as claims name it, such as `sphere-torus/bounds`
    verdict: Verdict  #: a diversity passes as a "low" or as a "high" one in some
    seen: str = ""  #: what it said where it does not pass


def sanity_findings(
    metric: Metric, checks: Collection[str] | None = None, repeats: int = 1
) -> Iterator[SanityFinding]:
    """Yield what columns with a claim make of each check that says something of such a number.

    `checks` are names of those to be looked at, None for all; a number is the mean over `repeats`
    draws of the points. A distance is judged by its share of the largest in the sweep: 1 is best.
    """
    metric = with_features(metric)
    for check in CHECKS:
        wanted = [
            (column, claim, f"{check.name}/{part}", by[claim.measures])
            for column, claim in metric.claims.items()
            for part, by in check.parts.items()
            if claim.measures in by and (checks is None or f"{check.name}/{part}" in checks)
        ]
        if not wanted:
            continue
        curves = _curves(metric, check, repeats)
        for column, _, name, judge in wanted:
            lines = curves[column]
            verdicts = [line is not None and judge(line) for line in lines.values()]
            found = together(verdicts)
            told = "" if found else _told(lines, verdicts)
            yield SanityFinding(column, name, found, told)


def _curves(metric: Metric, check: SanityCheck, repeats: int) -> dict[str, dict[str, Curve | None]]:
    """Return what each claimed column says along each sweep; None where it has no value."""
    found: dict[str, dict[str, Curve | None]] = {column: {} for column in metric.claims}
    for sweep in check.sweeps:
        said = [_said(metric, sweep, repeat) for repeat in range(repeats)]
        for column, claim in metric.claims.items():
            values = [[numbers[i].get(column) for numbers in said] for i in range(len(sweep.at))]
            found[column][sweep.name] = _curve(sweep, values, claim)
    return found


def _said(metric: Metric, sweep: Sweep, repeat: int) -> list[dict[str, float]]:
    """Return the numbers at each setting, by column."""
    kept: dict[str, dict[str, Tensor]] = {}
    found = []
    for setting in sweep.at:
        evaluation = PointsEvaluation(*sweep.points(setting, repeat), kept)
        try:
            values = metric.compute(evaluation)
        except Unavailable:
            values = {}
        found.append(
            {
                Name.of(name).kind: float(value)
                for name, value in values.items()
                if not isinstance(value, Unavailable)
            }
        )
    return found


def _curve(sweep: Sweep, values: list[list[float | None]], claim: Claim) -> Curve | None:
    whole = [[value for value in several if value is not None] for several in values]
    if not all(whole):
        return None
    means = tuple(mean(several) for several in whole)
    return Curve(sweep.at, _nearness(means) if claim.measures == DISTANCE else means)


def _nearness(distances: tuple[float, ...]) -> tuple[float, ...]:
    largest = max(distances)
    return tuple(1 - (distance / largest if largest > 0 else 0.0) for distance in distances)


def _told(lines: Mapping[str, Curve | None], verdicts: list[Verdict]) -> str:
    """Return what was said along the sweep that decides; where each passes, along all."""
    failed = [name for name, verdict in zip(lines, verdicts, strict=True) if verdict is False]
    return "; ".join(_line(name, lines[name]) for name in failed[:1] or lines)


def _line(name: str, curve: Curve | None) -> str:
    if curve is None:
        return f"{name}: no value"
    pairs = zip(curve.at, curve.values, strict=True)
    return f"{name}: " + ", ".join(f"{value:.3g} at {setting:.3g}" for setting, value in pairs)


class PointsEvaluation(KitEvaluation):
    """What metrics see of points whose features are their coordinates."""

    def __init__(self, real: Tensor, fake: Tensor, kept: dict[str, dict[str, Tensor]]) -> None:
        """Take `kept` from one evaluation to the next: what real points alone decide."""
        super().__init__(_Given(points=real), LabeledImages(_as_images(fake), None), None)
        self._kept = kept

    def remember(
        self,
        name: str,
        compute: Callable[[], dict[str, Tensor]],
        splits: tuple[Split, ...] = ("train",),
    ) -> dict[str, Tensor]:
        """Compute it where no evaluation of the sweep has."""
        if name not in self._kept:
            self._kept[name] = compute()
        return self._kept[name]


@dataclass(kw_only=True)
class _Given(KitDataset):
    """Points as they are given, in both splits."""

    name = "given-points"
    features = EXTRACTOR
    points: Tensor

    def image_spec(self) -> ImageSpec:
        return ImageSpec(self.points.shape[1], 1)

    def load(self, split: Split, root: Path) -> LabeledImages:
        return LabeledImages(_as_images(self.points), None)


def _as_images(points: Tensor) -> Tensor:
    return points[:, :, None, None]
