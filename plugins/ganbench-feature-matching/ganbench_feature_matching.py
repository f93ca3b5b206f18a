"""Feature matching for ganbench."""

from dataclasses import dataclass

from ganbench import Regularizer, Step, Terms, hookimpl


@dataclass(kw_only=True)
class FeatureMatching(Regularizer):
    """Squared distance between the mean features of reals and fakes (Salimans et al., 2016)."""

    name = "feature-matching"
    whole_batch = True
    weight: float = 1.0

    def generator_loss(self, step: Step) -> Terms:
        gap = step.real.features.mean(0) - step.fake.features.mean(0)
        return {"feature_matching": self.weight * gap.square().sum()}


@hookimpl
def register_losses(register):
    register(FeatureMatching)
