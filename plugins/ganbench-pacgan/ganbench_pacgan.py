"""PacGAN for ganbench."""

from dataclasses import dataclass, replace
from itertools import pairwise

import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import Architecture, ImageSpec, NormFactory, Transform, hookimpl


@dataclass(kw_only=True)
class PacGAN(Transform):
    """Packing: D judges m samples at once, stacked along their channels (Lin et al., 2018)."""

    name = "pacgan"
    per_sample = False
    packing: int = 2  # m

    def __post_init__(self) -> None:
        if self.packing < 1:
            raise ValueError(f"packing must be positive, found {self.packing}")

    def unsupported(self, image: ImageSpec, batch_size: int) -> str | None:
        if batch_size % self.packing:
            return (
                f"a batch of {batch_size} images makes no whole packs of {self.packing}; use a "
                "multiple as training.batch_size"
            )
        return None

    def image_spec(self, image: ImageSpec) -> ImageSpec:
        return replace(image, channels=self.packing * image.channels)

    def apply(self, images: Tensor) -> Tensor:  # (N, C, H, W) -> (N / m, m C, H, W)
        return images.unflatten(0, (-1, self.packing)).flatten(1, 2)


class Maxout(nn.Module):
    """The largest of `pieces` linear functions for each output (Goodfellow et al., 2013)."""

    def __init__(self, in_features: int, out_features: int, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces
        self.linear = nn.Linear(in_features, pieces * out_features)

    def forward(self, x: Tensor) -> Tensor:  # (N, in) -> (N, out)
        return self.linear(x).unflatten(1, (self.pieces, -1)).amax(1)


class _Generator(nn.Module):
    def __init__(self, sizes: list[int], image: ImageSpec, scale: float, norm: NormFactory) -> None:
        super().__init__()
        self.shape = (image.channels, image.resolution, image.resolution)
        self.scale = scale
        *pairs, last = pairwise(sizes)
        self.hidden = nn.ModuleList(nn.Linear(a, b, bias=False) for a, b in pairs)
        self.norms = nn.ModuleList(norm(b) for _, b in pairs)
        self.last = nn.Linear(*last)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        for layer, norm in zip(self.hidden, self.norms, strict=True):
            z = F.relu(norm(layer(z), condition))
        return F.hardtanh(self.last(z) / self.scale).view(-1, *self.shape)


class _Discriminator(nn.Module):
    def __init__(self, sizes: list[int], scale: float, pieces: int) -> None:
        super().__init__()
        self.feature_dim = sizes[-1]
        self.scale = scale
        self.layers = nn.Sequential(*(Maxout(a, b, pieces) for a, b in pairwise(sizes)))

    def forward(self, images: Tensor) -> Tensor:
        return self.layers(self.scale * images.flatten(1))


@dataclass(kw_only=True)
class PacGANMLP(Architecture):
    """The networks of PacGAN's 2-D experiments: batch norm in G, maxout in D (Lin et al., 2018)."""

    name = "pacgan-mlp"
    g_norms = ("batch", "layer", "none")
    d_norms = ("none", "spectral")
    latent_dim: int = 2
    width: int = 400  # of the generator
    depth: int = 4  # hidden layers of the generator
    d_width: int = 200
    d_depth: int = 3
    pieces: int = 5  # of each maxout unit
    scale: float = 1.0  # coordinates inside the networks are the images' times this
    init_std: float = 0.02

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value <= 0:
                raise ValueError(f"{name} must be positive, found {value}")

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        sizes = [latent_dim, *[self.width] * self.depth, image.channels * image.resolution**2]
        return self._initialised(_Generator(sizes, image, self.scale, norm))

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        sizes = [image.channels * image.resolution**2, *[self.d_width] * self.d_depth]
        return self._initialised(_Discriminator(sizes, self.scale, self.pieces))

    def _initialised(self, net: nn.Module) -> nn.Module:
        for part in net.modules():
            if isinstance(part, nn.Linear):
                nn.init.normal_(part.weight, std=self.init_std)
                if part.bias is not None:
                    nn.init.zeros_(part.bias)
        return net


@hookimpl
def register_transforms(register):
    register(PacGAN)


@hookimpl
def register_architectures(register):
    register(PacGANMLP)
