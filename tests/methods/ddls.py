"""DDLS (Che et al., 2020, "Your GAN is secretly an energy-based model"): Langevin dynamics in the
latent space, towards where D finds the images real. For priors that are standard normal."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench import Sampling, SamplingMethod, hookimpl


@dataclass(kw_only=True)
class DDLS(SamplingMethod):
    """Latents follow the energy |z|²/2 - D(G(z)) by Langevin dynamics (Che et al., 2020)."""

    name = "ddls"
    needs_discriminator = True
    steps: int = 20
    step_size: float = 0.01
    noise: float = 1.0  # 1: of the dynamics; 0: downhill alone

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        latents = model.prior(count, rng)
        for _ in range(self.steps):
            noise = torch.randn(latents.shape, generator=rng)
            slopes = [
                self.slope(model, piece, None if labels is None else labels[at])
                for at, piece in self._pieces(latents, model.at_once)
            ]
            step = self.noise * self.step_size**0.5 * noise
            latents = latents - self.step_size / 2 * torch.cat(slopes) + step
        return model.images(latents, labels)

    def slope(self, model: Sampling, latents: Tensor, labels: Tensor | None) -> Tensor:
        z = latents.clone().requires_grad_()
        logits = model.score(model.generate(z, labels), labels).logits
        energy = z.square().sum() / 2 - logits.sum().to(z.device)
        (slope,) = torch.autograd.grad(energy, z)
        return slope

    def _pieces(self, latents: Tensor, at_once: int) -> list[tuple[slice, Tensor]]:
        starts = range(0, len(latents), at_once)
        return [(slice(s, s + at_once), latents[s : s + at_once]) for s in starts]


@hookimpl
def register_samplers(register) -> None:
    register(DDLS)
