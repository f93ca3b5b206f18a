"""Relativistic average GAN for ganbench."""

from dataclasses import dataclass

import torch.nn.functional as F

from ganbench import Loss, Step, Terms, hookimpl


@dataclass(kw_only=True)
class RelativisticAverage(Loss):
    """Each logit against the mean logit of the other kind (Jolicoeur-Martineau, 2018)."""

    name = "ragan"
    whole_batch = True

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = step.real.logits, step.fake.logits
        return {
            "real": F.softplus(fake.mean() - real).mean(),
            "fake": F.softplus(fake - real.mean()).mean(),
        }

    def generator_loss(self, step: Step) -> Terms:
        real, fake = step.real.logits, step.fake.logits
        return {
            "real": F.softplus(real - fake.mean()).mean(),
            "fake": F.softplus(real.mean() - fake).mean(),
        }


@hookimpl
def register_losses(register):
    register(RelativisticAverage)
