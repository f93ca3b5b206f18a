"""Adaptive augmentation for ganbench: ADA with its pipeline, and APA."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from ganbench import Loss, Regularizer, Step, Terms, Transform, hookimpl, logit_per_image

Group = Literal["blit", "geom", "color", "noise", "cutout"]


def _zero() -> Tensor:
    return torch.zeros(())


@dataclass(kw_only=True)
class ADA(Transform):
    """Augment all that D sees, the more often the surer it is of reals (Karras et al., 2020)."""

    name = "ada"
    groups: tuple[Group, ...] = ("blit", "geom", "color")
    target: float | None = 0.6  # of the mean sign of D's logits of reals; None: chance stays
    initial: float = 0.0  # chance at first
    kimg: float = 500.0  # in which the chance may go from 0 to 1
    every: int = 4  # steps of D between two changes
    chance: Tensor = field(default_factory=_zero, init=False, compare=False)
    signs: Tensor = field(default_factory=_zero, init=False, compare=False)
    images: int = field(default=0, init=False)
    steps: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 0 <= self.initial <= 1:
            raise ValueError(f"initial is a chance from 0 to 1, found {self.initial}")
        _check_pace(self.kimg, self.every)
        self.chance = torch.tensor(float(self.initial))

    def apply(self, images: Tensor) -> Tensor:
        chance = self.chance.to(images.device)
        if {"blit", "geom"} & set(self.groups):
            images = sampled(images, places(images, chance, self.groups))
        if "color" in self.groups:
            images = recoloured(images, chance)
        if "noise" in self.groups:
            images = noisy(images, chance)
        if "cutout" in self.groups:
            images = cut_out(images, chance)
        return images

    def observe(self, step: Step) -> None:
        if self.target is None:
            return
        logits = logit_per_image(step.real.logits.detach().sign())
        self.signs = self.signs.to(logits.device) + logits.sum()
        self.images += len(logits)
        self.steps += 1
        if self.steps % self.every:
            return
        change = self.images / (1000 * self.kimg)
        direction = (self.signs / self.images - self.target).sign()
        self.chance = (self.chance.to(logits.device) + change * direction).clamp(0, 1)
        self.signs, self.images = torch.zeros_like(self.signs), 0


@dataclass(kw_only=True)
class APA(Regularizer):
    """Pass fakes off as reals in D's steps, the more often the surer it is (Jiang et al., 2021)."""

    name = "apa"
    whole_batch = True  # the chance goes by what all of it says
    target: float = 0.6  # of the mean sign of D's logits of reals
    kimg: float = 500.0  # in which the chance may go from 0 to 1
    chance: Tensor = field(default_factory=_zero, init=False, compare=False)

    def __post_init__(self) -> None:
        _check_pace(self.kimg)

    def edit_discriminator_step(self, step: Step) -> Step:
        reals, fakes = step.real.images, step.fake.images
        posed = torch.rand_like(reals[:, :1, :1, :1]) < self.chance.to(reals.device)
        return replace(step, real=step.real.of(torch.where(posed, fakes, reals)))

    def discriminator_loss(self, step: Step) -> Terms:
        logits = step.real.logits.detach()
        change = len(logits) / (1000 * self.kimg)
        direction = (logits.sign().mean() - self.target).sign()
        self.chance = (self.chance.to(logits.device) + change * direction).clamp(0, 1)
        return {}


def _check_pace(kimg: float, every: int = 1) -> None:
    if not kimg > 0:
        raise ValueError(f"kimg must be positive, found {kimg}")
    if every < 1:
        raise ValueError(f"every must be positive, found {every}")


# Where pixels come from


def places(images: Tensor, chance: Tensor, groups: tuple[Group, ...]) -> Tensor:
    """Draw the inverse of each image's transform, (N, 3, 3) in pixels around the centre."""
    inverse = torch.eye(3, device=images.device).expand(len(images), 3, 3)
    one, zero = torch.ones_like(images[:, 0, 0, 0]), torch.zeros_like(images[:, 0, 0, 0])
    height, width = images.shape[2:]
    if "blit" in groups:
        mirrored = _at(chance, _whole(one, 2) * -2 + 1, one)
        inverse = _product(inverse, _matrix(mirrored, zero, zero, one))
        quarters = _at(chance, _whole(one, 4), zero)
        cos, sin = _cos_of_quarters(quarters), _sin_of_quarters(quarters)
        inverse = _product(inverse, _matrix(cos, sin, -sin, cos))
        moves = ((_uniform(one, -0.125, 0.125) * side).round() for side in (width, height))
        inverse = _product(inverse, _moving(*_both_at(chance, *moves, zero)))
    if "geom" in groups:
        size = _at(chance, (0.2 * torch.randn_like(one)).exp2(), one)
        inverse = _product(inverse, _matrix(1 / size, zero, zero, 1 / size))
        turned = 1 - (1 - chance).sqrt()  # before or after: together as often as the others
        inverse = _product(inverse, _turning(_at(turned, _uniform(one, -math.pi, math.pi), zero)))
        longer = _at(chance, (0.2 * torch.randn_like(one)).exp2(), one)
        inverse = _product(inverse, _matrix(1 / longer, zero, zero, longer))
        inverse = _product(inverse, _turning(_at(turned, _uniform(one, -math.pi, math.pi), zero)))
        moves = (0.125 * torch.randn_like(one) * side for side in (width, height))
        inverse = _product(inverse, _moving(*_both_at(chance, *moves, zero)))
    return inverse


def sampled(images: Tensor, inverse: Tensor) -> Tensor:
    """Return images whose pixels come from where `inverse` (N, 3, 3) says, between four others.

    Beyond the border images are mirrored.
    """
    height, width = images.shape[2:]
    x = torch.arange(width, device=images.device) - (width - 1) / 2
    y = torch.arange(height, device=images.device)[:, None] - (height - 1) / 2
    a, b, c, d, e, f = (inverse[:, i, j, None, None] for i in (0, 1) for j in (0, 1, 2))
    columns = _reflected(a * x + b * y + c + (width - 1) / 2, width)
    rows = _reflected(d * x + e * y + f + (height - 1) / 2, height)
    left, above = columns.floor(), rows.floor()
    flat = images.flatten(2)

    def at(row: Tensor, column: Tensor) -> Tensor:
        row, column = row.long().clamp(max=height - 1), column.long().clamp(max=width - 1)
        index = (row * width + column).flatten(1)[:, None].expand(-1, images.shape[1], -1)
        return flat.gather(2, index).view_as(images)

    right, below = (columns - left)[:, None], (rows - above)[:, None]
    upper = at(above, left) * (1 - right) + at(above, left + 1) * right
    lower = at(above + 1, left) * (1 - right) + at(above + 1, left + 1) * right
    return upper * (1 - below) + lower * below


def _reflected(places: Tensor, side: int) -> Tensor:
    within = (places + 0.5).remainder(2 * side)
    return (torch.where(within > side, 2 * side - within, within) - 0.5).clamp(0, side - 1)


def _product(first: Tensor, second: Tensor) -> Tensor:
    """Return the products of matrices (N, 3, 3), in float32 under autocast too."""
    return (first[:, :, :, None] * second[:, None]).sum(2)


def _matrix(a: Tensor, b: Tensor, c: Tensor, d: Tensor) -> Tensor:
    zero, one = torch.zeros_like(a), torch.ones_like(a)
    return torch.stack([a, b, zero, c, d, zero, zero, zero, one], 1).view(-1, 3, 3)


def _moving(x: Tensor, y: Tensor) -> Tensor:
    zero, one = torch.zeros_like(x), torch.ones_like(x)
    return torch.stack([one, zero, -x, zero, one, -y, zero, zero, one], 1).view(-1, 3, 3)


def _turning(angle: Tensor) -> Tensor:
    return _matrix(angle.cos(), angle.sin(), -angle.sin(), angle.cos())


def _cos_of_quarters(quarters: Tensor) -> Tensor:  # 1, 0, -1, 0
    return (1 - quarters).where(quarters < 3, torch.zeros_like(quarters))


def _sin_of_quarters(quarters: Tensor) -> Tensor:  # 0, 1, 0, -1
    return _cos_of_quarters((quarters + 3).remainder(4))


# What pixels become


def recoloured(images: Tensor, chance: Tensor) -> Tensor:
    """Draw brightness, contrast, a flip of luma, hue and saturation for each image."""
    channels = images.shape[1]
    one, zero = torch.ones_like(images[:, 0, 0, 0]), torch.zeros_like(images[:, 0, 0, 0])
    light = _at(chance, 0.2 * torch.randn_like(one), zero)
    contrast = _at(chance, (0.5 * torch.randn_like(one)).exp2(), one)
    flipped = _at(chance, _whole(one, 2) * -2 + 1, one)
    angle = _at(chance, _uniform(one, -math.pi, math.pi), zero)
    saturation = _at(chance, torch.randn_like(one).exp2(), one)
    contrast, light, flipped, saturation = (
        x.view(-1, 1, 1, 1) for x in (contrast, light, flipped, saturation)
    )
    images = contrast * (images + light)
    luma = images.mean(1, keepdim=True)
    rest = images - luma
    turned = _hued(rest, angle.view(-1, 1, 1, 1)) if channels == 3 else rest
    return images + (flipped - 1) * luma + (saturation * turned - rest)


def _hued(rest: Tensor, angle: Tensor) -> Tensor:
    """Turn colours (N, 3, H, W) without luma around the axis of greys."""
    across = (rest.roll(-1, 1) - rest.roll(1, 1)) / 3**0.5  # the axis times the colour
    return angle.cos() * rest - angle.sin() * across


def noisy(images: Tensor, chance: Tensor) -> Tensor:
    """Add noise of a strength that is drawn for each image."""
    strength = (0.1 * torch.randn_like(images[:, 0, 0, 0])).abs()
    strength = _at(chance, strength, torch.zeros_like(strength)).view(-1, 1, 1, 1)
    return images + strength * torch.randn_like(images)


def cut_out(images: Tensor, chance: Tensor) -> Tensor:
    """Blacken to 0 a square of half the side of an image, its centre anywhere."""
    height, width = images.shape[2:]
    one = torch.ones_like(images[:, 0, 0, 0])
    hit = (torch.rand_like(one) < chance).view(-1, 1, 1)
    x, y = (_uniform(one, 0, 1).view(-1, 1, 1) for _ in range(2))
    columns = (torch.arange(width, device=images.device) + 0.5) / width
    rows = (torch.arange(height, device=images.device)[:, None] + 0.5) / height
    hole = ((columns - x).abs() < 0.25) & ((rows - y).abs() < 0.25) & hit
    return images * ~hole[:, None]


def _at(chance: Tensor, value: Tensor, otherwise: Tensor) -> Tensor:
    return torch.where(torch.rand_like(value) < chance, value, otherwise)


def _both_at(chance: Tensor, x: Tensor, y: Tensor, zero: Tensor) -> tuple[Tensor, Tensor]:
    hit = torch.rand_like(x) < chance
    return torch.where(hit, x, zero), torch.where(hit, y, zero)


def _uniform(like: Tensor, low: float, high: float) -> Tensor:
    return low + (high - low) * torch.rand_like(like)


def _whole(like: Tensor, below: int) -> Tensor:
    return (below * torch.rand_like(like)).floor()


@hookimpl
def register_transforms(register: Callable[[type[Transform]], None]) -> None:
    register(ADA)


@hookimpl
def register_losses(register: Callable[[type[Loss]], None]) -> None:
    register(APA)
