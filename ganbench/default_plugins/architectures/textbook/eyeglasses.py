"""The conditional GAN that a textbook teaches to put glasses on faces of 256×256."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise

from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl
from ganbench.default_plugins.architectures.textbook.options import SMALLEST, StackedArchitecture
from ganbench.default_plugins.architectures.textbook.stacks import (
    Discriminator,
    Generator,
    reduced,
)

STD = 0.02


def _initialise(net: nn.Module) -> None:
    """Normal(0, 0.02) weights and batch norms of Normal(1, 0.02); biases stay PyTorch's."""
    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(part.weight, 0.0, STD)
        elif isinstance(part, _BatchNorm) and part.affine:
            nn.init.normal_(part.weight, 1.0, STD)


@dataclass(kw_only=True)
class EyeglassesCGAN(StackedArchitecture):
    """A critic with instance norms under a generator twice as wide (Liu, 2024)."""

    name = "eyeglasses-cgan"
    d_norms = ("instance", "layer", "spectral", "none", "batch")
    width: int = 16  # of the critic next to the image; doubled at every halving

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.width < 1:
            raise ValueError(f"width must be positive, found {self.width}")

    def unsupported(self, image: ImageSpec) -> str | None:
        if self.strides:
            return self.other_size(self.strides, image.resolution)
        if image.resolution not in (16, 32, 64, 128, 256):
            return (
                "it builds sizes of 16, 32, 64, 128 and 256, and these images are "
                f"{image.resolution} wide"
            )
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        widths = [2 * width for width in self._widths(image.resolution)]
        net = Generator(
            [*widths[::-1], image.channels],
            latent_dim,
            norm,
            kernel=self.g_kernel,
            strides=self.strides_of(len(widths))[::-1],
            leak=0.0,
            bias=True,
        )
        _initialise(net)
        return self.normed(net)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        widths = self._widths(image.resolution)
        net = Discriminator(self._layers([image.channels, *widths], norm), widths[-1])
        _initialise(net)
        return self.normed(net)

    def finish_head(self, head: nn.Module) -> None:
        _initialise(head)

    def _widths(self, resolution: int) -> list[int]:
        layers = len(self.strides) or (resolution // SMALLEST).bit_length() - 1
        return [self.width * 2**level for level in range(layers)]

    def _layers(self, channels: list[int], norm: NormFactory) -> Iterator[nn.Module]:
        strides = self.strides_of(len(channels) - 1)
        for level, (before, after) in enumerate(pairwise(channels)):
            yield from reduced(
                before,
                after,
                self.d_kernel,
                strides[level],
                bias=not level,
                norm=norm if level else None,
            )


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(EyeglassesCGAN)
