"""A cell's networks: conditioners around backbones."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial, reduce

from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.conditionings import (
    Conditioning,
    DiscriminatorConditioner,
    GeneratorConditioner,
)
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.steps import DiscriminatorOutput
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

    def forward(self, z: Tensor, labels: Tensor | None = None) -> Tensor:
        """Return images (N, C, H, W) in float32 of latents (N, Z) and class ids (N,)."""
        latent, condition = self.conditioner.latent(z, labels), self.conditioner.condition(labels)
        noise = (z,) if self.sees_noise else ()
        return self.backbone(latent, condition, *noise).float()  # float32, also under autocast


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
        """Return what D says of images (N, C, H, W) and class ids (N,), logits in float32."""
        for transform in self.transforms:
            images = transform.apply(images)
        output = self.head(self.backbone(self.conditioner.image(images, labels)), labels)
        logits, features, classes = output
        return DiscriminatorOutput(
            logits.float(), features, classes if classes is None else classes.float()
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


def shown_to_d(image: ImageSpec, transforms: Sequence[Transform]) -> ImageSpec:
    """Return the shape of what is left of an image when all transforms are done."""
    return reduce(lambda spec, transform: transform.image_spec(spec), transforms, image)


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
    g_side = g_conditioning.generator(architecture.latent_dim, image.num_classes)
    shown = shown_to_d(image, transforms)
    d_side = d_conditioning.discriminator(shown)
    plain = partial(g_side.norm, PLAIN_NORMS[g_norm])
    generator = ConditionalGenerator(
        g_side, architecture.generator(image, g_side.latent_dim, plain), image
    )
    seen_by_d = replace(shown, channels=d_side.channels)
    discriminator = ConditionalDiscriminator(
        d_side, architecture.discriminator(seen_by_d, PLAIN_NORMS[d_norm]), transforms
    )
    architecture.finish_head(discriminator.head)
    if d_norm == "spectral":  # not the conditioner: embed-mul's planes would shrink to nothing
        for part in (discriminator.backbone, discriminator.head):
            for module in list(part.modules()):
                if isinstance(module, nn.Conv2d | nn.Linear | nn.Embedding):
                    spectral_norm(module)
    return generator, discriminator


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
