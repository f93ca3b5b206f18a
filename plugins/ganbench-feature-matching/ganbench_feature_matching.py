"""Feature matching for ganbench."""

from collections.abc import Callable
from dataclasses import dataclass

from ganbench import Loss, Regularizer, Step, Terms, hookimpl


@dataclass(kw_only=True)
class FeatureMatching(Regularizer):
    """Squared distance between the mean features of reals and fakes (Salimans et al., 2016)."""

    name = "feature-matching"
    whole_batch = True
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"weight must not be negative, found {self.weight}")

    def generator_loss(self, step: Step) -> Terms:
        gap = step.real.features.mean(0) - step.fake.features.mean(0)
        return {"feature_matching": self.weight * gap.square().sum()}


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(FeatureMatching)
