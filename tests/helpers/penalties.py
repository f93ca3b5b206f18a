"""Terms of a WGAN-GP, for losses that get one part of it wrong."""

from __future__ import annotations

import torch
from torch import Tensor

from ganbench import Step, Terms, norm_per_sample
from ganbench.default_plugins.losses import WGANGP


def wgan(loss: WGANGP, step: Step) -> Terms:
    return WGANGP.discriminator_loss(loss, step)


def penalised(loss: WGANGP, step: Step, alpha: Tensor, labels: Tensor | None) -> Terms:
    """WGAN-GP's terms with coefficients and labels of one's own."""
    between = torch.lerp(step.fake.images, step.real.images, alpha)
    scored = step.score(between, labels, track_inputs=True)
    penalty = loss.gp_weight * (norm_per_sample(scored.input_gradient) - 1).square().mean()
    return {"w": step.fake.logits.mean() - step.real.logits.mean(), "penalty": penalty}
