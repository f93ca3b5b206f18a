"""A least-squares loss that asks D itself, of both batches at once, as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ganbench import Loss, Step, Terms, hookimpl


@dataclass(kw_only=True)
class ScoreOnly(Loss):
    """Least squares, with reals and fakes judged in one batch (as StudioGAN's option has it)."""

    name = "score-only"

    def discriminator_loss(self, step: Step) -> Terms:
        images = torch.cat([step.real.images, step.fake.images])
        labels = None
        if step.real.labels is not None and step.fake.labels is not None:
            labels = torch.cat([step.real.labels, step.fake.labels])
        real, fake = step.score(images, labels).logits.split(len(step.real.images))
        return {"real": (real - 1).square().mean() / 2, "fake": fake.square().mean() / 2}

    def generator_loss(self, step: Step) -> Terms:
        logits = step.score(step.fake.images, step.fake.labels).logits
        return {"adversarial": (logits - 1).square().mean() / 2}


@hookimpl
def register_losses(register):
    register(ScoreOnly)
