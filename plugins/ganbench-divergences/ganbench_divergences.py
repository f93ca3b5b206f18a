"""Other divergences and distances for ganbench: f-GAN, WGAN-LP, WGAN-div and Fisher GAN."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench import (
    InputGradients,
    Loss,
    Recipe,
    Scheduled,
    Step,
    Terms,
    gradient_penalty,
    hookimpl,
    interpolated,
    logit_per_image,
    norm_per_sample,
)

Divergence = Literal["kl", "reverse-kl", "pearson", "neyman", "hellinger", "js", "gan"]

ACTIVATIONS: dict[Divergence, Callable[[Tensor], Tensor]] = {
    "kl": lambda v: v,
    "reverse-kl": lambda v: -torch.exp(-v),
    "pearson": lambda v: v,
    "neyman": lambda v: 1 - torch.exp(-v),
    "hellinger": lambda v: 1 - torch.exp(-v),
    "js": lambda v: math.log(2) - F.softplus(-v),
    "gan": lambda v: -F.softplus(-v),
}
"""g of D's logit v, which is where the conjugate is defined."""

CONJUGATES: dict[Divergence, Callable[[Tensor], Tensor]] = {
    "kl": lambda v: torch.exp(v - 1),
    "reverse-kl": lambda v: v - 1,
    "pearson": lambda v: v.square() / 4 + v,
    "neyman": lambda v: 2 - 2 * torch.exp(-v / 2),
    "hellinger": lambda v: torch.exp(v) - 1,
    "js": lambda v: F.softplus(v) - math.log(2),
    "gan": lambda v: F.softplus(v),
}
"""The convex conjugate f* at g(v), with the two put together."""


@dataclass(kw_only=True)
class FGAN(Loss):
    """An f-divergence, bounded from below by its conjugate (Nowozin et al., 2016)."""

    name = "f-gan"
    divergence: Divergence = "js"
    saturating: bool = False  # G minimises the bound itself

    @property
    def boundary(self) -> float:
        """The logit where both densities are equal."""
        return 1.0 if self.divergence == "kl" else 0.0

    def discriminator_loss(self, step: Step) -> Terms:
        return {"real": -self._at(step.real.logits), "fake": self._bound(step.fake.logits)}

    def generator_loss(self, step: Step) -> Terms:
        logits = step.fake.logits
        return {"adversarial": -self._bound(logits) if self.saturating else -self._at(logits)}

    def _at(self, logits: Tensor) -> Tensor:
        return ACTIVATIONS[self.divergence](logits).mean()

    def _bound(self, logits: Tensor) -> Tensor:
        return CONJUGATES[self.divergence](logits).mean()


@dataclass(kw_only=True)
class Distance(Loss):
    """D's mean logits, apart."""

    recipe = Recipe(n_critic=5, g_lr=1e-4, d_lr=1e-4, betas=(0.0, 0.9))

    def discriminator_loss(self, step: Step) -> Terms:
        return {"distance": step.fake.logits.mean() - step.real.logits.mean()}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean()}


@dataclass(kw_only=True)
class Penalised(Distance):
    """A distance with a penalty of its own between reals and fakes."""

    input_gradients = InputGradients.OWN
    pairs_labels = True
    unasked_norms = ("spectral",)


@dataclass(kw_only=True)
class WGANLP(Penalised):
    """Wasserstein GAN, penalised for slopes above one alone (Petzka et al., 2018)."""

    name = "wgan-lp"
    weight: Scheduled = 10.0

    def __post_init__(self) -> None:
        _check_not_negative(self, "weight")

    def discriminator_loss(self, step: Step) -> Terms:
        penalty = gradient_penalty(interpolated(step), one_sided=True)
        return {**super().discriminator_loss(step), "gradient_penalty": self.weight * penalty}


@dataclass(kw_only=True)
class WGANDiv(Penalised):
    """The Wasserstein divergence, with a power of D's slope (Wu et al., 2018)."""

    name = "wgan-div"
    weight: Scheduled = 2.0  # k
    power: float = 6.0  # p

    def __post_init__(self) -> None:
        _check_not_negative(self, "weight")
        if not self.power > 1:
            raise ValueError(f"power must be above 1, found {self.power}")

    def discriminator_loss(self, step: Step) -> Terms:
        slope = norm_per_sample(interpolated(step).input_gradient)
        penalty = slope.pow(self.power).mean()
        return {**super().discriminator_loss(step), "gradient_power": self.weight * penalty}


@dataclass(kw_only=True)
class FisherGAN(Distance):
    """The distance in units of D's second moment (Mroueh & Sercu, 2017)."""

    name = "fisher"
    whole_batch = True
    rho: float = 1e-6  # weight of the square, and the rate of the multiplier
    multiplier: Tensor = field(default_factory=lambda: torch.zeros(()), init=False, compare=False)

    def __post_init__(self) -> None:
        _check_not_negative(self, "rho")

    def discriminator_loss(self, step: Step) -> Terms:
        second = [logit_per_image(one.logits).square().mean() for one in (step.real, step.fake)]
        missing = 1 - (second[0] + second[1]) / 2
        multiplier = self.multiplier.to(missing.device)
        self.multiplier = multiplier - self.rho * missing.detach()
        constraint = -multiplier * missing + self.rho / 2 * missing.square()
        return {**super().discriminator_loss(step), "second_moment": constraint}


def _check_not_negative(loss: Loss, name: str) -> None:
    if getattr(loss, name) < 0:
        raise ValueError(f"{name} must not be negative, found {getattr(loss, name)}")


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    for loss in (FGAN, WGANLP, WGANDiv, FisherGAN):
        register(loss)
