"""A pair of backbones that never see a label."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn

from ganbench.contracts.images import ImageSpec

NormFactory = Callable[[int], nn.Module]


class Architecture(ABC):
    """A generator and a discriminator, as backbones that never see a label.

    Subclasses are dataclasses of their options and must have a `latent_dim`.
    """

    name: ClassVar[str]  #: in benchmark files
    g_norms: ClassVar[tuple[str, ...]] = ("batch", "instance", "layer", "none", "spectral")
    """The norms that G takes, the preferred one first; (): it has no norm layers.

    Where `spectral` is one, each kind of layers goes beside it too, as in `batch+spectral`.
    """
    d_norms: ClassVar[tuple[str, ...]] = ("batch", "layer", "instance", "spectral", "none")
    """The norms that D takes, the preferred one first; `spectral` beside layers as in G."""
    per_sample: ClassVar[bool] = True
    """Whether what D says of an image is of that image alone, where its norm is. Where it is not,
    as with minibatch statistics, the plan refuses batches in pieces."""
    latent_dim: int  #: of the noise, before a conditioning adds to it

    def unsupported(self, image: ImageSpec) -> str | None:
        """Return why images of this shape cannot be built, or None."""
        return None

    def latents(
        self, count: int, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:  # (count, latent_dim)
        """Draw (count, latent_dim) from the prior: standard normal unless overridden.

        `generator` decides the draw, and lives on `device`.
        """
        return torch.randn(count, self.latent_dim, generator=generator, device=device)

    @abstractmethod
    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        """Return a module called as module(z, condition) -> (N, C, H, W) in [-1, 1].

        Make every norm layer with norm(channels); call it as layer(h, condition). A module whose
        `sees_noise` is true is called as module(z, condition, noise), with the latents as they
        were drawn; z is what the conditioning made of them. One that has styles(z, condition) ->
        (N, L, W) and synthesise(styles) is called by these two, and losses may be, by
        `step.generate.styles` and `of_styles`. Buffers are the live weights' own in
        the average of weights too, but norm layers' running statistics are estimated anew before
        sampling: those of torch's classes and their subclasses.
        """

    @abstractmethod
    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        """Return a module called as module(images) -> (N, module.feature_dim).

        No head: the conditioning adds it. Norm layers are called as layer(h).
        """

    def finish_head(self, head: nn.Module) -> None:  # noqa: B027
        """Change what the conditioning adds to the discriminator's backbone, in place.

        How it starts, or that it has no bias, say. Most architectures need nothing here.
        """
