"""The built-in losses."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from ganbench import InputGradients, Loss, Recipe, Step, Terms, hookimpl, norm_per_sample


@dataclass(kw_only=True)
class BCE(Loss):
    """Non-saturating GAN loss (Goodfellow et al., 2014)."""

    name = "bce"
    real_target: float = 1.0  # 0.9: one-sided label smoothing (Salimans et al., 2016)
    flip: float = 0.0  # label noise: chance that a target of D is swapped
    saturating: bool = False  # the minimax generator loss of the same paper

    def discriminator_loss(self, step: Step) -> Terms:
        return {
            "real": self._against(step.real.logits, self.real_target),
            "fake": self._against(step.fake.logits, 0.0),
        }

    def generator_loss(self, step: Step) -> Terms:
        if self.saturating:
            return {"adversarial": -F.softplus(step.fake.logits).mean()}
        return {"adversarial": F.softplus(-step.fake.logits).mean()}

    def _against(self, logits: Tensor, target: float) -> Tensor:
        targets = torch.full_like(logits, target)
        if self.flip:
            swapped = torch.rand_like(logits) < self.flip
            targets = torch.where(swapped, 1 - targets, targets)
        return F.binary_cross_entropy_with_logits(logits, targets)


@dataclass(kw_only=True)
class LSGAN(Loss):
    """Least-squares GAN on raw D outputs (Mao et al., 2017)."""

    name = "lsgan"
    fake_target: float = 0.0  # a
    real_target: float = 1.0  # b
    fool_target: float = 1.0  # c

    def discriminator_loss(self, step: Step) -> Terms:
        return {
            "real": 0.5 * (step.real.logits - self.real_target).square().mean(),
            "fake": 0.5 * (step.fake.logits - self.fake_target).square().mean(),
        }

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": 0.5 * (step.fake.logits - self.fool_target).square().mean()}


@dataclass(kw_only=True)
class WGANGP(Loss):
    """Wasserstein GAN with gradient penalty (Gulrajani et al., 2017)."""

    name = "wgan-gp"
    recipe = Recipe(n_critic=5, g_lr=1e-4, d_lr=1e-4, betas=(0.0, 0.9))
    input_gradients = InputGradients.OWN
    gp_weight: float = 10.0

    def discriminator_loss(self, step: Step) -> Terms:
        alpha = torch.rand_like(step.real.images[:, :1, :1, :1])
        between = torch.lerp(step.fake.images, step.real.images, alpha)
        scored = step.score(between, step.real.labels, track_inputs=True)
        slope = norm_per_sample(scored.input_gradient)
        return {
            "wasserstein": step.fake.logits.mean() - step.real.logits.mean(),
            "gradient_penalty": self.gp_weight * (slope - 1).square().mean(),
        }

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean()}


@hookimpl
def register_losses(register) -> None:
    for loss in (BCE, LSGAN, WGANGP):
        register(loss)
