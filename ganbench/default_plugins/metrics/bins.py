"""Whether samples fall into the regions of the data in the right shares."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ganbench import Column, Evaluation, Metric, Unavailable, hookimpl
from ganbench.default_plugins.metrics.neighbours import cells_of, drawn, finite, k_means

NUM_FITTED = 20_000  # training images that decide the centres
WIDE = 1000  # values of an image, beyond which a sixth of them decide


def z_scores(real: Tensor, fake: Tensor) -> Tensor:
    """Return the z-scores of two proportions, of counts in bins (K,), pooled; 0 where both are."""
    n, m = real.sum(), fake.sum()
    pooled = (real + fake) / (n + m)
    deviation = (pooled * (1 - pooled) * (1 / n + 1 / m)).sqrt()
    return torch.where(deviation > 0, (fake / m - real / n) / deviation, 0)


def jensen_shannon(p: Tensor, q: Tensor) -> float:
    """Return the divergence of two distributions (K,), in nats, with 0 log 0 = 0."""
    middle = (p + q) / 2
    terms = torch.special.xlogy(p, p / middle) + torch.special.xlogy(q, q / middle)
    return (terms[middle > 0].sum() / 2).item()


@dataclass(kw_only=True)
class NDB(Metric):
    """Bins that samples and training set fill in different shares (Richardson & Weiss, 2018).

    The bins are clusters of training images by their pixels. The Jensen-Shannon divergence of the
    shares is about (K - 1) / 8 · (1 / n + 1 / m) when n and m images are of one distribution: the
    floor. Of K bins, three standard errors take 0.0027 K for different by chance.
    """

    name = "ndb"
    bins: int = 100
    z_threshold: float = 3.0  # standard errors between shares that are different
    num_samples: int = 10_000
    seed: int = 0  # of the bins, and of which samples, where there are more

    def __post_init__(self) -> None:
        if self.bins < 2:
            raise ValueError(f"bins must be at least 2, found {self.bins}")
        if self.z_threshold <= 0:
            raise ValueError(f"z_threshold must be positive, found {self.z_threshold}")
        if self.num_samples < 1:
            raise ValueError(f"num_samples must be positive, found {self.num_samples}")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column("ndb", "", "min", digits=1),
            Column("ndb-share", "", "min", digits=3),
            Column("jsd", "nats", "min", digits=4),
            Column("jsd-floor", "nats", "none", digits=4),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        chosen = drawn(evaluation.fake, self.num_samples, self.seed)
        images = finite(evaluation.fake.images[chosen], "the samples")
        found = evaluation.remember(
            f"ndb|{self.version}|{self.bins}|{self.seed}", lambda: self._bins(evaluation)
        )
        if len(found["centers"]) < self.bins:
            raise Unavailable(
                f"{self.bins} bins need as many different training images, found "
                f"{len(found['centers'])}"
            )
        cells = cells_of(images.flatten(1)[:, found["values"]], found["centers"])
        return self._values(found["counts"], cells.bincount(minlength=self.bins).double())

    def protocol(self) -> dict[str, Any]:
        return {
            **super().protocol(),
            "clusters": f"k-means++ and Lloyd, at most 100 rounds, one start, of {NUM_FITTED} "
            "training images or all of fewer; shares of all training images",
            "space": f"pixels, not whitened; of more than {WIDE} a random sixth",
            "test": "two proportions, pooled",
        }

    def _bins(self, evaluation: Evaluation) -> dict[str, Tensor]:
        """Return which values of an image decide, and the bins' centres and training images."""
        few, train = evaluation.reals("train", NUM_FITTED), evaluation.reals("train")
        width = few.images[0].numel()
        generator = torch.Generator().manual_seed(self.seed)
        values = torch.arange(width)
        if width > WIDE:
            values = torch.randperm(width, generator=generator)[: width // 6]
        centers = k_means(few.images.flatten(1)[:, values], self.bins, self.seed)
        cells = [cells_of(p.flatten(1)[:, values], centers) for p in train.images.split(2048)]
        counts = torch.cat(cells).bincount(minlength=len(centers)).double()
        return {"values": values, "centers": centers, "counts": counts}

    def _values(self, real: Tensor, fake: Tensor) -> dict[str, float]:
        different = (z_scores(real, fake).abs() > self.z_threshold).double()
        n, m = real.sum().item(), fake.sum().item()
        return {
            "ndb": different.sum().item(),
            "ndb-share": different.mean().item(),
            "jsd": jensen_shannon(real / n, fake / m),
            "jsd-floor": (self.bins - 1) / 8 * (1 / n + 1 / m),
        }


@hookimpl
def register_metrics(register: Callable[[type[Metric]], None]) -> None:
    register(NDB)
