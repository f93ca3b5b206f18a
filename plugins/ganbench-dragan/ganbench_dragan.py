"""DRAGAN for ganbench."""

from collections.abc import Callable
from dataclasses import dataclass

import torch.nn.functional as F

from ganbench import (
    InputGradients,
    Loss,
    Step,
    Terms,
    gradient_penalty,
    hookimpl,
    perturbed,
)


@dataclass(kw_only=True)
class DRAGAN(Loss):
    """Non-saturating GAN with gradient penalty around the reals (Kodali et al., 2017).

    The penalty is taken at the perturbed reals themselves, not between them and the reals.
    """

    name = "dragan"
    whole_batch = True  # the perturbation is as large as the batch is wide
    boundary = 0.0
    input_gradients = InputGradients.OWN
    unasked_norms = ("spectral",)  # its paper has none
    gp_weight: float = 10.0
    noise: float = 0.5  # largest perturbation, in standard deviations of the batch

    def __post_init__(self) -> None:
        for name in ("gp_weight", "noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")

    def discriminator_loss(self, step: Step) -> Terms:
        penalty = self.gp_weight * gradient_penalty(perturbed(step, self.noise))
        return {
            "real": F.softplus(-step.real.logits).mean(),
            "fake": F.softplus(step.fake.logits).mean(),
            "gradient_penalty": penalty,
        }

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": F.softplus(-step.fake.logits).mean()}


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(DRAGAN)
