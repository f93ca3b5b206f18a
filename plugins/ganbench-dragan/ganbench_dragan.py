"""DRAGAN for ganbench."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ganbench import InputGradients, Loss, Step, Terms, hookimpl, norm_per_sample


@dataclass(kw_only=True)
class DRAGAN(Loss):
    """Non-saturating GAN with gradient penalty around the reals (Kodali et al., 2017).

    The penalty is taken at the perturbed reals themselves, not between them and the reals.
    """

    name = "dragan"
    whole_batch = True  # the perturbation is as large as the batch is wide
    boundary = 0.0
    input_gradients = InputGradients.OWN
    gp_weight: float = 10.0
    noise: float = 0.5  # largest perturbation, in standard deviations of the batch

    def __post_init__(self) -> None:
        for name in ("gp_weight", "noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")

    def discriminator_loss(self, step: Step) -> Terms:
        images = step.real.images
        reach = self.noise * images.std(correction=0)
        perturbed = images + reach * torch.rand_like(images)
        scored = step.score(perturbed, step.real.labels, track_inputs=True)
        slope = norm_per_sample(scored.input_gradient)
        return {
            "real": F.softplus(-step.real.logits).mean(),
            "fake": F.softplus(step.fake.logits).mean(),
            "gradient_penalty": self.gp_weight * (slope - 1).square().mean(),
        }

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": F.softplus(-step.fake.logits).mean()}


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(DRAGAN)
