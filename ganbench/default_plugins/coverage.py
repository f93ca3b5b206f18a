"""How many of the data's modes the samples reach."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ganbench import Column, Evaluation, Metric, Mixture, hookimpl


def reverse_kl(shares: Tensor, reference: Tensor) -> float:
    """KL(shares || reference) in nats, 0 log 0 = 0; both (K,) and sum to one."""
    reached = shares > 0
    shares, reference = shares[reached].double(), reference[reached].double()
    return (shares * (shares / reference).log()).sum().item()


@dataclass(kw_only=True)
class ModeCoverage(Metric):
    """Modes reached, and reverse KL between the shares of the modes and the data's own.

    On a mixture of Gaussians (as Srivastava et al., 2017, and Lin et al., 2018): a sample is of
    high quality within 3 standard deviations of its nearest centre; a mode is covered by one of
    these. On classes: the data set's judge names each sample's class, and a class is covered when
    its share is at least a tenth of what it is in the data.

    The reverse KL of N samples drawn from the data's own shares is about (K - 1) / 2N: the floor.
    """

    name = "mode-coverage"
    min_share: float = 0.1  # of a class's share in the data
    max_deviations: float = 3.0  # from a centre

    @property
    def columns(self) -> tuple[Column, ...]:
        return (
            Column("modes", "", "max", digits=1),
            Column("reverse-kl", "nats", "min", digits=4, title="reverse KL"),
            Column("reverse-kl-floor", "nats", "none", digits=4, title="KL floor"),
            Column("high-quality", "", "max", digits=3, title="high quality"),
        )

    def compute(self, evaluation: Evaluation) -> dict[str, float]:
        mixture = evaluation.dataset.mixture()
        if mixture is not None:
            return self._of_mixture(evaluation.fake.images.flatten(1), mixture)
        reference = evaluation.class_shares()
        counts = evaluation.classes().bincount(minlength=len(reference)).double()
        covered = (counts > 0) & (counts / counts.sum() >= self.min_share * reference)
        return self._values(covered, counts, reference)

    def _of_mixture(self, points: Tensor, mixture: Mixture) -> dict[str, float]:
        centers = mixture.centers.double()
        distances = torch.cdist(points.double(), centers)
        nearest = distances.argmin(1)
        good = distances.min(1).values <= self.max_deviations * mixture.std
        counts = nearest[good].bincount(minlength=len(centers)).double()
        uniform = torch.full((len(centers),), 1 / len(centers), dtype=torch.float64)
        values = self._values(counts > 0, counts, uniform)
        return {**values, "high-quality": good.double().mean().item()}

    @staticmethod
    def _values(covered: Tensor, counts: Tensor, reference: Tensor) -> dict[str, float]:
        total = counts.sum().item()
        if not total:
            return {"modes": 0.0}
        return {
            "modes": float(covered.sum().item()),
            "reverse-kl": reverse_kl(counts / total, reference),
            "reverse-kl-floor": (len(reference) - 1) / (2 * total),
        }


@hookimpl
def register_metrics(register) -> None:
    register(ModeCoverage)
