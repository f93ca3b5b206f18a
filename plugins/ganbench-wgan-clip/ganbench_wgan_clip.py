"""Wasserstein GAN with weight clipping for ganbench."""

from dataclasses import dataclass

from torch import nn

from ganbench import Loss, Recipe, Step, Terms, clip_weights, hookimpl


@dataclass(kw_only=True)
class WGANClip(Loss):
    """Wasserstein GAN with weight clipping (Arjovsky et al., 2017)."""

    name = "wgan-clip"
    recipe = Recipe(n_critic=5, optimizer="rmsprop", g_lr=5e-5, d_lr=5e-5)
    refused_norms = ("spectral",)  # what is used there are other weights than those clipped
    clip: float = 0.01

    def __post_init__(self) -> None:
        if not self.clip > 0:
            raise ValueError(f"clip must be positive, found {self.clip}")

    def discriminator_loss(self, step: Step) -> Terms:
        return {"wasserstein": step.fake.logits.mean() - step.real.logits.mean()}

    def generator_loss(self, step: Step) -> Terms:
        return {"adversarial": -step.fake.logits.mean()}

    def after_discriminator_step(self, discriminator: nn.Module) -> None:
        clip_weights(discriminator, self.clip)


@hookimpl
def register_losses(register):
    register(WGANClip)
