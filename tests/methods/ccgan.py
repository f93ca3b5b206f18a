"""CcGAN (Ding et al., 2021, arXiv 2011.07466): continuous conditions, as a plugin."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn

from ganbench import (
    Conditioning,
    DiscriminatorConditioner,
    DiscriminatorOutput,
    GeneratorConditioner,
    ImageSpec,
    LinearHead,
    Regularizer,
    Step,
    hookimpl,
)


def embedding(condition_dim: int, width: int) -> nn.Module:
    """A network in the place of a table, for there are no classes to look up."""
    return nn.Sequential(
        nn.Linear(condition_dim, width), nn.LeakyReLU(0.2), nn.Linear(width, width)
    )


class EmbeddedLatent(GeneratorConditioner):
    def __init__(self, latent_dim: int, condition_dim: int, width: int) -> None:
        super().__init__(latent_dim + width)
        self.embedding = embedding(condition_dim, width)

    def latent(self, z: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([z, self.embedding(labels)], 1)


class ProjectedVector(LinearHead):
    def __init__(self, feature_dim: int, condition_dim: int) -> None:
        super().__init__(feature_dim)
        self.embedding = embedding(condition_dim, feature_dim)

    def forward(self, features: Tensor, labels: Tensor) -> DiscriminatorOutput:
        logits = super().forward(features, labels).logits
        return DiscriminatorOutput(logits + (self.embedding(labels) * features).sum(1), features)


class Projecting(DiscriminatorConditioner):
    def __init__(self, image: ImageSpec) -> None:
        super().__init__(image.channels)
        self.condition_dim = image.condition_dim

    def head(self, feature_dim: int) -> nn.Module:
        return ProjectedVector(feature_dim, self.condition_dim)


@dataclass(kw_only=True)
class ImprovedLabelInput(Conditioning):
    """Vectors embedded by a network for G, and projected for D (their section 2.3)."""

    name = "improved-label-input"
    label_kinds = ("vectors",)
    width: int = 16

    def generator_of_vectors(self, latent_dim: int, condition_dim: int) -> GeneratorConditioner:
        return EmbeddedLatent(latent_dim, condition_dim, self.width)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return Projecting(image)


@dataclass(kw_only=True)
class Vicinal(Regularizer):
    """D judges by conditions from the vicinity of the images', Normal(y, sigma) (section 2.2)."""

    name = "vicinal"
    breaks = {"edited_images_keep_their_labels": "reals are shown as of conditions near their own"}
    needs_labels = True
    label_kinds = ("vectors",)
    sigma: float = 0.05

    def edit_discriminator_step(self, step: Step) -> Step:
        y = step.real.labels + self.sigma * torch.randn_like(step.real.labels)
        fakes = step.generate(step.latents, y).detach()
        return replace(step, real=step.real.of(step.real.images, y), fake=step.fake.of(fakes, y))


@hookimpl
def register_conditionings(register):
    register(ImprovedLabelInput)


@hookimpl
def register_losses(register):
    register(Vicinal)
