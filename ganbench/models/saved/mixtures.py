"""Labels between labels, as a user gives them: shares of classes, or vectors."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction
from numbers import Real
from typing import Any

from torch import Tensor

from ganbench.errors import ConfigError
from ganbench.models.saved.classes import Meant, meant
from ganbench.util.messages import shown

Shares = Mapping[int, float | Fraction]  # by class id; they add up to 1, and may be below 0
Label = Shares | Tensor | None  # of all images: a vector (C,), or None where there are no labels

CLOSE = 1e-6


def of(label: Tensor) -> Label:
    """Return a label () or (C,) as one that can be blended."""
    return label if label.ndim else {int(label): 1.0}


def blended(first: Label, second: Label, weight: float) -> Label:
    """Return the label `weight` of the way; both ends are exactly the labels given."""
    if weight in (0, 1) or first is None or second is None:
        return second if weight else first
    if isinstance(first, Tensor) and isinstance(second, Tensor):
        return first.lerp(second, weight)
    assert isinstance(first, Mapping)
    assert isinstance(second, Mapping)
    return {
        label: (1 - weight) * first.get(label, 0) + weight * second.get(label, 0)
        for label in dict.fromkeys([*first, *second])
    }


def told(
    asked: Mapping[Any, float | Fraction], names: Sequence[str], where: str
) -> list[tuple[Meant, float]]:
    """Return the share of each class that is asked for. Raises ConfigError, which tells `where`."""
    for name, share in asked.items():
        if isinstance(share, bool) or not isinstance(share, Real) or not math.isfinite(share):
            raise ConfigError(
                f"{where}: class {shown(name)}: expected a share of it, found {shown(share)}"
            )
    total = float(sum(asked.values()))
    if abs(total - 1) > CLOSE:
        raise ConfigError(
            f"{where}: expected shares of classes that add up to 1, and these make {total:g}"
        )
    return [(meant(name, names, where), float(share)) for name, share in asked.items()]
