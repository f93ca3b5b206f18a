"""Consistency regularization for ganbench: of D under augmentation, of both under latents."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench import (
    Loss,
    Regularizer,
    Scheduled,
    Scored,
    Step,
    Terms,
    hookimpl,
    logit_per_image,
)


@dataclass(kw_only=True)
class Augmenting(Regularizer):
    """Asks D about images again, mirrored and moved."""

    shift: float = 0.125  # at most, as a share of the side
    flip: bool = True  # every second image, from left to right

    def __post_init__(self) -> None:
        _check_not_negative(self)
        if not self.shift < 1:
            raise ValueError(f"shift is a share below 1, found {self.shift}")

    def change(self, step: Step, scored: Scored) -> Tensor:
        """Return the mean squared change of D's logits as these images are augmented."""
        moved = augmented(scored.images.detach(), self.shift, self.flip)
        return _squared_change(scored, step.score(moved, scored.labels))


@dataclass(kw_only=True)
class CR(Augmenting):
    """D's verdict on a real stays as that is mirrored and moved (Zhang et al., 2020)."""

    name = "cr"
    weight: Scheduled = 10.0

    def discriminator_loss(self, step: Step) -> Terms:
        return {"consistency": self.weight * self.change(step, step.real)}


@dataclass(kw_only=True)
class BCR(Augmenting):
    """D's verdicts on reals and on fakes stay as these are augmented (Zhao et al., 2021)."""

    name = "bcr"
    real_weight: Scheduled = 10.0
    fake_weight: Scheduled = 10.0

    def discriminator_loss(self, step: Step) -> Terms:
        return {
            "consistency_real": self.real_weight * self.change(step, step.real),
            "consistency_fake": self.fake_weight * self.change(step, step.fake),
        }


@dataclass(kw_only=True)
class ZCR(Regularizer):
    """Near latents: one verdict of D's, and images of G that differ (Zhao et al., 2021)."""

    name = "zcr"
    d_weight: Scheduled = 20.0
    g_weight: Scheduled = 0.5
    sigma: float = 0.05  # of the noise that latents are moved by

    def __post_init__(self) -> None:
        _check_not_negative(self)

    def discriminator_loss(self, step: Step) -> Terms:
        near = step.score(self._near(step), step.fake.labels)
        return {"latent_consistency": self.d_weight * _squared_change(step.fake, near)}

    def generator_loss(self, step: Step) -> Terms:
        apart = (self._near(step) - step.fake.images).square().mean()
        return {"latent_diversity": -self.g_weight * apart}

    def _near(self, step: Step) -> Tensor:
        noise = self.sigma * torch.randn_like(step.latents)
        return step.generate(step.latents + noise, step.fake.labels)


def augmented(images: Tensor, shift: float, flip: bool) -> Tensor:
    """Return images mirrored or not, and moved by up to `shift` of their sides on both axes.

    What moves in repeats the border.
    """
    count, _, height, width = images.shape
    if flip:
        mirrored = torch.rand_like(images[:, :1, :1, :1]) < 0.5
        images = torch.where(mirrored, images.flip(3), images)
    rows, columns = _places(images, height, shift), _places(images, width, shift)
    each = torch.arange(count, device=images.device)[:, None, None]
    moved = images.permute(0, 2, 3, 1)[each, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def _places(images: Tensor, side: int, shift: float) -> Tensor:  # (N, side)
    most = math.ceil(shift * side)
    moves = torch.randint(-most, most + 1, (len(images), 1), device=images.device)
    return (torch.arange(side, device=images.device) + moves).clamp(0, side - 1)


def _squared_change(scored: Scored, other: Scored) -> Tensor:
    return (logit_per_image(scored.logits) - logit_per_image(other.logits)).square().mean()


def _check_not_negative(plugin: Regularizer) -> None:
    for name, value in vars(plugin).items():
        if value < 0:
            raise ValueError(f"{name} must not be negative, found {value}")


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    for loss in (CR, BCR, ZCR):
        register(loss)
