"""Walks from chosen latents to others, with labels held or blended."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ganbench.contracts.architectures import Architecture
from ganbench.errors import ConfigError
from ganbench.models import latents
from ganbench.models.saved import mixtures

Draw = Callable[[Tensor, Any], Tensor]  # SavedModel.images


def images(
    draw: Draw,
    architecture: Architecture,
    ends: tuple[Tensor, Tensor],
    steps: int,
    labels: tuple[mixtures.Label, mixtures.Label],
    path: latents.Path | None,
) -> Tensor:
    """Return the images of each step, (steps, N, C, H, W), or (steps, C, H, W) of latents (Z,).

    Raises ConfigError.
    """
    start, end = (_checked(architecture, one) for one in ends)
    if ends[0].shape != ends[1].shape:
        shapes = " and ".join("×".join(map(str, latent.shape)) for latent in ends)
        raise ConfigError(f"expected as many latents at both ends of a walk, found {shapes}")
    if steps < 2:
        raise ConfigError(f"expected at least two steps, found {steps}")
    if path not in (None, "slerp", "lerp"):
        raise ConfigError(f"expected the path 'slerp' or 'lerp', found '{path}'")
    along: latents.Path = path or latents.natural_path(architecture)
    way = latents.walk(start, end, steps, along)
    shares = latents.fractions(steps)
    found = torch.stack(
        [
            of(draw, drawn, mixtures.blended(*labels, share))
            for drawn, share in zip(way, shares, strict=True)
        ]
    )
    return found[:, 0] if ends[0].ndim == 1 else found


def of(draw: Draw, drawn: Tensor, label: mixtures.Label) -> Tensor:
    """Return the images of latents (N, Z), all of one label."""
    asked = label.expand(len(drawn), -1) if isinstance(label, Tensor) else label
    return draw(drawn, asked)


def _checked(architecture: Architecture, latent: Tensor) -> Tensor:
    dim = architecture.latent_dim
    if not isinstance(latent, Tensor) or latent.ndim not in (1, 2) or latent.shape[-1] != dim:
        shape = "×".join(map(str, getattr(latent, "shape", ()))) or type(latent).__name__
        raise ConfigError(f"expected latents of {dim} numbers, found {shape}")
    return latent.detach().cpu().float().reshape(-1, dim)
