"""Right metrics pass the kit, and wrong ones are caught by it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from helpers import mutants

from ganbench import Claim, Column, Evaluation, Metric, Unavailable
from ganbench.default_plugins.metrics.conditional import ConditionalAccuracy
from ganbench.default_plugins.metrics.coverage import ModeCoverage
from ganbench.default_plugins.metrics.frechet import FID
from ganbench.default_plugins.metrics.speed import Throughput
from ganbench.testing import parametrize_with_checks


@dataclass(kw_only=True)
class Count(Metric):
    """How many samples there are."""

    name = "count"
    columns = (Column("count"),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {"count": float(len(evaluation.fake))}


@dataclass(kw_only=True)
class CheapCount(Count):
    """The same, also while a cell trains."""

    name = "cheap-count"
    cheap = True


@dataclass(kw_only=True)
class Diversity(Metric):
    """The mean distance of two samples, of which noise has most."""

    name = "diversity"
    features: str | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(f"diversity@{self.features}", direction="max"),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if self.features is None or len(evaluation.fake) < 2:
            raise Unavailable("a distance needs features of two samples")
        found = evaluation.features(self.features).embedding.double()
        return {self.columns[0].name: torch.pdist(found).mean().item()}


@dataclass(kw_only=True)
class Precision(Metric):
    """The share of samples near a real image, which one good image can have in full."""

    name = "precision"
    columns = (Column("precision", direction="max"),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        real = evaluation.dataset.load("train", Path()).images.flatten(1).double()
        distances = torch.cdist(evaluation.fake.images.flatten(1).double(), real)
        radius = torch.cdist(real, real).topk(4, largest=False).values[:, -1].max()
        return {"precision": (distances.min(1).values <= radius).double().mean().item()}


@dataclass(kw_only=True)
class MeanShift(Diversity):
    """The distance of the means alone, which claims what that can see."""

    name = "mean-shift"
    claims: ClassVar[dict[str, Claim]] = {
        "mean-shift": Claim("distance", ("gaussian-mean-difference/purpose",))
    }
    power: int = 2

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(f"mean-shift@{self.features}", direction="min"),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if self.features is None or len(evaluation.fake) < 2:
            raise Unavailable("a distance needs features of two samples")
        found = evaluation.features(self.features).embedding.double()
        gap = (found.mean(0) - evaluation.real(self.features).mean).norm()
        return {self.columns[0].name: (gap**self.power).item()}


@parametrize_with_checks(Count, CheapCount, Diversity, Precision, MeanShift)
def test_right_metric_conforms(check):
    check()


@dataclass(kw_only=True)
class DeclaredBadly(Count):
    """Two columns of one name, one pointing nowhere, and a protocol that is no JSON."""

    name = "declared-badly"
    columns = (Column("count"), Column("count", direction="up"))  # type: ignore[arg-type]
    caught_by = {
        "columns_are_declared_once",
        "columns_have_a_direction",
        "protocol_is_json",
        "protocol_holds_the_version",
    }
    also = mutants.MOST

    def protocol(self) -> dict[str, object]:
        return {"images": torch.zeros(1)}


@dataclass(kw_only=True)
class ClaimsTheSpread(MeanShift):
    """The distance of the means, as if it saw another spread too."""

    name = "claims-the-spread"
    caught_by = {"claimed_sanity_checks_are_passed"}
    claims: ClassVar[dict[str, Claim]] = {
        "mean-shift": Claim("distance", ("gaussian-std-difference/purpose",))
    }


@dataclass(kw_only=True)
class ClaimsWithoutAValue(Count):
    """A claim of a number that points without labels do not have."""

    name = "claims-without-a-value"
    caught_by = {"claimed_sanity_checks_are_passed"}
    claims: ClassVar[dict[str, Claim]] = {"count": Claim("diversity", ("sphere-torus/purpose",))}

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if evaluation.fake.labels is None:
            raise Unavailable("it counts labels")
        return super().compute(evaluation)


@dataclass(kw_only=True)
class ClaimsBoundsOfADistance(MeanShift):
    """A check that says nothing of a distance, which has no largest value."""

    name = "claims-bounds-of-a-distance"
    caught_by = {"claims_can_be_checked"}
    claims: ClassVar[dict[str, Claim]] = {
        "mean-shift": Claim("distance", ("gaussian-mean-difference/bounds",))
    }


@dataclass(kw_only=True)
class ClaimsForAnother(Count):
    """A claim of a column that it does not have."""

    name = "claims-for-another"
    caught_by = {"claims_can_be_checked"}
    claims: ClassVar[dict[str, Claim]] = {"counts": Claim("diversity")}


@dataclass(kw_only=True)
class ClaimsNothingKnown(Count):
    """A claim to measure what no check is about."""

    name = "claims-nothing-known"
    caught_by = {"claims_can_be_checked"}
    claims: ClassVar[dict[str, Claim]] = {"count": Claim("beauty")}  # type: ignore[arg-type]


@dataclass(kw_only=True)
class CheapAfterAll(Count):
    """The time of the training, which is not over where cheap columns are measured."""

    name = "cheap-after-all"
    cheap = True
    caught_by = {"what_is_cheap_needs_no_training"}
    also = mutants.MOST

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        if evaluation.timings is None:
            raise Unavailable("nothing was trained")
        return {"count": evaluation.timings.train_seconds}


@dataclass(kw_only=True)
class Undeclared(Count):
    """A number that no column declares."""

    name = "undeclared"
    caught_by = {"values_are_the_declared_columns"}

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {**super().compute(evaluation), "half": len(evaluation.fake) / 2}


@dataclass(kw_only=True)
class NeverGiven(Count):
    """A column that stays empty."""

    name = "never-given"
    columns = (Column("count"), Column("half"))
    caught_by = {"values_are_the_declared_columns"}


@dataclass(kw_only=True)
class GivesATensor(Count):
    """A tensor in place of a number."""

    name = "gives-a-tensor"
    caught_by = {"values_are_the_declared_columns"}

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {"count": torch.tensor(float(len(evaluation.fake)))}


@dataclass(kw_only=True)
class UpwardsFID(FID):
    """A distance of which more is better."""

    name = "upwards-fid"
    caught_by = {"identical_sets_score_best", "worse_samples_score_worse"}

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(f"fid@{self.features}", direction="max"),)


@dataclass(kw_only=True)
class DownwardsAccuracy(ConditionalAccuracy):
    """An accuracy of which less is better."""

    name = "downwards-accuracy"
    caught_by = {"identical_sets_score_best", "worse_samples_score_worse"}

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column("cond-accuracy", direction="min"),
            Column("cond-accuracy-worst", direction="min"),
        )


@dataclass(kw_only=True)
class SwappedCoverage(ModeCoverage):
    """Fewer modes are better, and so are fewer samples of high quality."""

    name = "swapped-coverage"
    caught_by = {"identical_sets_score_best", "worse_samples_score_worse"}

    @property
    def columns(self) -> tuple[Column, ...]:
        swapped = {"max": "min", "min": "min", "none": "none"}
        return tuple(Column(c.name, c.unit, swapped[c.direction]) for c in super().columns)


@dataclass(kw_only=True)
class SlownessWins(Throughput):
    """Fewer images in a second are better."""

    name = "slowness-wins"
    caught_by = {"identical_sets_score_best", "worse_samples_score_worse"}

    @property
    def columns(self) -> tuple[Column, ...]:
        return tuple(Column(column.name, column.unit, "min") for column in super().columns)


@dataclass(kw_only=True)
class CountsUp(Count):
    """The number of samples, as if more were a merit of the generator."""

    name = "counts-up"
    columns = (Column("count", direction="max"),)
    caught_by = {"worse_samples_score_worse"}


@dataclass(kw_only=True)
class FirstHalf(Diversity):
    """Only the first samples count."""

    name = "first-half"
    caught_by = {"order_of_samples_does_not_matter"}

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        found = evaluation.features(str(self.features)).embedding.double()
        if len(found) < 4:
            raise Unavailable("a distance needs features of two samples")
        return {self.columns[0].name: torch.pdist(found[: len(found) // 2]).mean().item()}


@dataclass(kw_only=True)
class RandomHalf(Diversity):
    """Only samples that chance chooses count."""

    name = "random-half"
    caught_by = {"value_is_repeatable", "order_of_samples_does_not_matter"}

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        found = evaluation.features(str(self.features)).embedding.double()
        if len(found) < 4:
            raise Unavailable("a distance needs features of two samples")
        chosen = torch.randperm(len(found))[: len(found) // 2]
        return {self.columns[0].name: torch.pdist(found[chosen]).mean().item()}


@dataclass(kw_only=True)
class DividesByDeviation(Diversity):
    """Not a number where all samples are equal."""

    name = "divides-by-deviation"
    caught_by = {"odd_samples_give_a_number_or_a_reason"}

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        (value,) = super().compute(evaluation).values()
        found = evaluation.features(str(self.features)).embedding.double()
        deviation = (found - found.mean(0)).square().mean().sqrt().item()
        return {self.columns[0].name: value if deviation else float("nan")}


@dataclass(kw_only=True)
class WantsLabels(Count):
    """It raises where the generator is not told a class."""

    name = "wants-labels"
    caught_by = {"odd_samples_give_a_number_or_a_reason"}
    also = mutants.MOST

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {"count": float(evaluation.fake.labels.numel())}


@dataclass(kw_only=True)
class CentresInPlace(Diversity):
    """The features that all metrics share are overwritten."""

    name = "centres-in-place"
    caught_by = {"evaluation_is_not_modified"}

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        found = evaluation.features(str(self.features)).embedding
        found -= found.mean(0)
        return super().compute(evaluation)


@dataclass(kw_only=True)
class CountsInDoubles(Count):
    """Whoever comes after works in float64."""

    name = "counts-in-doubles"
    caught_by = {"leaves_the_process_as_it_was"}

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        torch.set_default_dtype(torch.float64)
        return super().compute(evaluation)


@dataclass(kw_only=True)
class ScalesRealsInPlace(Diversity):
    """The real images that all metrics share are overwritten."""

    name = "scales-reals-in-place"
    caught_by = {"evaluation_is_not_modified"}

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        reals = evaluation.reals().images
        reals //= 2
        return super().compute(evaluation)


@dataclass(kw_only=True)
class ForgetsTheVersion(Count):
    """A protocol of its own alone."""

    name = "forgets-the-version"
    caught_by = {"protocol_holds_the_version"}

    def protocol(self) -> dict[str, object]:
        return {"metric": self.name}


@dataclass(kw_only=True)
class ColumnsByChance(Count):
    """A column with another name in every instance."""

    name = "columns-by-chance"
    caught_by = {"columns_do_not_change"}
    also = mutants.MOST

    def __post_init__(self) -> None:
        self.columns = (Column(f"count-{id(self)}"),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        return {self.columns[0].name: float(len(evaluation.fake))}


def test_claims_are_of_the_defaults():
    assert mutants.failures(ClaimsTheSpread(power=1)) == {}


@mutants.parametrize(
    *(cls for cls in list(globals().values()) if "caught_by" in getattr(cls, "__dict__", ()))
)
def test_wrong_metric_is_caught(mutant):
    mutants.assert_caught(mutant)
