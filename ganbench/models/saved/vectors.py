"""Which vectors are meant by what a user gives a model whose labels are vectors."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ganbench.errors import ConfigError


def all_meant(asked: Any, count: int, condition_dim: int, where: str) -> Tensor:
    """Return the vector of each of `count` images, (count, C), of a list, an array or a tensor.

    One vector is that of all of them. Raises ConfigError, which begins with `where`.
    """
    expected = f"expected {condition_dim} numbers, or as many for each of {count} images"
    try:
        found = torch.as_tensor(asked, dtype=torch.float32)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ConfigError(f"{where}: {expected}, found {asked!r}") from error
    if found.ndim < 2 and found.numel() == condition_dim:
        found = found.reshape(1, condition_dim).expand(count, -1)
    elif condition_dim == 1 and found.shape == (count,):
        found = found[:, None]
    if tuple(found.shape) != (count, condition_dim):
        raise ConfigError(f"{where}: {expected}, found {_shape(found)}")
    if not found.isfinite().all():
        raise ConfigError(f"{where}: a number is not finite")
    return found.contiguous()


def by_text(text: str, condition_dim: int, where: str) -> Tensor:
    """Return the vector (C,) that numbers with commas between them name. Raises ConfigError."""
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError as error:
        example = ",".join(f"{0.1 * (i + 1):.1f}" for i in range(min(condition_dim, 3)))
        more = ",…" if condition_dim > 3 else ""
        raise ConfigError(
            f"{where}: this model takes a vector of {condition_dim}; give numbers with commas "
            f"between them, as {example}{more}"
        ) from error
    return all_meant(numbers, 1, condition_dim, where)[0]


def _shape(found: Tensor) -> str:
    return "×".join(map(str, found.shape)) or "one number"
