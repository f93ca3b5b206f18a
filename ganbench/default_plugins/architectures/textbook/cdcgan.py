"""The conditional DCGAN that a course builds for MNIST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl
from ganbench.default_plugins.architectures.convolutions import Conv2d, ConvTranspose2d
from ganbench.default_plugins.architectures.layouts import Rows
from ganbench.default_plugins.architectures.textbook.stacks import (
    LEAK,
    FromPoint,
    check_dropout,
    without_bias,
)


class _Generator(nn.Module):
    sees_noise = True

    def __init__(
        self, image: ImageSpec, latent_dim: int, noise_dim: int, norm: NormFactory, again: bool
    ) -> None:
        super().__init__()
        self.noise_dim = noise_dim
        self.convs = nn.ModuleList(
            (
                FromPoint(latent_dim, 256, 4),
                ConvTranspose2d(256, 128, 3, stride=2, padding=1, bias=False),  # to 7
                ConvTranspose2d(128, 64, 4, stride=2, padding=1, bias=False),  # to 14
            )
        )
        self.norms = nn.ModuleList(norm(channels) for channels in (256, 128, 64))
        # A 1×1 convolution of a 1×1 map.
        self.again = nn.Sequential(nn.Linear(noise_dim, 256), nn.Tanh()) if again else None
        self.activation = nn.LeakyReLU(LEAK, inplace=True)
        self.to_image = nn.Sequential(
            ConvTranspose2d(64, image.channels, 4, stride=2, padding=1, bias=False), nn.Tanh()
        )

    def forward(self, z: Tensor, condition: Tensor | None, noise: Tensor | None = None) -> Tensor:
        noise = z[:, : self.noise_dim] if noise is None else noise
        h = z
        for level, (conv, norm) in enumerate(zip(self.convs, self.norms, strict=True)):
            h = self.activation(norm(conv(h), condition))
            if self.again is not None and not level:
                h = h + self.again(noise)[:, :, None, None]
        return self.to_image(h)


class _Discriminator(nn.Module):
    feature_dim = 256 * 4 * 4

    def __init__(self, image: ImageSpec, norm: NormFactory, dropout: float) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            Conv2d(image.channels, 64, 4, stride=2, padding=1, bias=False),  # to 14
            nn.LeakyReLU(LEAK, inplace=True),
            nn.Dropout2d(dropout),
            Conv2d(64, 128, 4, stride=2, padding=1, bias=False),  # to 7
            norm(128),
            nn.LeakyReLU(LEAK, inplace=True),
            nn.Dropout2d(dropout),
            Conv2d(128, 256, 3, stride=2, padding=1, bias=False),  # to 4
            norm(256),
            nn.LeakyReLU(LEAK, inplace=True),
            Rows(),
        )

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(images)


@dataclass(kw_only=True)
class CDCGAN(Architecture):
    """Three layers to 28×28 from uniform noise, which enters twice: the course's networks."""

    name = "cdcgan"
    latent_dim: int = 128
    noise_again: bool = True  # added to the first feature map, by a 1×1 convolution and tanh
    dropout: float = 0.3  # of whole channels in the discriminator

    def __post_init__(self) -> None:
        if self.latent_dim < 1:
            raise ValueError(f"latent_dim must be positive, found {self.latent_dim}")
        check_dropout(self.dropout)

    def unsupported(self, image: ImageSpec) -> str | None:
        if image.resolution != 28:
            return f"it builds images of 28×28, and these are {image.resolution} wide"
        return None

    def latents(
        self, count: int, generator: torch.Generator, device: torch.device | str = "cpu"
    ) -> Tensor:
        """Uniform in [-1, 1]."""
        return 2 * torch.rand(count, self.latent_dim, generator=generator, device=device) - 1

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return _Generator(image, latent_dim, self.latent_dim, norm, self.noise_again)

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return _Discriminator(image, norm, self.dropout)

    def finish_head(self, head: nn.Module) -> None:
        without_bias(head)


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(CDCGAN)
