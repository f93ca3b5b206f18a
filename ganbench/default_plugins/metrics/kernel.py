"""Kernel distances between the features of real and generated images."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import torch
from torch import Tensor
from torch.nn.functional import normalize

from ganbench import Claim, Column, Evaluation, Metric, Unavailable, hookimpl
from ganbench.default_plugins.metrics.shuffles import shuffled
from ganbench.default_plugins.metrics.sides import TwoSided

NUM_REAL = 10_000
CHUNK = 4096
SCALE = 1000  # of CMMD, for numbers that can be read


def polynomial_mmd(x: Tensor, y: Tensor) -> float:
    """Return the unbiased squared MMD of x and y, (M, F) each, under (x·y / F + 1)³, in float64.

    Without the pairs of a vector and itself; it may fall below zero.
    """
    x, y = x.double(), y.double()
    count = len(x)
    within = _kernel_sum(x, x) + _kernel_sum(y, y) - _self_sum(x) - _self_sum(y)
    across = _kernel_sum(x, y)
    return (within / (count * (count - 1)) - 2 * across / count**2).item()


def gaussian_mmd(x: Tensor, y: Tensor, sigma: float) -> float:
    """Return the squared MMD of x and y, (M, F) each, under exp(-|x - y|² / 2σ²), in float64.

    With the pairs of a vector and itself, so that it is never below zero.
    """
    x, y = x.double(), y.double()
    mean = partial(_gaussian_mean, sigma=sigma)
    return max(0.0, mean(x, x) + mean(y, y) - 2 * mean(x, y))


def _gaussian_mean(x: Tensor, y: Tensor, sigma: float) -> float:
    """Return one less than the kernel's mean over all pairs, which loses no digits near one."""
    total = 0.0
    for part in x.split(max(1, CHUNK**2 // len(y))):
        squares = torch.cdist(part, y).square_()
        total += squares.div_(-2 * sigma**2).expm1_().sum().item()
    return total / (len(x) * len(y))


def _kernel_sum(x: Tensor, y: Tensor) -> Tensor:
    """Return the kernel summed over all pairs."""
    k = (x @ y.T).div_(x.shape[1]).add_(1).flatten()
    return k.square().dot(k)


def _self_sum(x: Tensor) -> Tensor:
    """Return the kernel summed over pairs of each vector and itself."""
    return (x.square().mean(1) + 1).pow(3).sum()


@dataclass(kw_only=True)
class KID(Metric):
    """Kernel distance to the training set in a named feature space (Bińkowski et al., 2018).

    The mean over seeded subsets of the squared MMD. The spread over the subsets, which overlap,
    is no standard error of that mean.
    """

    name = "kid"
    cheap = True
    claims: ClassVar[dict[str, Claim]] = {
        "kid": Claim("distance", ("sequential-mode-dropping/purpose",))
    }
    features: str | None = None  # an extractor; null: the data set's own
    subsets: int = 100
    subset_size: int = 1000  # of either side; fewer where a side has fewer
    seed: int = 0

    def __post_init__(self) -> None:
        if self.subsets < 1:
            raise ValueError(f"subsets must be positive, found {self.subsets}")
        if self.subset_size < 2:
            raise ValueError(f"subset_size must be at least 2, found {self.subset_size}")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column(f"kid@{self.features}", "", "min", digits=5),
            Column(f"kid-subset-sd@{self.features}", "", "none", digits=5),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float | Unavailable]:
        if self.features is None:
            raise Unavailable("no feature extractor is named")
        real = evaluation.real_features(self.features, count=NUM_REAL).embedding
        fake = evaluation.features(self.features).embedding
        _check(real, "the training set")
        _check(fake, "the samples")
        order = shuffled(evaluation.fake, self.seed)
        real, fake = real.to(evaluation.device), fake.to(evaluation.device)
        found = [polynomial_mmd(real[i], fake[order[j]]) for i, j in self._draws(real, fake)]
        distances = torch.tensor(found, dtype=torch.float64)
        if not distances.isfinite().all():
            raise Unavailable("the features are too large for the cubic kernel")
        spread: float | Unavailable = distances.std(correction=0).item()
        if len(found) == 1:
            spread = Unavailable("one subset has no spread; draw more samples or lower subset_size")
        mean = distances.mean().item()
        return dict(zip((column.name for column in self.columns), (mean, spread), strict=True))

    def protocol(self) -> dict[str, Any]:
        return {
            **super().protocol(),
            "kernel": "(x·y / F + 1)³",
            "estimator": "unbiased",
            "num_real": f"{NUM_REAL}, or all of fewer",
            "draws": "without replacement; where either side has fewer than subset_size, as many",
            "ddof": 0,
        }

    def _draws(self, real: Tensor, fake: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the indices of the real and of the generated half of each subset."""
        generator = torch.Generator().manual_seed(self.seed)
        size = min(self.subset_size, len(real), len(fake))
        whole = size == len(real) == len(fake)  # then all subsets are one
        for _ in range(1 if whole else self.subsets):
            i, j = (torch.randperm(len(x), generator=generator)[:size] for x in (real, fake))
            yield i, j


@dataclass(kw_only=True)
class CMMD(TwoSided):
    """A thousand times the squared MMD with a Gaussian kernel (Jayasumana et al., 2024).

    Of CLIP's features it is the paper's; of any other extractor the same of those. Features have
    length 1, as CLIP's have, so that at σ = 10 it is nearly ten times the squared distance of
    their means.
    """

    name = "cmmd"
    cheap = True
    claims: ClassVar[dict[str, Claim]] = {"cmmd": Claim("distance")}
    sigma: float = 10.0
    unit: bool = True  # whether features are brought to length 1

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 < self.sigma < math.inf:
            raise ValueError(f"sigma must be positive, found {self.sigma}")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (Column(f"cmmd@{self.features}", "", "min", digits=4),)

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        real, fake = self.sides(evaluation)
        if self.unit:
            real, fake = (normalize(side.double(), eps=0) for side in (real, fake))
            if not all(side.isfinite().all() for side in (real, fake)):
                raise Unavailable("the features of some image are all zero, which have no length 1")
        return {self.columns[0].name: SCALE * gaussian_mmd(real, fake, self.sigma)}

    def protocol(self) -> dict[str, Any]:
        kernel = {"kernel": "exp(-|x - y|² / 2σ²)", "estimator": "biased", "scale": SCALE}
        return {**super().protocol(), **kernel}


def _check(features: Tensor, whose: str) -> None:
    if len(features) < 2:
        raise Unavailable(f"{whose} must have at least two images, found {len(features)}")
    if not all(chunk.isfinite().all() for chunk in features.split(CHUNK)):
        raise Unavailable(f"the features of {whose} are not finite")


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(KID)
    register(CMMD)
