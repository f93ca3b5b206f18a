"""The DCGAN that a textbook trains on pictures of toy bricks."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl
from ganbench.default_plugins.architectures.textbook.options import StackedArchitecture
from ganbench.default_plugins.architectures.textbook.stacks import (
    Discriminator,
    Generator,
    Upsampling,
    check_dropout,
    check_widths,
    reduced,
    without_bias,
)


def glorot(net: nn.Module) -> None:
    """Draw weights as Keras does where nothing else is said: Glorot's uniform; biases are zero."""
    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.xavier_uniform_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)


@dataclass(kw_only=True)
class BricksDCGAN(StackedArchitecture):
    """A DCGAN without any bias, whose D drops single values out (Foster, 2023)."""

    name = "bricks-dcgan"
    widths: tuple[int, ...] = (64, 128, 256, 512)  # of D from the image on, of G towards it
    dropout: float = 0.3  # of D's values
    upsampling: Upsampling = "transposed"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_widths(self.widths)
        check_dropout(self.dropout)

    def unsupported(self, image: ImageSpec) -> str | None:
        return self.other_size(self.widths, image.resolution)

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        channels = [*self.widths[::-1], image.channels]
        net = Generator(
            channels,
            latent_dim,
            norm,
            kernel=self.g_kernel,
            strides=self.strides_of(len(self.widths))[::-1],
            upsampling=self.upsampling,
        )
        glorot(net)
        return self.normed(net)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        net = Discriminator(self._layers(image.channels, norm), self.widths[-1])
        glorot(net)
        return self.normed(net)

    def finish_head(self, head: nn.Module) -> None:
        without_bias(head)
        glorot(head)

    def _layers(self, channels: int, norm: NormFactory) -> Iterator[nn.Module]:
        strides = self.strides_of(len(self.widths))
        for level, (before, after) in enumerate(pairwise((channels, *self.widths))):
            own = norm if level else None  # from the second layer on
            yield from reduced(
                before,
                after,
                self.d_kernel,
                strides[level],
                bias=False,
                norm=own,
                dropout=self.dropout,
            )


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(BricksDCGAN)
