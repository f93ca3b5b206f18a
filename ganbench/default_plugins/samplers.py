"""How images are drawn of a trained model: as it was trained, truncated, or by what D says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ganbench import GanbenchError, Sampling, SamplingMethod, Unavailable, hookimpl, truncated


@dataclass(kw_only=True)
class Plain(SamplingMethod):
    """Latents from the prior that the generator was trained with."""

    name = "plain"

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        """Return images (count, C, H, W) of these labels (count,)."""
        return model.images(model.prior(count, rng), labels)


@dataclass(kw_only=True)
class Truncation(SamplingMethod):
    """Coordinates of the latents beyond ±psi are drawn again (Brock et al., 2019)."""

    name = "truncation"
    psi: float = 0.7

    def unsupported(self, prior: Callable[[int, torch.Generator], Tensor]) -> str | None:
        """Return why this prior has next to nothing within ±psi, or None."""
        try:
            truncated(prior, 1, torch.Generator().manual_seed(0), self.psi)
        except GanbenchError as error:
            return str(error)
        return None

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        """Return images (count, C, H, W) of these labels (count,)."""
        return model.images(truncated(model.prior, count, rng, self.psi), labels)


@dataclass(kw_only=True)
class Rejection(SamplingMethod):
    """An image is kept the more often, the more real D finds it (Azadi et al., 2019).

    Discriminator rejection sampling, which takes D's logit for the log of the densities' ratio, as
    it is of an optimal D of `bce`. With `percentile: null` an image is kept with its ratio over the
    largest one seen; with a percentile, that many of 100 proposals are kept less often than not.
    """

    name = "rejection"
    needs_discriminator = True
    percentile: float | None = 80.0
    burn_in: int = 10_000  # images whose largest logit is where the search begins
    most_tries: int = 1000  # proposals per image, on average

    def __post_init__(self) -> None:
        if self.percentile is not None and not 0 <= self.percentile <= 100:
            raise ValueError(f"percentile: expected null, or 0 to 100, found {self.percentile:g}")
        if self.burn_in < 1 or self.most_tries < 1:
            raise ValueError("burn_in and most_tries: expected 1 or more")

    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        """Return images (count, C, H, W) of these labels (count,)."""
        highest = self._highest(model, labels, count, rng)
        kept = model.prior(count, rng)  # each to be replaced by the first that D accepts
        waiting, tried = torch.arange(count), 0
        while len(waiting):
            if tried >= self.most_tries * max(count, model.at_once):
                raise Unavailable(
                    f"D accepted {count - len(waiting):,} of {tried:,} images, so that {count:,} "
                    "would take too long; give rejection a lower percentile, or more most_tries"
                )
            slots = waiting.repeat(-(-model.at_once // len(waiting)))[: model.at_once]
            latents = model.prior(len(slots), rng)
            logits = _logits(model, latents, labels, slots)
            highest = torch.maximum(highest, logits.max())
            draws = torch.rand(len(slots), generator=rng, dtype=torch.float64)
            accepted = (draws < self.chances(logits - highest)).nonzero().flatten()
            filled, first = np.unique(slots[accepted].numpy(), return_index=True)
            kept[torch.from_numpy(filled)] = latents[accepted[torch.from_numpy(first)]]
            waiting = waiting[~torch.isin(waiting, torch.from_numpy(filled))]
            tried += len(slots)
        return model.images(kept, labels)

    def chances(self, below: Tensor) -> Tensor:
        """Return how probably each of a batch is kept, (N,), by how far logits (N,) are below.

        Below the largest one seen, that is.
        """
        odds = below - torch.log(-torch.expm1(below - 1e-12))  # F of the paper
        if self.percentile is not None:
            odds = odds - odds.quantile(self.percentile / 100)
        return odds.sigmoid()

    def _highest(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        """Return the largest logit of `burn_in` images, whose labels are those asked for."""
        found = [
            _logits(model, model.prior(len(slots), rng), labels, slots).max()
            for slots in _pieces(self.burn_in, count, model.at_once)
        ]
        return torch.stack(found).max()


def _pieces(total: int, count: int, at_once: int) -> Iterator[Tensor]:
    """Yield places (N,) from 0 to `count`, over and over, `total` in all."""
    yield from (torch.arange(total) % count).split(at_once)


def _logits(model: Sampling, latents: Tensor, labels: Tensor | None, slots: Tensor) -> Tensor:
    """Return what D says of images of these latents, (N,) in float64 on the CPU."""
    asked = None if labels is None else labels[slots]
    logits = model.score(model.generate(latents, asked), asked).logits
    return logits.double().cpu().reshape(len(slots), -1).sum(1)


@hookimpl
def register_samplers(register: Callable[[type[SamplingMethod]], None]) -> None:
    for sampler in (Plain, Truncation, Rejection):
        register(sampler)
