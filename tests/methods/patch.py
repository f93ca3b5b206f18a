"""A discriminator of patches (Isola et al., 2017, arXiv 1611.07004), as a plugin."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from ganbench import (
    Conditioning,
    DiscriminatorConditioner,
    DiscriminatorOutput,
    ImageSpec,
    hookimpl,
)


class PatchHead(nn.Module):
    """A verdict on each place of the last maps, which sees a patch of the image."""

    def __init__(self, feature_dim: int, size: int) -> None:
        super().__init__()
        channels, rest = divmod(feature_dim, size**2)
        if rest:
            raise ValueError(f"features of {feature_dim} numbers are no maps of {size}x{size}")
        self.shape = (channels, size, size)
        self.conv = nn.Conv2d(channels, 1, 1)

    def forward(self, features: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        """Judge features (N, C * h * w): logits are (N, h * w)."""
        maps = self.conv(features.unflatten(1, self.shape))
        return DiscriminatorOutput(maps.flatten(1), features)


class PatchConditioner(DiscriminatorConditioner):
    """D's head judges patches, and no labels."""

    def __init__(self, image: ImageSpec, size: int) -> None:
        super().__init__(image.channels)
        self.size = size

    def head(self, feature_dim: int) -> nn.Module:
        return PatchHead(feature_dim, self.size)


@dataclass(kw_only=True)
class Patch(Conditioning):
    """Unconditional, and D judges patches, of backbones that end in maps such as dcgan's."""

    name = "patch"
    needs_labels = False
    size: int = 4  # of the backbone's last maps, in height and width

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return PatchConditioner(image, self.size)


@hookimpl
def register_conditionings(register):
    register(Patch)
