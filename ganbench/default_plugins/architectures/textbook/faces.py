"""The Wasserstein GANs that a textbook trains on faces, with a label and without."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise

from torch import nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl
from ganbench.default_plugins.architectures.textbook.bricks import glorot
from ganbench.default_plugins.architectures.textbook.options import LATER, StackedArchitecture
from ganbench.default_plugins.architectures.textbook.stacks import (
    LEAK,
    Discriminator,
    Generator,
    check_dropout,
    check_widths,
    reduced,
)


@dataclass(kw_only=True)
class FacesWGAN(StackedArchitecture):
    """A critic without norm layers, and the generator of a DCGAN (Foster, 2023)."""

    name = "faces-wgan"
    d_norms = ("none", "spectral")
    latent_dim: int = 128
    widths: tuple[int, ...] = (64, 128, 256, 512)  # of D from the image on, of G towards it
    dropout: float = 0.3  # of the critic's values, from its second layer on
    # Of the critic's rectifiers from the image on; left out: 0.2 each
    leaks: tuple[float, ...] = field(default=(), metadata=LATER)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_widths(self.widths)
        check_dropout(self.dropout)
        if self.leaks and len(self.leaks) != len(self.widths):
            raise ValueError(
                f"leaks has {len(self.leaks)} numbers and widths {len(self.widths)}; give one for "
                "each layer of the critic"
            )

    def unsupported(self, image: ImageSpec) -> str | None:
        return self.other_size(self.widths, image.resolution)

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        net = Generator(
            [*self.widths[::-1], image.channels],
            latent_dim,
            norm,
            kernel=self.g_kernel,
            strides=self.strides_of(len(self.widths))[::-1],
            bias=True,
        )
        glorot(net)
        return self.normed(net)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        net = Discriminator(self._layers(image.channels), self.widths[-1])
        glorot(net)
        return net

    def finish_head(self, head: nn.Module) -> None:
        glorot(head)

    def _layers(self, channels: int) -> Iterator[nn.Module]:
        strides = self.strides_of(len(self.widths))
        leaks = self.leaks or (LEAK,) * len(self.widths)
        for level, (before, after) in enumerate(pairwise((channels, *self.widths))):
            yield from reduced(
                before,
                after,
                self.d_kernel,
                strides[level],
                bias=True,
                leak=leaks[level],
                dropout=self.dropout if level else 0.0,
            )


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(FacesWGAN)
