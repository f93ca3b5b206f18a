"""A conditioning of both players, with norm layers, a head and a term of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganbench import (
    Conditioning,
    DiscriminatorConditioner,
    DiscriminatorOutput,
    GeneratorConditioner,
    ImageSpec,
    LinearHead,
    PlainNorm,
    Unconditioned,
    hookimpl,
)


class Appended(GeneratorConditioner):
    """z ++ E(y), and norm layers that are told nothing."""

    def __init__(self, latent_dim: int, num_classes: int, embedding_dim: int) -> None:
        super().__init__(latent_dim + embedding_dim)
        self.embedding = nn.Embedding(num_classes, embedding_dim)

    def latent(self, z: Tensor, labels: Tensor | None) -> Tensor:
        return torch.cat([z, self.embedding(labels)], dim=1)

    def norm(self, plain: PlainNorm, channels: int) -> nn.Module:
        return Unconditioned(plain(channels, affine=True))


class Head(LinearHead):
    """w·h + E(y)·h."""

    def __init__(self, feature_dim: int, num_classes: int) -> None:
        super().__init__(feature_dim)
        self.embedding = nn.Embedding(num_classes, feature_dim)
        nn.init.normal_(self.embedding.weight, std=feature_dim**-0.5)

    def forward(self, features: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        plain = super().forward(features, labels)
        told: Tensor = self.embedding(labels)
        return plain._replace(logits=plain.logits + (told * features).sum(1))


class Judge(DiscriminatorConditioner):
    """D's image stays as it is; its head is told the label."""

    def __init__(self, image: ImageSpec) -> None:
        super().__init__(image.channels)
        self.num_classes = image.num_classes

    def head(self, feature_dim: int) -> nn.Module:
        return Head(feature_dim, self.num_classes)


@dataclass(kw_only=True)
class Typed(Conditioning):
    """An embedding beside G's latent, and another in D's head."""

    name = "typed"
    embedding_dim: int = 16

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return Appended(latent_dim, num_classes, self.embedding_dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return Judge(image)


@hookimpl
def register_conditionings(register: Callable[[type[Conditioning]], None]) -> None:
    register(Typed)
