"""Energy-based GANs for ganbench, whose D is an autoencoder: EBGAN and BEGAN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Loss, Owned, Recipe, Scored, Shapes, Step, Terms, hookimpl


class Decoder(nn.Module):
    """Images of the features that D's head would see."""

    def __init__(self, shapes: Shapes, width: int) -> None:
        super().__init__()
        image = shapes.image
        self.shape = (image.channels, image.resolution, image.resolution)
        self.layers = nn.Sequential(
            nn.Linear(shapes.feature_dim, width),
            nn.ELU(),
            nn.Linear(width, image.channels * image.resolution**2),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features).view(-1, *self.shape)


@dataclass(kw_only=True)
class Autoencoding(Loss):
    """D's backbone encodes, a network of the loss's own decodes, and the head is idle."""

    whole_batch = True
    width: int = 128  # of the decoder's hidden layer

    def __post_init__(self) -> None:
        if self.width < 1:
            raise ValueError(f"width must be positive, found {self.width}")

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        return {"decoder": Owned(Decoder(shapes, self.width), "discriminator")}

    def decoded(self, step: Step, scored: Scored) -> Tensor:
        """Return what comes out of the autoencoder for these images."""
        return step.own["decoder"](scored.features)


@dataclass(kw_only=True)
class EBGAN(Autoencoding):
    """Errors of an autoencoder, low for reals and at a margin for fakes (Zhao et al., 2017)."""

    name = "ebgan"
    margin: float = 1.0
    repelling: float = 0.0  # weight of the term that pulls a batch's codes apart

    def __post_init__(self) -> None:
        super().__post_init__()
        for name in ("margin", "repelling"):
            if getattr(self, name) < 0:
                raise ValueError(f"{name} must not be negative, found {getattr(self, name)}")

    def discriminator_loss(self, step: Step) -> Terms:
        below = F.relu(self.margin - self._energy(step, step.fake)).mean()
        return {"real": self._energy(step, step.real).mean(), "fake": below}

    def generator_loss(self, step: Step) -> Terms:
        terms = {"energy": self._energy(step, step.fake).mean()}
        if self.repelling:
            terms["repelling"] = self.repelling * pulled_away(step.fake.features)
        return terms

    def _energy(self, step: Step, scored: Scored) -> Tensor:
        return (self.decoded(step, scored) - scored.images).square().flatten(1).mean(1)


def pulled_away(codes: Tensor) -> Tensor:
    """Return the mean squared cosine of all pairs of different codes (N, F)."""
    codes = F.normalize(codes, dim=1)
    squares = (codes @ codes.T).square()
    count = len(codes)
    return (squares.sum() - squares.diagonal().sum()) / max(1, count * (count - 1))


@dataclass(kw_only=True)
class BEGAN(Autoencoding):
    """Errors of an autoencoder, kept in equilibrium by a share k (Berthelot et al., 2017)."""

    name = "began"
    recipe = Recipe(g_lr=1e-4, d_lr=1e-4, betas=(0.5, 0.999))
    gamma: float = 0.5  # how varied images are to be
    rate: float = 0.001  # of k

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.gamma <= 1:
            raise ValueError(f"gamma must be above 0 and at most 1, found {self.gamma}")
        self.k: float | Tensor = 0.0

    def discriminator_loss(self, step: Step) -> Terms:
        real, fake = self._error(step, step.real), self._error(step, step.fake)
        k = self.k
        balance = self.gamma * real.detach() - fake.detach()
        self.k = torch.clamp(k + self.rate * balance, 0, 1)
        return {"real": real, "fake": -k * fake}

    def generator_loss(self, step: Step) -> Terms:
        return {"error": self._error(step, step.fake)}

    def _error(self, step: Step, scored: Scored) -> Tensor:
        return (self.decoded(step, scored) - scored.images).abs().mean()


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    for loss in (EBGAN, BEGAN):
        register(loss)
