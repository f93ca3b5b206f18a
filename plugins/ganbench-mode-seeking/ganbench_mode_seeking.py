"""Mode-seeking regularization for ganbench."""

from collections.abc import Callable
from dataclasses import dataclass

import torch

from ganbench import Loss, Regularizer, Step, Terms, hookimpl


@dataclass(kw_only=True)
class ModeSeeking(Regularizer):
    """Distant latents of one label are to give distant images (Mao et al., 2019)."""

    name = "mode-seeking"
    whole_batch = True
    weight: float = 1.0
    eps: float = 1e-5

    def __post_init__(self) -> None:
        if self.weight < 0:
            raise ValueError(f"weight must not be negative, found {self.weight}")
        if not self.eps > 0:
            raise ValueError(f"eps must be positive, found {self.eps}")

    def generator_loss(self, step: Step) -> Terms:
        latents = torch.randn_like(step.latents)
        images = step.generate(latents, step.fake.labels)
        image_distance = (images - step.fake.images).abs().mean()
        latent_distance = (latents - step.latents).abs().mean()
        return {"mode_seeking": self.weight / (image_distance / latent_distance + self.eps)}


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(ModeSeeking)
