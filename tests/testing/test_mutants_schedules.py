"""Plugins that do not follow the course of a training are caught by the kit."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from helpers import mutants
from torch import Tensor, nn

from ganbench import ImageSpec, NormFactory, Scheduled, Step, Terms, Transform
from ganbench.default_plugins.architectures.mlp import MLP
from ganbench.default_plugins.losses import BCE, LSGAN
from ganbench.testing import parametrize_with_checks


@dataclass(kw_only=True)
class Annealed(LSGAN):
    """Least squares whose weight may follow a schedule."""

    name = "annealed"
    weight: Scheduled = 1.0

    def discriminator_loss(self, step: Step) -> Terms:
        return {k: self.weight * v for k, v in super().discriminator_loss(step).items()}


@dataclass(kw_only=True)
class Noise(Transform):
    """Instance noise that is gone at the end (Sønderby et al., 2017)."""

    name = "noise"
    std: Scheduled = 0.1
    progress: float = field(default=0.0, init=False)

    def apply(self, images: Tensor) -> Tensor:
        return images + self.std * (1 - self.progress) * torch.randn_like(images)


@parametrize_with_checks(Annealed, Annealed(weight=3.0), Noise, Noise(std=0.0))
def test_right_scheduled_plugin_conforms(check):
    check()


@dataclass(kw_only=True)
class KeepsHalf(Annealed):
    """What is made of an option when it is built stays as it was."""

    name = "keeps-half"
    caught_by = {"scheduled_options_take_effect"}

    def __post_init__(self) -> None:
        self._half = self.weight / 2

    def discriminator_loss(self, step: Step) -> Terms:
        return {
            k: self._half * v for k, v in super(Annealed, self).discriminator_loss(step).items()
        }


@dataclass(kw_only=True)
class TakesOneValue(Annealed):
    """A scheduled option that takes a single value."""

    name = "takes-one-value"
    caught_by = {"scheduled_options_take_effect"}

    def __post_init__(self) -> None:
        if self.weight != 1:
            raise ValueError("weight must be 1")


@dataclass(kw_only=True)
class NotANumberLater(BCE):
    """A coefficient that has no logarithm from iteration 500 on."""

    name = "not-a-number-later"
    caught_by = {"late_iterations_stay_finite"}

    def generator_loss(self, step: Step) -> Terms:
        (term,) = super().generator_loss(step).values()
        return {"adversarial": term * torch.tensor(500.0 - step.iteration).log()}


@dataclass(kw_only=True)
class GrowsForEver(LSGAN):
    """A weight that doubles with every iteration."""

    name = "grows-for-ever"
    caught_by = {"late_iterations_stay_finite"}

    def discriminator_loss(self, step: Step) -> Terms:
        grown = torch.tensor(2.0) ** step.iteration
        return {k: grown * v for k, v in super().discriminator_loss(step).items()}


@dataclass(kw_only=True)
class KeepsNoise(Noise):
    """A standard deviation that is kept from when it was built."""

    name = "keeps-noise"
    caught_by = {"scheduled_options_take_effect"}

    def __post_init__(self) -> None:
        self._kept = self.std

    def apply(self, images: Tensor) -> Tensor:
        return images + self._kept * torch.randn_like(images)


@dataclass(kw_only=True)
class DividesByTheRest(Noise):
    """A division by what is left of the budget."""

    name = "divides-by-the-rest"
    caught_by = {"progress_stays_finite"}

    def apply(self, images: Tensor) -> Tensor:
        return images + torch.randn_like(images) / torch.tensor(1 - self.progress)


class Vanishing(nn.Module):
    """A D whose first layer is divided by what is left of the budget."""

    def __init__(self, image: ImageSpec) -> None:
        super().__init__()
        self.feature_dim = 4
        self.layer = nn.Linear(image.channels * image.resolution**2, 4)
        self.register_buffer("progress", torch.zeros(()))

    def forward(self, images: Tensor) -> Tensor:
        return self.layer(images.flatten(1)).tanh() / (1 - self.progress)


@dataclass(kw_only=True)
class VanishesAtTheEnd(MLP):
    """An MLP with a D that has no value once the budget is spent."""

    name = "vanishes-at-the-end"
    caught_by = {"progress_stays_finite"}
    also = mutants.MOST  # its D has no norm layers either

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return Vanishing(image)


@mutants.parametrize(
    VanishesAtTheEnd,
    KeepsHalf,
    TakesOneValue,
    NotANumberLater,
    GrowsForEver,
    KeepsNoise,
    DividesByTheRest,
)
def test_plugin_that_does_not_follow_is_caught(mutant):
    mutants.assert_caught(mutant)
