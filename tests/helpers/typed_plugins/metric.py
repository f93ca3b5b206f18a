"""A metric of two numbers, one of them of each class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from ganbench import Column, Evaluation, Metric, OfClasses, Unavailable, hookimpl, require_classes


@dataclass(kw_only=True)
class Typed(Metric):
    """Variance of features over the data's own, and the largest class's share."""

    name = "typed"
    cheap = True
    version = 2
    features: str | None = None

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column(f"typed@{self.features}", direction="none", digits=3),
            Column("typed-largest-class", direction="min", digits=3),
        )

    def compute(self, evaluation: Evaluation) -> Mapping[str, float | Unavailable]:
        if self.features is None:
            raise Unavailable("no feature extractor is named")
        variance, largest = (column.name for column in self.columns)
        samples = evaluation.features(self.features).embedding.double()
        data = evaluation.real(self.features).covariance.trace()
        if len(samples) < 2:
            raise Unavailable("one sample has no variance")
        found = (samples.var(0).sum() / data).item()
        return {variance: found, largest: self._largest(evaluation)}

    def _largest(self, evaluation: Evaluation) -> float | Unavailable:
        try:
            count = require_classes(evaluation)
            shares = evaluation.classes().bincount(minlength=count).double()
        except Unavailable as error:
            return error
        by_name = {str(i): share.item() for i, share in enumerate(shares / shares.sum())}
        which = max(by_name, key=by_name.__getitem__)
        return OfClasses(by_name[which], by_name, which)


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(Typed)
