"""The prior of the built-in architectures, as files say it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from ganbench import Architecture

Prior = Literal["normal", "uniform"]
LATER = {"since": "0.2.0"}


@dataclass(kw_only=True)
class WithPrior(Architecture):
    """Latents that are standard normal, or uniform where a file says so."""

    # Of the latents: standard normal, or uniform in [-1, 1]
    prior: Prior = field(default="normal", metadata=LATER)

    def latents(
        self, count: int, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Draw from a standard normal, or uniformly from [-1, 1]."""
        if self.prior == "normal":
            return super().latents(count, generator, device)
        return 2 * torch.rand(count, self.latent_dim, generator=generator, device=device) - 1
