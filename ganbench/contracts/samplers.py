"""How images are drawn of a trained model."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

import torch

from ganbench.errors import ConfigError
from ganbench.util.random_streams import stream

if TYPE_CHECKING:
    from torch import Tensor, nn

    from ganbench.contracts.steps import Score

Prior = Callable[[int, torch.Generator], "Tensor"]
"""Latents (N, Z) on the CPU, of a number and a generator: `Architecture.latents`."""

TRIED = 4096  # draws that tell what a prior is like
RAREST = 0.002  # share of a prior within a limit that is still worth waiting for


@dataclass(frozen=True)
class Sampling:
    """A trained model, to be asked and never to be changed.

    Latents and labels may lie on the CPU; they are brought to the model's device.
    """

    prior: Prior  #: latents (N, Z) on the CPU, drawn from a generator: what G was trained with
    generate: Callable[[Tensor, Tensor | None], Tensor]
    """Images (N, C, H, W) in [-1, 1] on the model's device, of latents (N, Z) and labels (N,) at
    once; with a graph to the latents where these require gradients."""
    images: Callable[[Tensor, Tensor | None], Tensor]
    """Images of any number of latents, made in pieces: on the CPU, and in the data set's own
    type. What a sampler ends with that draws latents."""
    at_once: int  #: images that are best made at once
    score: Score  #: D, where the sampler says `needs_discriminator`
    own: Mapping[str, nn.Module] = field(default_factory=dict)
    """Networks of plugins' own as `PLUGIN/NAME`, where the sampler says `needs_own`."""


class SamplingMethod(ABC):
    """A way to draw images of a trained model. Subclasses are dataclasses of their options.

    The model is trained once for all samplers of a benchmark file; each has a row of its own.
    """

    name: ClassVar[str]  #: in benchmark files
    needs_discriminator: ClassVar[bool] = False  #: whether it asks `model.score`
    needs_own: ClassVar[bool] = False  #: whether it asks `model.own`

    def unsupported(self, prior: Prior) -> str | None:
        """Return why it cannot draw where latents come from this prior, or None."""
        return None

    @abstractmethod
    def draw(
        self, model: Sampling, labels: Tensor | None, count: int, rng: torch.Generator
    ) -> Tensor:
        """Return images (count, C, H, W), of these labels (count,) in this order.

        They are as `model.images` or `model.generate` gives them. All draws come from `rng`, a
        generator of the CPU. D and G are in evaluation mode, their weights frozen.
        Raises Unavailable where it finds that there is nothing to be drawn.
        """


def truncated(prior: Prior, count: int, rng: torch.Generator, limit: float) -> Tensor:
    """Return latents (count, Z) with coordinates beyond ±limit drawn again (Brock et al., 2019).

    Raises ConfigError for a limit within which there is next to nothing of the prior.
    """
    _check_reachable(prior, limit)
    latents = prior(count, rng)
    while (outside := latents.abs() > limit).any():
        latents = torch.where(outside, prior(count, rng), latents)
    return latents


def _check_reachable(prior: Prior, limit: float) -> None:
    if not 0 < limit < float("inf"):
        raise ConfigError(f"expected a truncation greater than 0, found {limit:g}")
    tried = prior(TRIED, stream(0, "what the prior is like"))
    share = (tried.abs() <= limit).double().mean(0).min().item()  # of the rarest coordinate
    if share < RAREST:
        least = tried.abs().flatten()[: 2**20].quantile(2 * RAREST).item()
        raise ConfigError(
            f"a truncation of {limit:g} keeps {share:.2%} of this prior's values, too few to "
            f"draw from; use one above {least:.2g}"
        )
