"""InfoGAN's latent codes for ganbench."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import (
    Conditioning,
    DiscriminatorConditioner,
    GeneratorConditioner,
    ImageSpec,
    Loss,
    Owned,
    Regularizer,
    Shapes,
    Step,
    Terms,
    hookimpl,
)


class Codes(NamedTuple):
    """Which codes latents hold: a category in the first coordinate, then numbers."""

    categories: int
    continuous: int

    @property
    def taken(self) -> int:
        """How many coordinates of a latent they are made of."""
        return bool(self.categories) + self.continuous

    @property
    def read(self) -> int:
        """How many numbers say what Q makes of an image."""
        return self.categories + 2 * self.continuous

    def of(self, z: Tensor) -> tuple[Tensor, Tensor]:
        """Return the categories (N,) and the numbers (N, C), uniform in [-1, 1], of latents."""
        uniform = (1 + torch.erf(z[:, : self.taken] / 2**0.5)) / 2
        category = (uniform[:, 0] * self.categories).floor().clamp(0, max(self.categories - 1, 0))
        return category.long(), 2 * uniform[:, bool(self.categories) :] - 1


class CodedLatent(GeneratorConditioner):
    """The codes, and what is left of z."""

    def __init__(self, latent_dim: int, codes: Codes) -> None:
        super().__init__(latent_dim - codes.taken + codes.categories + codes.continuous)
        if latent_dim < codes.taken:
            raise ValueError(f"{codes.taken} codes need as many latents, found {latent_dim}")
        self.codes = codes
        self.register_buffer("one_hot", torch.eye(codes.categories), persistent=False)

    def latent(self, z: Tensor, labels: Tensor | None) -> Tensor:
        category, numbers = self.codes.of(z)
        chosen = [self.one_hot[category]] if self.codes.categories else []
        return torch.cat([*chosen, numbers, z[:, self.codes.taken :]], 1)


class Informed(DiscriminatorConditioner):
    """Q, which learns with G, reads the codes back from D's features."""

    def __init__(self, image: ImageSpec, method: InfoCodes) -> None:
        super().__init__(image.channels)
        self.method = method

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        q = reader(shapes.feature_dim, self.method.width, self.method.codes.read)
        return {"q": Owned(q, "generator")}

    def discriminator_loss(self, step: Step) -> Terms:
        return self._terms(step) if self.method.shared else {}

    def generator_loss(self, step: Step) -> Terms:
        return self._terms(step)

    def _terms(self, step: Step) -> Terms:
        method, codes = self.method, self.method.codes
        category, numbers = codes.of(step.latents)
        told = step.own["q"](step.fake.features)
        terms: Terms = {}
        if codes.categories:
            wrong = F.cross_entropy(told[:, : codes.categories], category)
            terms["category"] = method.discrete_weight * wrong
        if codes.continuous:
            mean, log_variance = told[:, codes.categories :].chunk(2, 1)
            surprise = (numbers - mean).square() / log_variance.exp() + log_variance
            terms["numbers"] = method.continuous_weight * surprise.mean() / 2
        return terms


def reader(feature_dim: int, width: int, outputs: int) -> nn.Module:
    """Return a perceptron of one hidden layer, as Q is beside D's layers."""
    return nn.Sequential(
        nn.Linear(feature_dim, width), nn.LeakyReLU(0.1), nn.Linear(width, outputs)
    )


@dataclass(kw_only=True)
class InfoCodes(Conditioning):
    """A category and numbers among the latents, which Q reads back (Chen et al., 2016)."""

    name = "infogan"
    needs_labels = False
    categories: int = 10  # 0: no discrete code
    continuous: int = 2
    discrete_weight: float = 1.0
    continuous_weight: float = 0.1
    width: int = 128  # of Q's hidden layer
    shared: bool = True  # D's layers learn to tell codes, too

    def __post_init__(self) -> None:
        if self.categories < 0 or self.categories == 1 or self.continuous < 0:
            raise ValueError(
                "expected no categories or at least 2, and no negative number of continuous codes, "
                f"found {self.categories} and {self.continuous}"
            )
        if not self.codes.taken:
            raise ValueError("there is no code; give categories, continuous or both")
        for name in ("discrete_weight", "continuous_weight"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")
        if self.width < 1:
            raise ValueError(f"width must be positive, found {self.width}")

    @property
    def codes(self) -> Codes:
        """What latents hold."""
        return Codes(self.categories, self.continuous)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return CodedLatent(latent_dim, self.codes)

    def generator_of_vectors(self, latent_dim: int, condition_dim: int) -> GeneratorConditioner:
        return CodedLatent(latent_dim, self.codes)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return Informed(image, self)


@dataclass(kw_only=True)
class InfoGAN(Regularizer):
    """Q, which learns with G, reads the first latents back, as they are (Chen et al., 2016)."""

    name = "infogan"
    codes: int = 2
    weight: float = 1.0

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        return {"q": Owned(reader(shapes.feature_dim, 64, self.codes), "generator")}

    def generator_loss(self, step: Step) -> Terms:
        read = step.own["q"](step.fake.features)
        return {"information": self.weight * F.mse_loss(read, step.latents[:, : self.codes])}


@hookimpl
def register_conditionings(register: Callable[[type[Conditioning]], None]) -> None:
    register(InfoCodes)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(InfoGAN)
