"""The built-in losses."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench import (
    InputGradients,
    Loss,
    Recipe,
    Step,
    Terms,
    gradient_penalty,
    hookimpl,
    interpolated,
)

# Beyond this logit a target outside [0, 1] pulls no further: Keras, where such targets come from,
# clips probabilities to within 1e-7 of 0 and 1. Without a bound the loss would have no least value.
CONVINCED = math.log(1e7 - 1)


@dataclass(kw_only=True)
class BCE(Loss):
    """Non-saturating GAN loss (Goodfellow et al., 2014)."""

    name = "bce"
    boundary = 0.0  # a logit: probability ½
    real_target: float = 1.0  # 0.9: one-sided label smoothing (Salimans et al., 2016)
    flip: float = 0.0  # label noise: chance that a target of D is swapped
    # Noisy labels (Foster, 2023): D's targets move outwards, to 1 + target_noise · U for real
    # images and to -target_noise · U for fakes, U uniform in [0, 1] and drawn for each image.
    target_noise: float = 0.0
    saturating: bool = False  # the minimax generator loss of the same paper
    # Of both terms of D; 0.5: their mean, which Adam does not tell from their sum
    d_weight: float = field(default=1.0, metadata={"since": "0.2.0"})
    # Likewise of G's targets, which move to 1 + g_target_noise · U
    g_target_noise: float = field(default=0.0, metadata={"since": "0.2.0"})

    def __post_init__(self) -> None:
        for name in ("real_target", "flip"):
            if not 0 <= getattr(self, name) <= 1:
                raise ValueError(f"{name} must be from 0 to 1, found {getattr(self, name)}")
        for name in ("target_noise", "g_target_noise"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")
        if not self.d_weight > 0:
            raise ValueError(f"d_weight must be positive, found {self.d_weight}")
        if self.saturating and self.g_target_noise:
            raise ValueError(
                f"g_target_noise is of targets of 1, found {self.g_target_noise} with "
                "saturating: true, whose targets are 0; leave one out"
            )

    def discriminator_loss(self, step: Step) -> Terms:
        terms = {
            "real": self._against(step.real.logits, self.real_target),
            "fake": self._against(step.fake.logits, 0.0),
        }
        if self.d_weight == 1:
            return terms
        return {name: self.d_weight * term for name, term in terms.items()}

    def generator_loss(self, step: Step) -> Terms:
        logits = step.fake.logits
        if self.saturating:
            return {"adversarial": -F.softplus(logits).mean()}
        loss = F.softplus(-logits).mean()
        if self.g_target_noise:
            loss = loss - _outwards(logits, torch.ones_like(logits), self.g_target_noise)
        return {"adversarial": loss}

    def _against(self, logits: Tensor, target: float) -> Tensor:
        if target in (0, 1) and not self.flip and not self.target_noise:
            return F.softplus(-logits if target else logits).mean()  # the same, in fewer steps
        targets = torch.full_like(logits, target)
        if self.flip:
            swapped = torch.rand_like(logits) < self.flip
            targets = torch.where(swapped, 1 - targets, targets)
        loss = F.binary_cross_entropy_with_logits(logits, targets)
        return loss - _outwards(logits, targets, self.target_noise) if self.target_noise else loss


def _outwards(logits: Tensor, targets: Tensor, most: float) -> Tensor:
    """Return what the loss loses where targets move away from ½ by noise: noise · logit."""
    outwards = torch.where(targets < 0.5, -logits, logits)
    noise = most * torch.rand_like(logits)
    return (noise * outwards.clamp(max=CONVINCED)).mean()


@dataclass(kw_only=True)
class LSGAN(Loss):
    """Least-squares GAN on raw D outputs (Mao et al., 2017)."""

    name = "lsgan"
    fake_target: float = 0.0  # a
    real_target: float = 1.0  # b
    fool_target: float = 1.0  # c

    @property
    def boundary(self) -> float:
        """Halfway between D's targets."""
        return (self.fake_target + self.real_target) / 2

    def discriminator_loss(self, step: Step) -> Terms:
        return {
            "real": 0.5 * (step.real.logits - self.real_target).square().mean(),
            "fake": 0.5 * (step.fake.logits - self.fake_target).square().mean(),
        }

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": 0.5 * (step.fake.logits - self.fool_target).square().mean()}


@dataclass(kw_only=True)
class WGAN(Loss):
    """Wasserstein GAN, whose critic needs a constraint beside it (Arjovsky et al., 2017).

    Its schedule is that of a gradient penalty; with clipped weights the paper has RMSprop at 5e-5.
    """

    name = "wgan"
    recipe = Recipe(n_critic=5, g_lr=1e-4, d_lr=1e-4, betas=(0.0, 0.9))
    needs_constraint = True

    def discriminator_loss(self, step: Step) -> Terms:
        return {"wasserstein": step.fake.logits.mean() - step.real.logits.mean()}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean()}


@dataclass(kw_only=True)
class WGANGP(WGAN):
    """Wasserstein GAN with gradient penalty (Gulrajani et al., 2017)."""

    name = "wgan-gp"
    input_gradients = InputGradients.OWN
    pairs_labels = True  # it looks between the two
    needs_constraint = False
    unasked_norms = ("spectral",)  # its paper has none
    gp_weight: float = 10.0

    def __post_init__(self) -> None:
        if self.gp_weight < 0:
            raise ValueError(f"gp_weight must not be negative, found {self.gp_weight}")

    def discriminator_loss(self, step: Step) -> Terms:
        penalty = self.gp_weight * gradient_penalty(interpolated(step))
        return {**super().discriminator_loss(step), "gradient_penalty": penalty}


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    for loss in (BCE, LSGAN, WGAN, WGANGP):
        register(loss)
