"""BEGAN's proportional control (Berthelot et al., 2017, arXiv 1703.10717), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganbench import Loss, Step, Terms, hookimpl


@dataclass(kw_only=True)
class Equilibrium(Loss):
    """Weigh the energy of fakes by a `k` that starts at 0 and keeps both energies in proportion.

    An energy is a negative logit; BEGAN's own is the error of an auto-encoder.
    """

    name = "equilibrium"
    whole_batch = True
    ratio: float = 0.5  # of the energies of fakes and reals, which k aims at
    gain: float = 0.01
    k: Tensor = field(default_factory=lambda: torch.zeros(()), init=False, compare=False)

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = (-scored.logits.mean() for scored in (step.real, step.fake))
        k = self.k.to(real.device)
        difference = self.ratio * real.detach() - fake.detach()
        self.k = (k + self.gain * difference).clamp(0, 1)
        return {"real": real, "fake": -k * fake}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean()}


@hookimpl
def register_losses(register):
    register(Equilibrium)
