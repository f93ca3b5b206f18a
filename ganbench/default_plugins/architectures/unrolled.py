"""The small networks with which unrolled GANs were measured on stacked MNIST."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, NormFactory, hookimpl
from ganbench.default_plugins.architectures import initialise
from ganbench.default_plugins.architectures.priors import WithPrior

G_CHANNELS = (64, 32, 16, 8)  # at sizes 4, 7, 14 and 28
LEAK = 0.3


class _Generator(nn.Module):
    def __init__(self, out: int, latent_dim: int, norm: NormFactory) -> None:
        super().__init__()
        self.project = nn.Linear(latent_dim, G_CHANNELS[0] * 4 * 4)
        self.norms = nn.ModuleList(norm(channels) for channels in G_CHANNELS)
        self.ups = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 3, stride=2, padding=1, output_padding=int(a < G_CHANNELS[0]))
            for a, b in pairwise(G_CHANNELS)
        )  # from 4 to 7, and then to twice the size
        self.to_image = nn.Conv2d(G_CHANNELS[-1], out, 3, padding=1)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        h = self.project(z).view(-1, G_CHANNELS[0], 4, 4)
        first, *others = self.norms
        h = F.relu(first(h, condition))
        for up, norm in zip(self.ups, others, strict=True):
            h = F.relu(norm(up(h), condition))
        return self.to_image(h).tanh()


class _Discriminator(nn.Module):
    def __init__(self, channels: list[int], norm: NormFactory) -> None:
        super().__init__()
        self.feature_dim = channels[-1] * 4 * 4
        self.convs = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in pairwise(channels)
        )
        self.norms = nn.ModuleList(norm(b) for b in channels[1:])  # the first layer's too

    def forward(self, images: Tensor) -> Tensor:
        h = images
        for conv, norm in zip(self.convs, self.norms, strict=True):
            h = F.leaky_relu(norm(conv(h)), LEAK)
        return h.flatten(1)


@dataclass(kw_only=True)
class UnrolledDCGAN(WithPrior):
    """Very few channels, and a discriminator of even fewer, for 28×28 (Metz et al., 2017).

    Layers and initialisation are those of the authors of Lin et al. (2018).
    """

    name = "unrolled-dcgan"
    latent_dim: int = 256
    d_share: float = 0.25  # of the generator's channels in the discriminator; published: ¼ and ½
    init_std: float | None = 0.02  # null: PyTorch's own initialisation

    def __post_init__(self) -> None:
        if self.latent_dim <= 0:
            raise ValueError(f"latent_dim must be positive, found {self.latent_dim}")
        if self.init_std is not None and self.init_std <= 0:
            raise ValueError(f"init_std must be positive, found {self.init_std}")
        first = self.d_share * G_CHANNELS[-1]
        if first < 1 or first != int(first):
            raise ValueError(
                f"d_share must make a whole number of {G_CHANNELS[-1]} channels, as 0.25 and 0.5 "
                f"do, found {self.d_share}"
            )

    def unsupported(self, image: ImageSpec) -> str | None:
        if image.resolution != 28:
            return f"it builds images of 28×28, and these are {image.resolution} wide"
        return None

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        net = _Generator(image.channels, latent_dim, norm)
        initialise(net, self.init_std)
        return net

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        first = int(self.d_share * G_CHANNELS[-1])
        net = _Discriminator([image.channels, first, 2 * first, 4 * first], norm)
        initialise(net, self.init_std)
        return net


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    register(UnrolledDCGAN)
