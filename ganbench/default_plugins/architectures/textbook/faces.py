"""The Wasserstein GANs that a textbook trains on faces, with a label and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl
from ganbench.default_plugins.architectures.textbook.bricks import glorot
from ganbench.default_plugins.architectures.textbook.stacks import (
    Discriminator,
    Generator,
    check_dropout,
    check_widths,
    half,
    other_size,
)


@dataclass(kw_only=True)
class FacesWGAN(Architecture):
    """A critic without norm layers, and the generator of a DCGAN (Foster, 2023)."""

    name = "faces-wgan"
    d_norms = ("none", "spectral")
    latent_dim: int = 128
    widths: tuple[int, ...] = (64, 128, 256, 512)  # of D from the image on, of G towards it
    dropout: float = 0.3  # of the critic's values, from its second layer on

    def __post_init__(self) -> None:
        check_widths(self.widths, latent_dim=self.latent_dim)
        check_dropout(self.dropout)

    def unsupported(self, image: ImageSpec) -> str | None:
        return other_size(self.widths, image.resolution)

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        net = Generator([*self.widths[::-1], image.channels], latent_dim, norm, bias=True)
        glorot(net)
        return net

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        net = Discriminator(self._layers(image.channels), self.widths[-1])
        glorot(net)
        return net

    def finish_head(self, head: nn.Module) -> None:
        glorot(head)

    def _layers(self, channels: int) -> Iterator[nn.Module]:
        for level, (before, after) in enumerate(pairwise((channels, *self.widths))):
            yield from half(before, after, bias=True, dropout=self.dropout if level else 0.0)


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(FacesWGAN)
