"""Draws from an architecture's prior, and the ways from one to another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.samplers import TRIED, truncated
from ganbench.models.sampling import draw_latents
from ganbench.util.random_streams import stream

Path = Literal["slerp", "lerp"]

FLAT = 2.4  # fourth moment over the squared second: 3 of a normal, 1.8 of a uniform distribution


def draw(
    architecture: Architecture,
    count: int,
    seed: int,
    name: str = "samples",
    truncation: float | None = None,
) -> Tensor:  # (count, Z)
    """Return latents (count, latent_dim), made on the CPU: the same on every device.

    With a truncation, coordinates beyond it are drawn again (Brock et al., 2019). Raises
    ConfigError for one that keeps next to nothing of the prior.
    """
    if truncation is None:
        return draw_latents(architecture, count, seed, name)
    return truncated(architecture.latents, count, stream(seed, name), truncation)


def draw_each(architecture: Architecture, numbers: Sequence[int], seed: int, name: str) -> Tensor:
    """Return numbered latents, (numbers, latent_dim): each is the same however many there are."""
    return torch.cat([architecture.latents(1, stream(seed, f"{name} {i}")) for i in numbers])


def natural_path(architecture: Architecture) -> Path:
    """Return `slerp` for a normal prior, whose draws all lie near a sphere; else `lerp`.

    Between two draws from a uniform prior, a line stays within it; a normal prior is told from
    others by the fourth moment of its draws.
    """
    tried = _tried(architecture)
    if tried.shape[1] < 2:
        return "lerp"
    tried = tried - tried.mean()
    return "slerp" if tried.pow(4).mean() > FLAT * tried.square().mean() ** 2 else "lerp"


def _tried(architecture: Architecture) -> Tensor:
    return architecture.latents(TRIED, stream(0, "what the prior is like"))


def walk(start: Tensor, end: Tensor, steps: int, path: Path) -> Tensor:
    """Return the way from latents (N, Z) to others, both included: (steps, N, Z)."""
    between = slerp if path == "slerp" else torch.lerp
    return torch.stack([between(start, end, weight) for weight in fractions(steps)])


def fractions(steps: int) -> list[float]:
    """Return evenly spaced numbers from 0 to 1, both exact; at least two."""
    return [step / (steps - 1) for step in range(steps)]


def slerp(start: Tensor, end: Tensor, weight: float) -> Tensor:
    """Return latents (N, Z) between two, `weight` of the way (Shoemake, 1985).

    The direction goes along the great circle while the norm goes evenly from one end's to the
    other's: never through the empty middle of a normal prior.
    """
    norms = start.norm(dim=1, keepdim=True), end.norm(dim=1, keepdim=True)
    a, b = (x.double() / norm.clamp(min=1e-12) for x, norm in zip((start, end), norms, strict=True))
    angle = torch.atan2((a - b).norm(dim=1), (a + b).norm(dim=1))[:, None] * 2
    sine = angle.sin()
    turned = (((1 - weight) * angle).sin() * a + (weight * angle).sin() * b) / sine
    found = (turned * torch.lerp(*norms, weight)).to(start.dtype)
    straight = torch.lerp(start, end, weight)
    no_arc = (sine.abs() < 1e-6) | (norms[0] == 0) | (norms[1] == 0)  # one direction, or none
    return torch.where(no_arc | (weight in (0, 1)), straight, found)
