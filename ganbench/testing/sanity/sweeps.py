"""Points of known distributions: real ones, and samples that are worse and worse."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

import torch
from torch import Generator, Tensor

from ganbench.util.random_streams import stream

COUNT = 1000  # real points, and samples
DIMS = (1, 8, 64)
MODES = 10
MODE_WIDTH = {1: 1 / 6, 8: 1 / 3, 64: 1.0}  # by dimension, of modes 10/9 apart along each
WIDEST_SHIFT = {1: 6.0, 8: 3.0, 64: 1.0}
WIDEST_SCALE = {1: 1000.0, 8: 10.0, 64: math.sqrt(10)}
SIZES = (1000.0, 2000.0, 4000.0)  # of which a number must not depend
FAR = 6.0  # standard deviations
OVERLAP = 0.2  # of the volumes of two cubes
HEAVY = 1.01  # Pareto's exponent, of a mean that hardly exists

Draw = Callable[[float, Generator, Generator], tuple[Tensor, Tensor]]
"""From a setting, and a generator for either side, to real points (N, D) and samples (M, D)."""


@dataclass(frozen=True)
class Sweep:
    """One line of settings, at each of which there are real points and samples."""

    name: str
    at: tuple[float, ...]
    draw: Draw

    def points(self, setting: float, repeat: int = 0) -> tuple[Tensor, Tensor]:
        """Return real points and samples at a setting; reals are one draw for all settings."""
        real, fake = (f"real/{self.name}", f"fake/{self.name}/{setting:.6g}")
        found = self.draw(setting, stream(repeat, real), stream(repeat, fake))
        return found[0].float(), found[1].float()


def normal(generator: Generator, count: int, dim: int) -> Tensor:
    """Draw standard normal points."""
    return torch.randn(count, dim, generator=generator, dtype=torch.float64)


def uniform(generator: Generator, count: int, dim: int) -> Tensor:
    """Draw points of the unit cube."""
    return torch.rand(count, dim, generator=generator, dtype=torch.float64)


def both_ways(widest: float) -> tuple[float, ...]:
    """Return settings from minus to plus the widest, with zero in the middle."""
    return tuple(widest * i / 4 for i in range(-4, 5))


def factors(widest: float) -> tuple[float, ...]:
    """Return settings from a fraction to a multiple, with one in the middle."""
    return tuple(widest ** (i / 4) for i in range(-4, 5))


def shifted(dim: int) -> Sweep:
    """Return normal points, and samples of another mean along every coordinate."""

    def draw(mean: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        return normal(real, COUNT, dim), mean + normal(fake, COUNT, dim)

    return Sweep(f"mean in {dim}-D", both_ways(WIDEST_SHIFT[dim]), draw)


def shifted_with_outlier(dim: int, side: str) -> Sweep:
    """Return the same with one point of one side where the farthest samples are."""
    plain, outlier = shifted(dim), torch.full((1, dim), WIDEST_SHIFT[dim], dtype=torch.float64)

    def draw(mean: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        reals, fakes = plain.draw(mean, real, fake)
        if side == "real":
            return torch.cat([reals, outlier]), fakes
        return reals, torch.cat([fakes, outlier])

    return Sweep(f"mean in {dim}-D, an outlier of the {side} points", plain.at, draw)


def wider(dim: int) -> Sweep:
    """Return normal points, and samples of another spread."""

    def draw(std: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        return normal(real, COUNT, dim), std * normal(fake, COUNT, dim)

    return Sweep(f"spread in {dim}-D", factors(WIDEST_SCALE[dim]), draw)


def modes(generator: Generator, shares: Tensor, dim: int) -> Tensor:
    """Draw of normal modes in a row along the diagonal, which have these shares (K,)."""
    which = shares.multinomial(COUNT, replacement=True, generator=generator)
    centers = torch.linspace(0, 10, MODES, dtype=torch.float64)[which, None]
    return centers + MODE_WIDTH[dim] * normal(generator, COUNT, dim)


def dropped_together(dim: int) -> Sweep:
    """Return ten modes, of which samples lose nine alike, by a share of each."""

    def draw(lost: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        shares = torch.full((MODES,), 1 - lost, dtype=torch.float64)
        shares[0] = 1
        return modes(real, torch.ones(MODES), dim), modes(fake, shares, dim)

    return Sweep(f"share lost in {dim}-D", (0.0, 0.5, 0.8, 0.96, 1.0), draw)


def dropped_in_turn(dim: int) -> Sweep:
    """Return ten modes, of which samples lose one after the other."""

    def draw(lost: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        shares = (torch.arange(MODES) < MODES - lost).double()
        return modes(real, torch.ones(MODES), dim), modes(fake, shares, dim)

    return Sweep(f"modes lost in {dim}-D", (0.0, 2.0, 4.0, 6.0, 9.0), draw)


def invented() -> Sweep:
    """Return five modes, of which samples have fewer, or to which they add others far away."""

    def draw(count: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        return _around_a_circle(real, MODES // 2), _around_a_circle(fake, int(count))

    return Sweep("modes of the samples", (1.0, 3.0, 5.0, 7.0, 10.0), draw)


def _around_a_circle(generator: Generator, count: int) -> Tensor:
    """Draw of the first so many of ten narrow modes in the plane."""
    which = torch.randint(count, (COUNT,), generator=generator)
    angles = which.double() * 2 * math.pi / MODES
    return 10 * torch.stack([angles.cos(), angles.sin()], 1) + normal(generator, COUNT, 2) / 4


def sphere(dim: int) -> Sweep:
    """Return points on a sphere, and samples on one of another radius around the same centre."""

    def draw(radius: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        return _directions(real, COUNT, dim), radius * _directions(fake, COUNT, dim)

    return Sweep(f"radius in {dim}-D", (0.1, 0.4, 0.7, 0.9, 1.0, 1.1, 1.3, 1.6, 1.9), draw)


def _directions(generator: Generator, count: int, dim: int) -> Tensor:
    return torch.nn.functional.normalize(normal(generator, count, dim))


def cubes(dim: int, sides: str) -> Sweep:
    """Return two cubes that share a fifth of their volumes, of more and more points."""
    moved = 1 - OVERLAP ** (1 / dim)

    def draw(size: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        reals = int(size) if sides == "both" else COUNT
        return uniform(real, reals, dim), moved + uniform(fake, int(size), dim)

    return Sweep(f"points in {dim}-D, of {sides}", SIZES, draw)


def ball_and_ring(real_is: str) -> Sweep:
    """Return a ball and a ring around it that touch nowhere, of more and more samples."""

    def draw(size: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        if real_is == "ball":
            return _ball(real, COUNT), _ring(fake, int(size))
        return _ring(real, COUNT), _ball(fake, int(size))

    return Sweep(f"samples, with a real {real_is}", SIZES, draw)


def _ball(generator: Generator, count: int) -> Tensor:
    radii = uniform(generator, count, 1) ** (1 / 3)
    return 0.8 * radii * _directions(generator, count, 3)


def _ring(generator: Generator, count: int) -> Tensor:
    """Draw of a torus of radius 1 and thickness 0.1, evenly in each cut through it."""
    around = 2 * math.pi * uniform(generator, count, 1)
    inside = 0.1 * uniform(generator, count, 1).sqrt() * _directions(generator, count, 2)
    out = 1 + inside[:, :1]
    return torch.cat([out * around.cos(), out * around.sin(), inside[:, 1:]], 1)


def two_modes(dim: int) -> Sweep:
    """Return two normal modes farther and farther apart, and samples of a wide one."""

    def draw(apart: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        which = torch.randint(2, (COUNT, 1), generator=real)
        reals = apart * (which - 0.5) + normal(real, COUNT, dim)
        return reals, math.sqrt(1 + apart**2) * normal(fake, COUNT, dim)

    return Sweep(f"distance in {dim}-D", (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), draw)


def scaled() -> Sweep:
    """Return far samples in the plane, of which a coordinate that is right has other units."""

    def draw(unit: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        units = torch.tensor([1, unit], dtype=torch.float64)
        there = torch.tensor([FAR, 0], dtype=torch.float64)
        return units * normal(real, COUNT, 2), there + units * normal(fake, COUNT, 2)

    return Sweep("unit of one coordinate", factors(1000.0), draw)


def heavy_tailed() -> Sweep:
    """Return samples of another mean beside a heavy-tailed coordinate that is right."""

    def draw(mean: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        sides = []
        for generator, shift in ((real, 0.0), (fake, mean)):
            tail = uniform(generator, COUNT, 1).clamp_min(1e-9) ** (-1 / HEAVY)
            sides.append(torch.cat([shift + normal(generator, COUNT, 1), tail], 1))
        return sides[0], sides[1]

    return Sweep("mean beside a heavy tail", both_ways(6.0), draw)


def far_in_one() -> Sweep:
    """Return samples that are far in one coordinate and right in more and more others."""

    def draw(others: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        dim = int(others) + 1
        fakes = normal(fake, COUNT, dim)
        fakes[:, 0] += FAR
        return normal(real, COUNT, dim), fakes

    return Sweep("coordinates that are right", (1.0, 10.0, 100.0, 1000.0), draw)


def rounded(side: str) -> Sweep:
    """Return normal points of which one side are whole numbers, in finer and finer units."""

    def draw(unit: float, real: Generator, fake: Generator) -> tuple[Tensor, Tensor]:
        reals, fakes = unit * normal(real, COUNT, 1), unit * normal(fake, COUNT, 1)
        return (reals.round(), fakes) if side == "real" else (reals, fakes.round())

    steps = tuple(10 ** (i / 2) for i in range(7))
    return Sweep(f"points per unit, {side} ones rounded", steps, draw)


def in_all(make: Callable[[int], Sweep], dims: tuple[int, ...] = DIMS) -> tuple[Sweep, ...]:
    """Return one sweep for each dimension."""
    return tuple(map(make, dims))


def with_outliers() -> tuple[Sweep, ...]:
    """Return one sweep for each dimension and each side that has an outlier."""
    return tuple(shifted_with_outlier(dim, side) for dim, side in product(DIMS, ("real", "fake")))
