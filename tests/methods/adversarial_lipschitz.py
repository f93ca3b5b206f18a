"""Adversarial Lipschitz regularisation (arXiv 1907.05681), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F

from ganbench import (
    InputGradients,
    Regularizer,
    Scheduled,
    Step,
    Terms,
    hookimpl,
    logit_per_image,
    norm_per_sample,
)


@dataclass(kw_only=True)
class AdversarialLipschitz(Regularizer):
    """D's slope towards the direction in which it says most else (Terjék, 2020)."""

    name = "adversarial-lipschitz"
    input_gradients = InputGradients.OWN
    constrains = True
    unasked_norms = ("spectral",)
    weight: Scheduled = 100.0
    xi: float = 0.1  # length of the step of the power iteration
    reach: float = 1.0  # of the perturbation

    def discriminator_loss(self, step: Step) -> Terms:
        images = torch.cat([step.real.images, step.fake.images]).detach()
        labels = step.real.labels
        if labels is not None:
            labels = torch.cat([step.real.labels, step.fake.labels])
        before = torch.cat([logit_per_image(step.real.logits), logit_per_image(step.fake.logits)])
        start = self.xi * _unit(torch.randn_like(images))
        moved = step.score(images + start, labels, track_inputs=True)
        sign = (logit_per_image(moved.logits) - before).detach().sign()
        sign = torch.where(sign == 0, torch.ones_like(sign), sign).view(-1, 1, 1, 1)
        direction = _unit(sign * moved.input_gradient.detach())
        worst = step.score(images + self.reach * direction, labels)
        slope = (logit_per_image(worst.logits) - before).abs() / self.reach
        return {"lipschitz": self.weight * F.relu(slope - 1).square().mean()}


def _unit(x):
    return x / norm_per_sample(x).view(-1, 1, 1, 1)


@hookimpl
def register_losses(register):
    register(AdversarialLipschitz)
