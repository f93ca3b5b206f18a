"""Feature matching for ganbench."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

from torch import Tensor

from ganbench import Loss, Regularizer, Scored, Step, Terms, hookimpl


@dataclass(kw_only=True)
class FeatureMatching(Regularizer):
    """Squared distance between the mean features of reals and fakes (Salimans et al., 2016)."""

    name = "feature-matching"
    whole_batch = True
    weight: float = 1.0
    # Of D by name, or patterns; left out: what its head sees
    layers: tuple[str, ...] = field(default=(), metadata={"since": "0.2.0"})
    # Of squared gaps: their sum, their mean, or their mean in units of the reals' own variance
    scale: Literal["sum", "mean", "relative"] = field(default="sum", metadata={"since": "0.2.0"})

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"weight must not be negative, found {self.weight}")

    @property
    def looks_ahead(self) -> bool:
        """Whether D must stay uncompiled, for its layers to be seen."""
        return bool(self.layers)

    @property
    def asked_first(self) -> bool:
        """Whether layers are noted in the pass of D that all losses share."""
        return bool(self.layers)

    def generator_loss(self, step: Step) -> Terms:
        gaps = [
            self._gap(real, fake)
            for real, fake in zip(self._features(step.real), self._features(step.fake), strict=True)
        ]
        return {"feature_matching": self.weight * sum(gaps[1:], gaps[0])}

    def _features(self, scored: Scored) -> list[Tensor]:
        if not self.layers:
            return [scored.features]
        return [made.flatten(1) for made in scored.layers(*self.layers).values()]

    def _gap(self, real: Tensor, fake: Tensor) -> Tensor:
        gap = (real.mean(0) - fake.mean(0)).square()
        if self.scale == "sum":
            return gap.sum()
        if self.scale == "mean":
            return gap.mean()
        return gap.mean() / real.detach().var(0, correction=0).mean().clamp(min=1e-12)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(FeatureMatching)
