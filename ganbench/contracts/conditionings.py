"""How labels enter a generator and a discriminator.

An architecture is two backbones that never see a label; a conditioning owns every place where one
enters: G's latent and normalisation layers, D's image and head. It makes one conditioner for each
player, so the YAML can mix the two sides of different methods.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

from torch import Tensor, nn

from ganbench.contracts.images import ImageSpec, LabelKind
from ganbench.contracts.losses import Owned, Shapes, Terms
from ganbench.contracts.steps import DiscriminatorOutput, Step


class PlainNorm(Protocol):
    """A maker of the norm layers that the cell's `g_norm` names."""

    def __call__(self, channels: int, *, affine: bool = True) -> nn.Module:
        """Return a layer called as layer(h); without a scale and a shift where not `affine`."""


class Unconditioned(nn.Module):
    """A norm layer that is handed a condition and ignores it."""

    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, h: Tensor, condition: Tensor | None) -> Tensor:
        """Normalise `h` (N, C, ...) to the same shape."""
        return self.norm(h)


class LinearHead(nn.Module):
    """A head of one logit, linear in the features."""

    def __init__(self, feature_dim: int) -> None:
        super().__init__()
        self.linear = nn.Linear(feature_dim, 1)

    def forward(self, features: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
        """Judge features (N, F), whatever their labels: logits are (N,)."""
        return DiscriminatorOutput(self.linear(features).squeeze(1), features)


class GeneratorConditioner(nn.Module):
    """How labels enter a generator. This one ignores them."""

    needs_norm_layers: ClassVar[bool] = False

    def __init__(self, latent_dim: int) -> None:
        super().__init__()
        self.latent_dim = latent_dim  # of what latent() returns

    def latent(self, z: Tensor, labels: Tensor | None) -> Tensor:
        """Return what the backbone starts from, (N, Z) -> (N, latent_dim)."""
        return z

    def condition(self, labels: Tensor | None) -> Tensor | None:
        """Return what the backbone hands, unopened, to each of its norm layers."""
        return None

    def norm(self, plain: PlainNorm, channels: int) -> nn.Module:
        """Return a norm layer for maps of `channels`, called as layer(h, condition)."""
        return Unconditioned(plain(channels))


class DiscriminatorConditioner(nn.Module):
    """How labels enter a discriminator, whose head it therefore owns. This one ignores them."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channels = channels  # of what image() returns

    def image(self, images: Tensor, labels: Tensor | None) -> Tensor:
        """Return what the backbone sees, (N, C, H, W) -> (N, channels, H, W)."""
        return images

    def head(self, feature_dim: int) -> nn.Module:
        """Return a module called as head(features, labels) -> DiscriminatorOutput."""
        return LinearHead(feature_dim)

    def networks(self, shapes: Shapes) -> dict[str, Owned]:
        """Return networks beside D's head by name, for either player to train; see `Loss`.

        Those that D trains are as well made as modules of this one.
        """
        return {}

    def discriminator_loss(self, step: Step) -> Terms:
        """Return scalars that D minimises beside its loss, such as AC-GAN's cross-entropy.

        Odena et al., "Conditional Image Synthesis with Auxiliary Classifier GANs", ICML 2017.
        """
        return {}

    def generator_loss(self, step: Step) -> Terms:
        """Return scalars that G minimises beside its loss."""
        return {}


class Conditioning:
    """A way for labels to enter both players: it makes one conditioner for each.

    Subclasses are dataclasses of their options.
    """

    name: ClassVar[str]  #: in benchmark files
    needs_labels: ClassVar[bool] = True  #: whether the data must have labels
    label_kinds: ClassVar[tuple[LabelKind, ...]] = ("ids",)
    """What labels it can do with: class ids (N,), vectors (N, C), or both. A subclass with a
    `generator` or `discriminator` of its own says it anew."""
    gives_class_logits: ClassVar[bool] = False  #: whether D's head classifies too
    whole_batch: ClassVar[bool] = False
    """Whether a term of D's conditioner is no mean over images, as of a contrast within the batch:
    such a one cannot be given a batch in pieces. It may be a property."""

    def __init_subclass__(cls) -> None:
        """Take what is inherited for a claim about the methods that it was made of."""
        super().__init_subclass__()
        own = vars(cls)
        if "label_kinds" not in own and ("generator" in own or "discriminator" in own):
            cls.label_kinds = ("ids",)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        """Return how class ids enter G, whose latents are (N, latent_dim) before."""
        return GeneratorConditioner(latent_dim)

    def generator_of_vectors(self, latent_dim: int, condition_dim: int) -> GeneratorConditioner:
        """Return how vectors (N, condition_dim) enter G; of a kind that says `vectors`."""
        return GeneratorConditioner(latent_dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        """Return how labels enter D, for images of this shape, classes or vectors."""
        return DiscriminatorConditioner(image.channels)
