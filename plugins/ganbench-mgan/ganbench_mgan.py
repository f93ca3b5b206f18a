"""MGAN for ganbench: several generators, and a classifier that tells them apart."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import (
    Conditioning,
    DiscriminatorConditioner,
    GeneratorConditioner,
    ImageSpec,
    LinearHead,
    Step,
    Terms,
    hookimpl,
)


def chosen(z: Tensor, generators: int) -> Tensor:
    """Return which generator a latent is for, (N,): each as often, by its first coordinate."""
    uniform = (1 + torch.erf(z[:, 0] / 2**0.5)) / 2
    return (uniform * generators).floor().clamp(0, generators - 1).long()


class FirstLayers(GeneratorConditioner):
    """A linear layer of each generator's own, before all that they share."""

    def __init__(self, latent_dim: int, generators: int) -> None:
        super().__init__(latent_dim)
        self.generators = generators
        self.weights = nn.Parameter(torch.empty(generators, latent_dim, latent_dim))
        self.biases = nn.Parameter(torch.randn(generators, latent_dim))
        nn.init.normal_(self.weights, std=latent_dim**-0.5)

    def latent(self, z: Tensor, labels: Tensor | None) -> Tensor:
        index = chosen(z, self.generators)
        return (self.weights[index] @ z[:, :, None]).squeeze(2) + self.biases[index]


class ToldApart(DiscriminatorConditioner):
    """A classifier of generators on D's features, which learns with D."""

    def __init__(self, image: ImageSpec, generators: int, weight: float) -> None:
        super().__init__(image.channels)
        self.generators, self.weight = generators, weight

    def head(self, feature_dim: int) -> nn.Module:
        self.classifier = nn.Linear(feature_dim, self.generators)
        return LinearHead(feature_dim)

    def discriminator_loss(self, step: Step) -> Terms:
        return {"generator": self._cross_entropy(step)}

    def generator_loss(self, step: Step) -> Terms:
        return {"generator": self.weight * self._cross_entropy(step)}

    def _cross_entropy(self, step: Step) -> Tensor:
        told = self.classifier(step.fake.features)
        return F.cross_entropy(told, chosen(step.latents, self.generators))


@dataclass(kw_only=True)
class MGAN(Conditioning):
    """Several generators that a classifier can tell apart (Hoang et al., 2018)."""

    name = "mgan"
    needs_labels = False
    generators: int = 10
    weight: float = 1.0  # of the classifier's term for the generators

    def __post_init__(self) -> None:
        if self.generators < 2:
            raise ValueError(f"generators must be at least 2, found {self.generators}")
        if self.weight < 0:
            raise ValueError(f"weight must not be negative, found {self.weight}")

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return FirstLayers(latent_dim, self.generators)

    def generator_of_vectors(self, latent_dim: int, condition_dim: int) -> GeneratorConditioner:
        return FirstLayers(latent_dim, self.generators)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return ToldApart(image, self.generators, self.weight)


@hookimpl
def register_conditionings(register: Callable[[type[Conditioning]], None]) -> None:
    register(MGAN)
