"""BigGAN, BigGAN-deep and SAGAN backbones for ganbench, and BigGAN's shared class embedding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench import (
    Architecture,
    Conditioning,
    DiscriminatorConditioner,
    DiscriminatorOutput,
    GeneratorConditioner,
    ImageSpec,
    LinearHead,
    NormFactory,
    PlainNorm,
    Unconditioned,
    hookimpl,
)

Block = Callable[..., nn.Module]


class Attention(nn.Module):
    """Self-attention over all places of feature maps, faded in from none (Zhang et al., 2019)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        inner, values = max(1, channels // 8), max(1, channels // 2)
        self.query = nn.Conv2d(channels, inner, 1, bias=False)
        self.key = nn.Conv2d(channels, inner, 1, bias=False)
        self.value = nn.Conv2d(channels, values, 1, bias=False)
        self.project = nn.Conv2d(values, channels, 1, bias=False)
        self.share = nn.Parameter(torch.zeros(()))

    def forward(self, h: Tensor) -> Tensor:
        query = self.query(h).flatten(2)
        key, value = (F.max_pool2d(net(h), 2).flatten(2) for net in (self.key, self.value))
        weights = (query.transpose(1, 2) @ key).softmax(2)
        seen = (value @ weights.transpose(1, 2)).unflatten(2, h.shape[2:])
        return h + self.share * self.project(seen)


class Modulated(nn.Module):
    """A conditional norm, whose maps a part of the latent then scales and shifts."""

    def __init__(self, norm: nn.Module, channels: int, chunk: int) -> None:
        super().__init__()
        self.norm = norm
        self.affine = nn.Linear(chunk, 2 * channels, bias=False) if chunk else None

    def forward(self, h: Tensor, condition: Tensor | None, z: Tensor) -> Tensor:
        h = self.norm(h, condition)
        if self.affine is None:
            return h
        gain, bias = self.affine(z)[:, :, None, None].chunk(2, 1)
        return h * (1 + gain) + bias


class UpBlock(nn.Module):
    """BigGAN's residual block of a generator, which doubles the size where `up`."""

    def __init__(self, before: int, after: int, norm: NormFactory, chunk: int, *, up: bool) -> None:
        super().__init__()
        self.up = up
        self.norm1 = Modulated(norm(before), before, chunk)
        self.norm2 = Modulated(norm(after), after, chunk)
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        self.shortcut = nn.Conv2d(before, after, 1)

    def forward(self, h: Tensor, condition: Tensor | None, z: Tensor) -> Tensor:
        residual = _larger(F.relu(self.norm1(h, condition, z)), self.up)
        residual = self.conv2(F.relu(self.norm2(self.conv1(residual), condition, z)))
        return residual + self.shortcut(_larger(h, self.up))


class DeepUpBlock(nn.Module):
    """BigGAN-deep's: a bottleneck of a quarter of the channels, and a shortcut that drops some."""

    def __init__(self, before: int, after: int, norm: NormFactory, chunk: int, *, up: bool) -> None:
        super().__init__()
        self.up, self.after = up, after
        inner = max(1, before // 4)
        widths = (before, inner, inner, inner)
        self.norms = nn.ModuleList(Modulated(norm(width), width, chunk) for width in widths)
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(before, inner, 1),
                nn.Conv2d(inner, inner, 3, padding=1),
                nn.Conv2d(inner, inner, 3, padding=1),
                nn.Conv2d(inner, after, 1),
            ]
        )

    def forward(self, h: Tensor, condition: Tensor | None, z: Tensor) -> Tensor:
        residual = h
        for number, (norm, conv) in enumerate(zip(self.norms, self.convs, strict=True)):
            residual = F.relu(norm(residual, condition, z))
            residual = conv(_larger(residual, self.up and number == 1))
        return residual + _larger(h[:, : self.after], self.up)


class DownBlock(nn.Module):
    """BigGAN's residual block of a discriminator, half as large after it where `down`."""

    def __init__(self, before: int, after: int, *, first: bool, down: bool) -> None:
        super().__init__()
        self.first, self.down = first, down
        self.conv1 = nn.Conv2d(before, after, 3, padding=1)
        self.conv2 = nn.Conv2d(after, after, 3, padding=1)
        needs_one = before != after or down
        self.shortcut = nn.Conv2d(before, after, 1) if needs_one else nn.Identity()

    def forward(self, h: Tensor) -> Tensor:
        residual = self.conv2(F.relu(self.conv1(h if self.first else F.relu(h))))
        if not self.down:
            return residual + self.shortcut(h)
        if self.first:
            return F.avg_pool2d(residual, 2) + self.shortcut(F.avg_pool2d(h, 2))
        return F.avg_pool2d(residual, 2) + F.avg_pool2d(self.shortcut(h), 2)


class DeepDownBlock(nn.Module):
    """BigGAN-deep's: a bottleneck, and a shortcut to which a convolution adds channels."""

    def __init__(self, before: int, after: int, *, first: bool, down: bool) -> None:
        super().__init__()
        self.down = down
        inner = max(1, after // 4)
        self.convs = nn.ModuleList(
            [
                nn.Conv2d(before, inner, 1),
                nn.Conv2d(inner, inner, 3, padding=1),
                nn.Conv2d(inner, inner, 3, padding=1),
            ]
        )
        self.last = nn.Conv2d(inner, after, 1)
        self.added = nn.Conv2d(before, after - before, 1) if after > before else None

    def forward(self, h: Tensor) -> Tensor:
        residual = h
        for conv in self.convs:
            residual = conv(F.relu(residual))
        residual = F.relu(residual)
        if self.down:
            residual, h = F.avg_pool2d(residual, 2), F.avg_pool2d(h, 2)
        shortcut = h if self.added is None else torch.cat([h, self.added(h)], 1)
        return self.last(residual) + shortcut


def _larger(h: Tensor, up: bool) -> Tensor:
    return F.interpolate(h, scale_factor=2) if up else h


class Generator(nn.Module):
    """Blocks from 4 to 7 pixels up, with a part of the latent, all of it or none for each."""

    def __init__(
        self,
        plan: Plan,
        image: ImageSpec,
        latent_dim: int,
        norm: NormFactory,
        block: Block,
        split: bool | None,
    ) -> None:
        super().__init__()
        ups = [step for step in plan.steps() for step in step]
        self.chunks = _chunks(latent_dim, len(ups) + 1) if split else None
        of_first = self.chunks[0] if self.chunks else latent_dim
        of_blocks = self.chunks[1:] if self.chunks else [latent_dim * (split is False)] * len(ups)
        self.start = (ups[0].before, plan.sizes[-1], plan.sizes[-1])
        self.project = nn.Linear(of_first, ups[0].before * plan.sizes[-1] ** 2)
        self.blocks = nn.ModuleList(
            block(up.before, up.after, norm, chunk, up=up.scaled)
            for up, chunk in zip(ups, of_blocks, strict=True)
        )
        self.attention = nn.ModuleList(
            Attention(up.after) if up.attends else nn.Identity() for up in ups
        )
        self.norm = norm(ups[-1].after)
        self.to_image = nn.Conv2d(ups[-1].after, image.channels, 3, padding=1)

    def forward(self, z: Tensor, condition: Tensor | None) -> Tensor:
        parts = z.split(self.chunks, 1) if self.chunks else [z] * (len(self.blocks) + 1)
        h = self.project(parts[0]).view(-1, *self.start)
        for block, attention, part in zip(self.blocks, self.attention, parts[1:], strict=True):
            h = attention(block(h, condition, part))
        return self.to_image(F.relu(self.norm(h, condition))).tanh()


class Discriminator(nn.Module):
    """Blocks down to 4 to 7 pixels, whose maps are summed over places."""

    def __init__(self, plan: Plan, image: ImageSpec, block: Block, stem: int) -> None:
        super().__init__()
        downs = plan.downwards(stem or image.channels)
        self.stem = nn.Conv2d(image.channels, stem, 3, padding=1) if stem else nn.Identity()
        self.blocks = nn.ModuleList(
            block(down.before, down.after, first=not (number or stem), down=down.scaled)
            for number, down in enumerate(downs)
        )
        self.attention = nn.ModuleList(
            Attention(down.after) if down.attends else nn.Identity() for down in downs
        )
        self.feature_dim = downs[-1].after

    def forward(self, images: Tensor) -> Tensor:
        h = self.stem(images)
        for block, attention in zip(self.blocks, self.attention, strict=True):
            h = attention(block(h))
        return F.relu(h).sum((2, 3))


@dataclass(frozen=True)
class Stride:
    """One block: its channels, whether it changes the size, and whether attention follows."""

    before: int
    after: int
    scaled: bool
    attends: bool


@dataclass(frozen=True)
class Plan:
    """Which blocks a network is made of, from the image's size to the smallest."""

    sizes: Sequence[int]
    width: int  # channels next to the image
    most: int  # times as many at most
    attention: int  # where it attends: the image's side over that of the maps
    deep: bool  # two blocks for each size

    def channels(self, level: int) -> int:
        """Return the channels of a size; the image's own is level 0."""
        return self.width * min(2**level, self.most)

    def steps(self) -> list[list[Stride]]:
        """Return G's blocks: each size's, from the smallest up to the image's."""
        found, last = [], len(self.sizes) - 1
        for level in range(last, 0, -1):
            before, after = self.channels(level), self.channels(level - 1)
            attends = self._attends(level - 1)
            if self.deep:
                found.append(
                    [Stride(before, before, False, False), Stride(before, after, True, attends)]
                )
            else:
                found.append([Stride(before, after, True, attends)])
        return found

    def downwards(self, channels: int) -> list[Stride]:
        """Return D's blocks, from images or a first layer of so many channels."""
        found, before, last = [], channels, len(self.sizes) - 1
        for level in range(1, last + 1):
            after = self.channels(level if self.deep else level - 1)
            found.append(Stride(before, after, True, self._attends(level) and not self.deep))
            if self.deep:
                found.append(Stride(after, after, False, self._attends(level)))
            before = after
        if not self.deep:
            found.append(Stride(before, self.channels(last - 1), False, False))
        return found

    def _attends(self, level: int) -> bool:
        return bool(self.attention) and 2**level == self.attention


def _chunks(latent_dim: int, count: int) -> list[int]:
    """Return the sizes of `count` parts of a latent, as equal as can be, the first one largest."""
    size, rest = divmod(latent_dim, count)
    return [size + (number < rest) for number in range(count)]


def _sizes(resolution: int) -> list[int]:
    """Halve `resolution` down to 4 to 7, as far as it is even; return all sizes, its own first."""
    sizes = [resolution]
    while sizes[-1] > 7 and sizes[-1] % 2 == 0:
        sizes.append(sizes[-1] // 2)
    return sizes


@torch.no_grad()
def _orthogonal(net: nn.Module) -> nn.Module:
    for part in net.modules():
        if isinstance(part, nn.Conv2d | nn.Linear):
            if not part.weight.is_meta:  # which would be factorised all the same
                nn.init.orthogonal_(part.weight)
            if part.bias is not None:
                nn.init.zeros_(part.bias)
    return net


@dataclass(kw_only=True)
class Family(Architecture):
    """What the three have in common: sizes of 4 to 7 times a power of two, from 8 up."""

    g_norms = ("batch+spectral", "batch", "instance", "layer", "none", "spectral")
    d_norms = ("spectral", "none")
    latent_dim: int = 120
    width: int = 96  # channels next to the image, doubled at every halving
    most: int = 16  # times `width` at most; 1: as many everywhere
    attention: int = 2  # where it attends: the image's side over that of the maps; 0: nowhere

    def __post_init__(self) -> None:
        for name in ("latent_dim", "width", "most"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be positive, found {getattr(self, name)}")
        if self.attention < 0 or self.attention & (self.attention - 1):
            raise ValueError(
                f"attention is a power of two, or 0 for nowhere, found {self.attention}"
            )

    def unsupported(self, image: ImageSpec) -> str | None:
        sizes = _sizes(image.resolution)
        if len(sizes) == 1 or not 4 <= sizes[-1] <= 7:
            return (
                "it builds sizes of 4 to 7 times a power of two from 8 up (8, 16, 28, 32, 64, "
                f"...), and these images are {image.resolution} wide"
            )
        return None

    def plan(self, image: ImageSpec, *, deep: bool = False) -> Plan:
        """Return which blocks images of this size get."""
        return Plan(_sizes(image.resolution), self.width, self.most, self.attention, deep)


@dataclass(kw_only=True)
class SAGAN(Family):
    """Residual blocks with self-attention, spectral norm on both sides (Zhang et al., 2019)."""

    name = "sagan"
    latent_dim: int = 128
    width: int = 64
    attention: int = 4

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return _orthogonal(Generator(self.plan(image), image, latent_dim, norm, UpBlock, None))

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return _orthogonal(Discriminator(self.plan(image), image, DownBlock, 0))


@dataclass(kw_only=True)
class BigGAN(Family):
    """As SAGAN, with a part of the latent for each block of G (Brock et al., 2019)."""

    name = "biggan"

    def unsupported(self, image: ImageSpec) -> str | None:
        parts = len(_sizes(image.resolution))
        if self.latent_dim < parts:
            return (
                f"each of {parts} layers sees a part of the latent, and latent_dim is "
                f"{self.latent_dim}"
            )
        return super().unsupported(image)

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        return _orthogonal(Generator(self.plan(image), image, latent_dim, norm, UpBlock, True))

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        return _orthogonal(Discriminator(self.plan(image), image, DownBlock, 0))


@dataclass(kw_only=True)
class BigGANDeep(Family):
    """Twice the blocks, with bottlenecks, each with all of the latent (Brock et al., 2019)."""

    name = "biggan-deep"
    latent_dim: int = 128
    width: int = 128

    def generator(self, image: ImageSpec, latent_dim: int, norm: NormFactory) -> nn.Module:
        plan = self.plan(image, deep=True)
        return _orthogonal(Generator(plan, image, latent_dim, norm, DeepUpBlock, False))

    def discriminator(self, image: ImageSpec, norm: NormFactory) -> nn.Module:
        plan = self.plan(image, deep=True)
        return _orthogonal(Discriminator(plan, image, DeepDownBlock, self.width))


# Labels


class SharedNorm(nn.Module):
    """Normalise, then scale and shift by what is linear in the class's embedding."""

    def __init__(self, norm: nn.Module, channels: int, dim: int) -> None:
        super().__init__()
        self.norm = norm
        self.gain = nn.Linear(dim, channels, bias=False)
        self.bias = nn.Linear(dim, channels, bias=False)

    def forward(self, h: Tensor, condition: Tensor) -> Tensor:
        shape = (*h.shape[:2], *[1] * (h.ndim - 2))
        gain, bias = (net(condition).to(h.dtype).view(shape) for net in (self.gain, self.bias))
        return self.norm(h) * (1 + gain) + bias


class SharedEmbedding(GeneratorConditioner):
    """One embedding of the classes in every norm layer."""

    needs_norm_layers = True

    def __init__(self, latent_dim: int, num_classes: int, dim: int) -> None:
        super().__init__(latent_dim)
        self.embedding = nn.Embedding(num_classes, dim)

    def condition(self, labels: Tensor) -> Tensor:
        return self.embedding(labels)

    def norm(self, plain: PlainNorm, channels: int) -> nn.Module:
        dim = self.embedding.embedding_dim
        return SharedNorm(plain(channels, affine=False), channels, dim)


class EmbeddingBesideLatent(GeneratorConditioner):
    """One embedding of the classes, behind the latent alone; norm layers scale nothing."""

    def __init__(self, latent_dim: int, num_classes: int, dim: int) -> None:
        super().__init__(latent_dim + dim)
        self.embedding = nn.Embedding(num_classes, dim)

    def latent(self, z: Tensor, labels: Tensor) -> Tensor:
        return torch.cat([z, self.embedding(labels)], 1)

    def norm(self, plain: PlainNorm, channels: int) -> nn.Module:
        return Unconditioned(plain(channels, affine=False))


class ProjectedHead(LinearHead):
    """w·h + E(y)·h."""

    def __init__(self, feature_dim: int, num_classes: int) -> None:
        super().__init__(feature_dim)
        self.embedding = nn.Embedding(num_classes, feature_dim)
        nn.init.orthogonal_(self.embedding.weight)

    def forward(self, features: Tensor, labels: Tensor) -> DiscriminatorOutput:
        logits = super().forward(features, labels).logits
        return DiscriminatorOutput(logits + (self.embedding(labels) * features).sum(1), features)


class Projected(DiscriminatorConditioner):
    """Labels enter D through the head alone."""

    def __init__(self, image: ImageSpec) -> None:
        super().__init__(image.channels)
        self.num_classes = image.num_classes

    def head(self, feature_dim: int) -> nn.Module:
        return ProjectedHead(feature_dim, self.num_classes)


@dataclass(kw_only=True)
class SharedProjection(Conditioning):
    """One class embedding for all norm layers of G, a projection in D (Brock et al., 2019)."""

    name = "shared-projection"
    dim: int = 128  # of the embedding
    # norms, or latent: behind z, for biggan-deep.
    enters: Literal["norms", "latent"] = field(default="norms", metadata={"since": "0.2.0"})

    def __post_init__(self) -> None:
        if self.dim < 1:
            raise ValueError(f"dim must be positive, found {self.dim}")

    def generator(self, latent_dim: int, num_classes: int) -> GeneratorConditioner:
        made = SharedEmbedding if self.enters == "norms" else EmbeddingBesideLatent
        return made(latent_dim, num_classes, self.dim)

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return Projected(image)


@hookimpl
def register_architectures(register: Callable[[type[Architecture]], None]) -> None:
    for architecture in (SAGAN, BigGAN, BigGANDeep):
        register(architecture)


@hookimpl
def register_conditionings(register: Callable[[type[Conditioning]], None]) -> None:
    register(SharedProjection)
