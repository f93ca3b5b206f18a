"""The built-in conditioning methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ganbench import (
    Conditioning,
    DiscriminatorConditioner,
    DiscriminatorOutput,
    GeneratorConditioner,
    ImageSpec,
    LinearHead,
    PlainNorm,
    at_least_float32,
    hookimpl,
)

# How far the gains and biases of conditional norm layers start from one and zero. From exactly
# there, a short training never tells the classes apart: Adam moves a weight by its rate at most.
NORM_STD = 0.5


def _check_not_negative(**options: float | None) -> None:
    for name, value in options.items():
        if value is not None and value < 0:
            raise ValueError(f"{name} must not be negative, found {value}")


class OneHot(nn.Module):
    """Labels (N,) -> one-hot rows (N, K), by lookup: no host sync, one graph when compiled."""

    rows: Tensor

    def __init__(self, num_classes: int) -> None:
        super().__init__()
        self.register_buffer("rows", torch.eye(num_classes), persistent=False)

    def forward(self, labels: Tensor) -> Tensor:
        return self.rows[labels]


def _numbers(num_classes: int, condition_dim: int) -> nn.Module:
    """Return what makes rows (N, K or C) of labels: one-hot ones, or the vectors as they are."""
    return nn.Identity() if condition_dim else OneHot(num_classes)


def _embedding(
    num_classes: int, condition_dim: int, width: int, *, bias: bool = True
) -> nn.Embedding | nn.Linear:
    """Return what makes rows (N, width) of labels: one for each class, or linear in the vector."""
    if condition_dim:
        return nn.Linear(condition_dim, width, bias=bias)
    return nn.Embedding(num_classes, width)


def _begin(embedding: nn.Embedding | nn.Linear, mean: float, std: float) -> None:
    """Have rows start as Normal(mean, std), where the numbers of a vector are of size one."""
    if isinstance(embedding, nn.Embedding):
        nn.init.normal_(embedding.weight, mean, std)
        return
    nn.init.normal_(embedding.weight, std=std / embedding.in_features**0.5)
    if embedding.bias is not None:
        nn.init.constant_(embedding.bias, mean)


class ConcatLatent(GeneratorConditioner):
    """z ++ scale * one-hot(y), or the vector (Mirza & Osindero, 2014)."""

    def __init__(
        self, latent_dim: int, num_classes: int, scale: float, condition_dim: int = 0
    ) -> None:
        super().__init__(latent_dim + (condition_dim or num_classes))
        self.one_hot = _numbers(num_classes, condition_dim)
        self.scale = scale

    def latent(self, z: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([z, self.scale * self.one_hot(labels)], dim=1)


class ConcatPlanes(DiscriminatorConditioner):
    """One constant image plane per class, 0 or `scale`, stacked on the image's channels.

    Or one per number of the vector, `scale` times it.
    """

    def __init__(self, image: ImageSpec, scale: float) -> None:
        super().__init__(image.channels + (image.condition_dim or image.num_classes))
        self.one_hot = _numbers(image.num_classes, image.condition_dim)
        self.scale = scale

    def image(self, images: Tensor, labels: Tensor) -> Tensor:
        planes = self.scale * self.one_hot(labels)[:, :, None, None]
        return torch.cat([images, planes.expand(-1, -1, *images.shape[2:])], dim=1)


class MultiplyLatent(GeneratorConditioner):
    """z * E(y), where E starts as Normal(0, 1), or as the exponential of Normal(0, spread)."""

    def __init__(self, latent_dim: int, num_classes: int, spread: float | None) -> None:
        super().__init__(latent_dim)
        self.embedding = nn.Embedding(num_classes, latent_dim)
        if spread is not None:
            with torch.no_grad():
                self.embedding.weight.mul_(spread).exp_()

    def latent(self, z: Tensor, labels: Tensor) -> Tensor:
        return z * self.embedding(labels)


class EmbedLatent(GeneratorConditioner):
    """z ++ E(y) (Denton et al., 2015)."""

    def __init__(self, latent_dim: int, num_classes: int, embedding_dim: int) -> None:
        super().__init__(latent_dim + embedding_dim)
        self.embedding = nn.Embedding(num_classes, embedding_dim)

    def latent(self, z: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([z, self.embedding(labels)], dim=1)


class EmbeddedPlane(DiscriminatorConditioner):
    """One learned plane E(y), stacked as an extra channel; it starts as Normal(0, std)."""

    def __init__(self, image: ImageSpec, std: float) -> None:
        super().__init__(image.channels + 1)
        self.resolution = image.resolution
        self.embedding = nn.Embedding(image.num_classes, image.resolution**2)
        nn.init.normal_(self.embedding.weight, std=std)

    def image(self, images: Tensor, labels: Tensor) -> Tensor:
        plane = self.embedding(labels).view(-1, 1, self.resolution, self.resolution)
        return torch.cat([images, plane], dim=1)


class MultiplyImage(DiscriminatorConditioner):
    """x * E(y), with one learned plane per channel and class."""

    def __init__(self, image: ImageSpec) -> None:
        super().__init__(image.channels)
        self.shape = (image.channels, image.resolution, image.resolution)
        self.embedding = nn.Embedding(image.num_classes, image.channels * image.resolution**2)
        nn.init.normal_(self.embedding.weight, mean=1.0, std=0.1)

    def image(self, images: Tensor, labels: Tensor) -> Tensor:
        return images * self.embedding(labels).view(-1, *self.shape)


class ConditionalNorm(nn.Module):
    """Normalise, then scale and shift by class (Dumoulin et al., 2017), or by the vector."""

    def __init__(
        self, norm: nn.Module, channels: int, num_classes: int, std: float, condition_dim: int = 0
    ) -> None:
        super().__init__()
        self.norm = norm
        self.gain = _embedding(num_classes, condition_dim, channels)
        self.bias = _embedding(num_classes, condition_dim, channels)
        _begin(self.gain, 1.0, std)
        _begin(self.bias, 0.0, std)

    def forward(self, h: Tensor, labels: Tensor) -> Tensor:
        shape = (*h.shape[:2], *[1] * (h.ndim - 2))
        gain, bias = self.gain(labels).to(h.dtype), self.bias(labels).to(h.dtype)
        return self.norm(h) * gain.view(shape) + bias.view(shape)


class NormConditioner(GeneratorConditioner):
    """Every norm layer of the generator becomes conditional."""

    needs_norm_layers = True

    def __init__(
        self, latent_dim: int, num_classes: int, std: float, condition_dim: int = 0
    ) -> None:
        super().__init__(latent_dim)
        self.num_classes, self.condition_dim, self.std = num_classes, condition_dim, std

    def condition(self, labels: Tensor) -> Tensor:
        return labels

    def norm(self, plain: PlainNorm, channels: int) -> nn.Module:
        return ConditionalNorm(
            plain(channels, affine=False),
            channels,
            self.num_classes,
            self.std,
            self.condition_dim,
        )


class ProjectionHead(LinearHead):
    """w·h + E(y)·h, with E linear where y is a vector (Miyato & Koyama, 2018)."""

    def __init__(self, feature_dim: int, num_classes: int, condition_dim: int = 0) -> None:
        super().__init__(feature_dim)
        self.embedding = _embedding(num_classes, condition_dim, feature_dim, bias=False)
        _begin(self.embedding, 0.0, feature_dim**-0.5)

    def forward(self, features: Tensor, labels: Tensor) -> DiscriminatorOutput:
        features = at_least_float32(features)  # a long sum: too coarse in bfloat16
        with torch.autocast(features.device.type, enabled=False):
            logits = self.linear(features).squeeze(1)
            return DiscriminatorOutput(
                logits + (self.embedding(labels) * features).sum(1), features
            )


class ProjectionConditioner(DiscriminatorConditioner):
    """Labels enter through the head alone."""

    def __init__(self, image: ImageSpec) -> None:
        super().__init__(image.channels)
        self.num_classes, self.condition_dim = image.num_classes, image.condition_dim

    def head(self, feature_dim: int) -> nn.Module:
        return ProjectionHead(feature_dim, self.num_classes, self.condition_dim)


@dataclass(kw_only=True)
class Unconditional(Conditioning):
    """No labels anywhere: an unconditional GAN."""

    name = "none"
    needs_labels = False


@dataclass(kw_only=True)
class Concat(Conditioning):
    """One-hot labels, or vectors, concatenated to latent and image (Mirza & Osindero, 2014)."""

    name = "concat"
    label_kinds = ("ids", "vectors")
    # What the ones of the one-hot rows become: one among a hundred latents or beside a whole image
    # is a faint voice, and larger values make both players heed the label sooner.
    latent_scale: float = 1.0
    plane_scale: float = 1.0

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return ConcatLatent(latent_dim, num_classes, self.latent_scale)

    def generator_of_vectors(self, latent_dim: int, condition_dim: int) -> GeneratorConditioner:
        return ConcatLatent(latent_dim, 0, self.latent_scale, condition_dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return ConcatPlanes(image, self.plane_scale)


@dataclass(kw_only=True)
class EmbedMul(Conditioning):
    """Latent times label embedding, embedded plane in D: the textbook conditional DCGAN."""

    name = "embed-mul"
    # As the latent is symmetric, a class shows only in the sizes of its coordinates. The wider
    # these are spread at the start, the sooner the classes part; 0.1 begins near the unconditional
    # model, and null is the textbook's Normal(0, 1).
    spread: float | None = 2.0
    plane_std: float = 1.0  # of the learned plane at the start

    def __post_init__(self) -> None:
        _check_not_negative(spread=self.spread, plane_std=self.plane_std)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return MultiplyLatent(latent_dim, num_classes, self.spread)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return EmbeddedPlane(image, self.plane_std)


@dataclass(kw_only=True)
class EmbedConcat(Conditioning):
    """A label embedding concatenated to the latent and as a plane (Denton et al., 2015)."""

    name = "embed-concat"
    embedding_dim: int = 16
    plane_std: float = 1.0

    def __post_init__(self) -> None:
        if self.embedding_dim < 1:
            raise ValueError(f"embedding_dim must be positive, found {self.embedding_dim}")
        _check_not_negative(plane_std=self.plane_std)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return EmbedLatent(latent_dim, num_classes, self.embedding_dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return EmbeddedPlane(image, self.plane_std)


@dataclass(kw_only=True)
class ImageMul(Conditioning):
    """Latent and image both multiplied by label embeddings."""

    name = "image-mul"

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return MultiplyLatent(latent_dim, num_classes, spread=None)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return MultiplyImage(image)


@dataclass(kw_only=True)
class ConditionalBatchNorm(Conditioning):
    """Norm layers of G by class or vector, label planes in D (Dumoulin et al., 2017)."""

    name = "cbn"
    label_kinds = ("ids", "vectors")
    std: float = NORM_STD
    plane_scale: float = 1.0

    def __post_init__(self) -> None:
        _check_not_negative(std=self.std)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return NormConditioner(latent_dim, num_classes, self.std)

    def generator_of_vectors(self, latent_dim: int, condition_dim: int) -> GeneratorConditioner:
        return NormConditioner(latent_dim, 0, self.std, condition_dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return ConcatPlanes(image, self.plane_scale)


@dataclass(kw_only=True)
class Projection(Conditioning):
    """Projection D with a class-normalised G, as published (Miyato & Koyama, 2018).

    Of vectors, what is embedded of a class is linear in them.
    """

    name = "projection"
    label_kinds = ("ids", "vectors")
    std: float = NORM_STD

    def __post_init__(self) -> None:
        _check_not_negative(std=self.std)

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        return NormConditioner(latent_dim, num_classes, self.std)

    def generator_of_vectors(self, latent_dim: int, condition_dim: int) -> GeneratorConditioner:
        return NormConditioner(latent_dim, 0, self.std, condition_dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return ProjectionConditioner(image)


@hookimpl
def register_conditionings(register: Callable[[type[Conditioning]], None]) -> None:
    for conditioning in (
        Unconditional,
        Concat,
        EmbedMul,
        EmbedConcat,
        ImageMul,
        ConditionalBatchNorm,
        Projection,
    ):
        register(conditioning)
