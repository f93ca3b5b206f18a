"""How smoothly images change along a path between two latents."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ganbench import Column, Evaluation, Metric, Unavailable, hookimpl

LOWEST, HIGHEST = 0.01, 0.99  # quantiles, beyond which distances do not count


def path_length(distances: Tensor) -> float:
    """Return the mean of distances (N,) between their first and last percentile, as StyleGAN's."""
    values = distances.double()
    lowest = values.quantile(LOWEST, interpolation="lower")
    highest = values.quantile(HIGHEST, interpolation="higher")
    return values[(lowest <= values) & (values <= highest)].mean().item()


@dataclass(kw_only=True)
class PerceptualPathLength(Metric):
    """Perceptual path length of generators with a mapping network (Karras et al., 2019).

    The distance of two images a small step apart on the line between the styles of two latents,
    over the step's square; the smaller, the smoother. It knows nothing of real images: a generator
    that makes one image alone has 0.
    """

    name = "ppl"
    features: str = "lpips"  # an extractor, of whose features distances are squared
    num_samples: int = 10_000  # paths
    epsilon: float = 1e-4  # the step, as a part of the path
    where: Literal["full", "end"] = "full"  # anywhere on the path, or at its beginning
    seed: int = 0  # of where on the path

    def __post_init__(self) -> None:
        if self.num_samples < 1:
            raise ValueError(f"num_samples must be positive, found {self.num_samples}")
        if not 0 < self.epsilon < 1:
            raise ValueError(f"epsilon must be between 0 and 1, found {self.epsilon}")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(f"ppl@{self.features}", "", "min", digits=2),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        generator = evaluation.generator
        if generator is None:
            raise Unavailable(
                "it is measured on a generator with a mapping network, such as StyleGAN2's, of a "
                "run's own trials and without another sampler"
            )
        positions = torch.Generator().manual_seed(self.seed)
        found = []
        for number, (begin, end) in enumerate(generator.pairs(self.num_samples)):
            at = torch.zeros(len(begin), 1, 1)
            if self.where == "full":
                at = torch.rand(at.shape, generator=positions)
            at = at.to(begin)
            here, there = (
                evaluation.embed(
                    self.features, generator.images(begin.lerp(end, at + step), number)
                ).embedding
                for step in (0.0, self.epsilon)
            )
            found.append((here - there).square().sum(1, dtype=here.dtype) / self.epsilon**2)
        return {self.columns[0].name: path_length(torch.cat(found).cpu())}

    def protocol(self) -> dict[str, Any]:
        said = super().protocol()
        paths = said.pop("num_samples")  # by this name it would be the trial's samples
        counted = "the mean between the first and the last percentile"
        return {**said, "paths": paths, "space": "styles, linearly", "counted": counted}


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(PerceptualPathLength)
