"""How labels enter a generator and a discriminator.

An architecture is two backbones that never see a label; a conditioning owns every place where one
enters: G's latent and normalisation layers, D's image and head. It makes one conditioner for each
player, so the YAML can mix the two sides of different methods.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from torch import Tensor, nn

from ganbench.contracts.images import ImageSpec
from ganbench.contracts.losses import DiscriminatorOutput, Step, Terms


class PlainNorm(Protocol):
    def __call__(self, channels: int, *, affine: bool = True) -> nn.Module: ...


class Unconditioned(nn.Module):
    """A norm layer that is handed a condition and ignores it."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, h: Tensor, condition: Tensor | None) -> Tensor:
        return self.norm(h)


class LinearHead(nn.Module):
    """One logit, linear in the features."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(feature_dim, 1)

    def forward(self, features: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        return DiscriminatorOutput(self.linear(features).squeeze(1), features)


class GeneratorConditioner(nn.Module):
    """How labels enter a generator. This one ignores them."""

    needs_norm_layers: ClassVar[bool] = False

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim  # of what latent() returns

    def latent(self, z: Tensor, labels: Tensor | None) -> Tensor:  # (N, Z) -> (N, latent_dim)
        return z

    def condition(self, labels: Tensor | None) -> Tensor | None:
        """What the backbone hands, unopened, to each of its norm layers."""
        return None

    def norm(self, plain: PlainNorm, channels: int) -> nn.Module:
        """A norm layer, called as layer(h, condition)."""
        return Unconditioned(plain(channels))


class DiscriminatorConditioner(nn.Module):
    """How labels enter a discriminator, whose head it therefore owns. This one ignores them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels  # of what image() returns

    def image(self, images: Tensor, labels: Tensor | None) -> Tensor:  # -> (N, channels, H, W)
        return images

    def head(self, feature_dim: int) -> nn.Module:
        """A module called as head(features, labels) -> DiscriminatorOutput."""
        return LinearHead(feature_dim)

    def discriminator_loss(self, step: Step) -> Terms:
        """Terms that the method adds to the adversarial loss, such as AC-GAN's cross-entropy."""
        return {}

    def generator_loss(self, step: Step) -> Terms:
        return {}


class Conditioning:
    """A pair of conditioners. Subclasses are dataclasses of their options."""

    name: ClassVar[str]  # in benchmark files
    needs_labels: ClassVar[bool] = True
    gives_class_logits: ClassVar[bool] = False  # whether D's head classifies too

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        """How labels enter G."""
        return GeneratorConditioner(latent_dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        """How labels enter D."""
        return DiscriminatorConditioner(image.channels)
