"""The distance of two sets of features along random lines."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ganbench import Claim, Column, Evaluation, Metric, hookimpl
from ganbench.default_plugins.metrics.sides import TwoSided

AT_ONCE = 2**22  # projected values that are sorted together


def directions(count: int, dim: int, seed: int) -> Tensor:
    """Return vectors of length 1 in all directions alike, (count, dim) in float64."""
    generator = torch.Generator().manual_seed(seed)
    return normalize(torch.randn(count, dim, generator=generator, dtype=torch.float64))


def sliced_wasserstein(x: Tensor, y: Tensor, lines: Tensor) -> float:
    """Return the mean over lines (M, F) of the squared 2-Wasserstein distance of x to y along each.

    Of as many vectors, (N, F) each, that is of the projections in order, in float64.
    """
    x, y = x.double(), y.double()
    total = 0.0
    for part in lines.split(max(1, AT_ONCE // len(x))):
        a, b = ((side @ part.T.to(side.device)).sort(dim=0).values for side in (x, y))
        total += (a - b).square().mean(0).sum().item()
    return total / len(lines)


@dataclass(kw_only=True)
class MIND(TwoSided):
    """Sliced Wasserstein distance of features, 3·F times squared (Berthet et al., 2026).

    Of two normal distributions that differ in their mean alone it is three times the squared
    distance of the means, but for the chance of the lines.
    """

    name = "mind"
    cheap = True
    claims: ClassVar[dict[str, Claim]] = {
        "mind": Claim("distance", ("mode-dropping-invention/purpose",))
    }
    projections: int = 1000  # lines

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.projections < 1:
            raise ValueError(f"projections must be positive, found {self.projections}")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(f"mind@{self.features}", "", "min", digits=4),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        real, fake = self.sides(evaluation)
        dim = real.shape[1]
        lines = directions(self.projections, dim, self.seed)
        return {self.columns[0].name: 3 * dim * sliced_wasserstein(real, fake, lines)}

    def protocol(self) -> dict[str, Any]:
        return {**super().protocol(), "scale": "3 · F", "distance": "squared 2-Wasserstein"}


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(MIND)
