"""A cell's networks: conditioners around backbones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import reduce
from unittest.mock import patch

from torch import Tensor, nn
from torch.nn.utils import parametrizations
from torch.nn.utils.parametrizations import spectral_norm

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.conditionings import (
    Conditioning,
    DiscriminatorConditioner,
    GeneratorConditioner,
)
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.steps import DiscriminatorOutput, at_least_float32
from ganbench.contracts.transforms import Transform


class ConditionalGenerator(nn.Module):
    """A backbone with the conditioner that tells it the labels."""

    def __init__(
        self, conditioner: GeneratorConditioner, backbone: nn.Module, image: ImageSpec
    ) -> None:
        super().__init__()
        self.image = image  # of what it makes
        self.conditioner = conditioner
        self.backbone = backbone
        self.sees_noise = bool(getattr(backbone, "sees_noise", False))
        self.has_styles = has_styles(backbone)

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images (N, C, H, W) in float32 of latents (N, Z) and labels (N,) or (N, C)."""
        if self.has_styles:
            return self.of_styles(self.styles(z, labels))
        latent, condition = self.conditioner.latent(z, labels), self.conditioner.condition(labels)
        noise = (z,) if self.sees_noise else ()
        made = self.backbone(latent, condition, *noise)
        return at_least_float32(made)  # also under autocast

    def styles(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return styles (N, L, W) of latents and labels; of a backbone that has them."""
        latent, condition = self.conditioner.latent(z, labels), self.conditioner.condition(labels)
        styles: Tensor = self.backbone.styles(latent, condition)  # type: ignore[operator]
        return styles

    def of_styles(self, styles: Tensor) -> Tensor:
        """Return images (N, C, H, W) in float32 of styles (N, L, W)."""
        images: Tensor = self.backbone.synthesise(styles)  # type: ignore[operator]
        return at_least_float32(images)


def has_styles(backbone: nn.Module) -> bool:
    """Whether a generator's backbone is called by its styles and what it makes of them."""
    return hasattr(backbone, "styles") and hasattr(backbone, "synthesise")


class ConditionalDiscriminator(nn.Module):
    """A backbone behind the transforms, with the conditioner that owns its head."""

    def __init__(
        self,
        conditioner: DiscriminatorConditioner,
        backbone: nn.Module,
        transforms: Sequence[Transform] = (),
    ) -> None:
        super().__init__()
        self.transforms = tuple(transforms)
        self.conditioner = conditioner
        self.backbone = backbone
        feature_dim: int = backbone.feature_dim  # type: ignore[assignment]
        self.head = conditioner.head(feature_dim)

    def forward(self, images: Tensor, labels: Tensor | None = None) -> DiscriminatorOutput:
        """Return what D says of images (N, C, H, W) and their labels, logits in float32."""
        for transform in self.transforms:
            images = transform.apply(images)
        output = self.head(self.backbone(self.conditioner.image(images, labels)), labels)
        logits, features, classes = output
        return DiscriminatorOutput(
            at_least_float32(logits),
            features,
            None if classes is None else at_least_float32(classes),
        )


class BatchNorm(nn.modules.batchnorm._BatchNorm):
    """Batch normalisation of (N, C, ...) at any rank, so MLPs and conv nets share a name."""

    def _check_input_dim(self, input: Tensor) -> None: ...


def _identity(channels: int, *, affine: bool = True) -> nn.Module:
    return nn.Identity()


PLAIN_NORMS = {
    "batch": lambda channels, *, affine=True: BatchNorm(channels, affine=affine),
    "layer": lambda channels, *, affine=True: nn.GroupNorm(1, channels, affine=affine),
    "instance": lambda channels, *, affine=True: nn.InstanceNorm2d(channels, affine=affine),
    "none": _identity,
    "spectral": _identity,  # the weights are normalised instead
}
PER_SAMPLE = frozenset(PLAIN_NORMS) - {"batch"}
NORMALISED = (nn.Conv2d, nn.Linear, nn.Embedding)
LAYERS = ("batch", "layer", "instance")


def with_spectral(norms: Sequence[str]) -> tuple[str, ...]:
    """Return norms and, where spectral is one, each kind of layers beside it."""
    both = [f"{norm}+spectral" for norm in norms if norm in LAYERS and "spectral" in norms]
    return tuple(dict.fromkeys((*norms, *both)))


def kinds_of_norm(norm: str) -> tuple[str, bool]:
    """Return the layers that a norm stands for, and whether weights are normalised too."""
    layers, _, spectral = norm.partition("+")
    return layers, "spectral" in (layers, spectral)


def transformed(image: ImageSpec, transform: Transform) -> ImageSpec:
    """Return the shape of what a transform leaves of an image, whose labels stay."""
    shape = transform.image_spec(image)
    return replace(shape, num_classes=image.num_classes, condition_dim=image.condition_dim)


def shown_to_d(image: ImageSpec, transforms: Sequence[Transform]) -> ImageSpec:
    """Return the shape of what is left of an image when all transforms are done."""
    return reduce(transformed, transforms, image)


def generator_conditioner(
    conditioning: Conditioning, latent_dim: int, image: ImageSpec
) -> GeneratorConditioner:
    """Return how labels of the kind that images have enter a generator."""
    if image.condition_dim:
        return conditioning.generator_of_vectors(latent_dim, image.condition_dim)
    return conditioning.generator(latent_dim, image.num_classes)


def build(
    architecture: Architecture,
    g_conditioning: Conditioning,
    d_conditioning: Conditioning,
    image: ImageSpec,
    *,
    g_norm: str,
    d_norm: str,
    transforms: Sequence[Transform] = (),
) -> tuple[ConditionalGenerator, ConditionalDiscriminator]:
    """Return the generator and the discriminator of a cell, made on the default device."""
    g_side = generator_conditioner(g_conditioning, architecture.latent_dim, image)
    shown = shown_to_d(image, transforms)
    d_side = d_conditioning.discriminator(shown)
    g_layers, g_spectral = kinds_of_norm(g_norm)
    d_layers, d_spectral = kinds_of_norm(d_norm)
    norms: list[nn.Module] = []

    def made_by_conditioner(channels: int) -> nn.Module:
        norms.append(g_side.norm(PLAIN_NORMS[g_layers], channels))
        return norms[-1]

    generator = ConditionalGenerator(
        g_side, architecture.generator(image, g_side.latent_dim, made_by_conditioner), image
    )
    if g_spectral:
        kinds = (*NORMALISED, nn.ConvTranspose2d)
        if not _normalise(generator.backbone, kinds, left_out=norms):
            raise ValueError(
                f"g_norm '{g_norm}' normalises convolutions and linear layers, and the generator "
                "has none; take spectral out of g_norms"
            )
    seen_by_d = replace(shown, channels=d_side.channels)
    discriminator = ConditionalDiscriminator(
        d_side, architecture.discriminator(seen_by_d, PLAIN_NORMS[d_layers]), transforms
    )
    architecture.finish_head(discriminator.head)
    if d_spectral:  # not the conditioner: embed-mul's planes would shrink to nothing
        for part in (discriminator.backbone, discriminator.head):
            _normalise(part, NORMALISED)
    return generator, discriminator


def _normalise(
    part: nn.Module, kinds: tuple[type[nn.Module], ...], left_out: Sequence[nn.Module] = ()
) -> bool:
    """Divide the weights of these kinds of layers by their largest singular values.

    Returns whether there are any. Layers of a conditioner are `left_out`.
    """
    others = {id(module) for root in left_out for module in root.modules()}
    found = [m for m in part.modules() if isinstance(m, kinds) and id(m) not in others]
    for module in found:
        if "weight" in module._parameters:  # else it is normalised, or made of others, already
            _normalise_spectrally(module)
    return bool(found)


def _normalise_spectrally(module: nn.Module) -> None:
    """As torch does it; without values, as of a plan, its iteration takes seconds for nothing."""
    if not module.weight.is_meta:
        spectral_norm(module)
        return
    with patch.object(parametrizations._SpectralNorm, "_power_method", lambda *given: None):
        spectral_norm(module)


@contextmanager
def frozen(parameters: Iterable[Tensor]) -> Iterator[None]:
    """Take no gradients by these for a while; what a plugin froze for good stays frozen."""
    trained = [p for p in parameters if p.requires_grad]
    for parameter in trained:
        parameter.requires_grad_(False)
    try:
        yield
    finally:
        for parameter in trained:
            parameter.requires_grad_(True)
