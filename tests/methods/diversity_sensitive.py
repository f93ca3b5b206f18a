"""Diversity-sensitive conditional GAN (arXiv 1901.09024), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

from ganbench import Regularizer, Scheduled, Step, Terms, hookimpl


@dataclass(kw_only=True)
class DiversitySensitive(Regularizer):
    """Other latents of the same label must make other images, up to a bound (Yang et al., 2019).

    The other latents are a neighbour's in the batch, and so of the prior, whatever that is.
    """

    name = "diversity-sensitive"
    whole_batch = True  # latents are paired within it
    weight: Scheduled = 1.0
    bound: float = 10.0

    def generator_loss(self, step: Step) -> Terms:
        other = step.latents.roll(1, 0)
        images = step.generate(other, step.fake.labels)
        apart = (images - step.fake.images).abs().flatten(1).mean(1)
        latents_apart = (other - step.latents).abs().mean(1).clamp_min(1e-5)
        return {"diversity": -self.weight * (apart / latents_apart).clamp(max=self.bound).mean()}


@hookimpl
def register_losses(register):
    register(DiversitySensitive)
