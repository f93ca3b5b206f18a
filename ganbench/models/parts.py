"""A cell's plugins, built, and what is asked of them before anything is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import torch

from ganbench.contracts.architectures import Architecture
from ganbench.contracts.conditionings import Conditioning
from ganbench.contracts.datasets import Dataset
from ganbench.contracts.images import ImageSpec
from ganbench.contracts.losses import Loss, Shapes
from ganbench.contracts.metrics import Metric
from ganbench.contracts.optimizers import Optimizer
from ganbench.contracts.samplers import SamplingMethod
from ganbench.contracts.transforms import Transform
from ganbench.errors import GanbenchError
from ganbench.models.networks import (
    ConditionalDiscriminator,
    ConditionalGenerator,
    build,
)
from ganbench.models.owned import OwnedNetworks
from ganbench.records.cells import Cell, Spec
from ganbench.records.schedules import Schedule
from ganbench.registry.registry import Registry
from ganbench.util import files


class ScheduledOption(NamedTuple):
    """An option of a built plugin that changes while the cell trains."""

    plugin: object
    name: str
    schedule: Schedule


@dataclass(frozen=True)
class Parts:
    """A cell's plugins, built."""

    dataset: Dataset
    image: ImageSpec
    losses: tuple[Loss, ...]
    g_conditioning: Conditioning
    d_conditioning: Conditioning
    architecture: Architecture
    transforms: tuple[Transform, ...]
    metrics: tuple[Metric, ...]
    optimizers: tuple[Optimizer, Optimizer]  # of G and of D
    scheduled: tuple[ScheduledOption, ...] = ()
    samplers: tuple[SamplingMethod, ...] = ()  # as the cell's

    @classmethod
    def of(cls, cell: Cell, registry: Registry) -> Parts:
        """Build a cell's plugins. Raises ConfigError where one is not there or refuses options."""
        parts = cls.built(cell, registry.build_spec)
        pairs = zip(
            (*parts.losses, *parts.transforms), (*cell.losses, *cell.transforms), strict=True
        )
        found = (
            ScheduledOption(plugin, name, schedule)
            for plugin, spec in pairs
            for name, schedule in registry.schedules(spec).items()
        )
        return replace(parts, scheduled=tuple(found))

    @classmethod
    def built(cls, cell: Cell, build: Callable[[Spec], Any]) -> Parts:
        """Build a cell's plugins by a function of a spec, which may share them between cells."""
        dataset: Dataset = build(cell.dataset)
        return cls(
            dataset,
            dataset.image_spec(),
            tuple(map(build, cell.losses)),
            build(cell.g_conditioning),
            build(cell.d_conditioning),
            build(cell.architecture),
            tuple(map(build, cell.transforms)),
            tuple(map(build, cell.metrics)),
            (build(cell.optimizer("generator")), build(cell.optimizer("discriminator"))),
            samplers=tuple(map(build, cell.samplers)),
        )

    def networks(self, cell: Cell) -> tuple[ConditionalGenerator, ConditionalDiscriminator]:
        """Return the cell's networks, untrained, on the default device."""
        with files.folder_put_back():
            return build(
                self.architecture,
                self.g_conditioning,
                self.d_conditioning,
                self.image,
                g_norm=cell.g_norm,
                d_norm=cell.d_norm,
                transforms=self.transforms,
            )

    def owned(self, discriminator: ConditionalDiscriminator) -> OwnedNetworks:
        """Return the networks that the cell's plugins have of their own, on the default device.

        To be called right after `networks`, which made `discriminator`.
        """
        feature_dim: int = discriminator.backbone.feature_dim  # type: ignore[assignment]
        shapes = Shapes(self.image, self.architecture.latent_dim, feature_dim)
        return OwnedNetworks.made((*self.losses, discriminator.conditioner), shapes)


def check_sources(specs: Iterable[Spec], registry: Registry) -> None:
    """Raise GanbenchError where a plugin is no longer the one that the plan was made with."""
    for spec in specs:
        now = registry.lookup(spec.kind, spec.name)
        if now.counted_source != spec.counted_source:
            raise GanbenchError(
                f"{spec.kind} '{spec.name}' was planned with {spec.source}, and {now.identity} is "
                "what is installed; install the former again, or start a new run"
            )


def has_mapping_network(cell: Cell, registry: Registry) -> bool:
    """Whether a cell's generator has styles; nothing is allocated."""
    parts = Parts.of(cell, registry)
    with torch.device("meta"):
        generator, _ = parts.networks(cell)
    return generator.has_styles


class ParameterCounts(NamedTuple):
    """Trainable parameters; those of plugins' own networks by the player that trains them."""

    generator: int
    discriminator: int
    own_generator: int = 0
    own_discriminator: int = 0


def num_parameters(cell: Cell, registry: Registry) -> ParameterCounts:
    """Return the trainable parameters of G and of D, counted; nothing is allocated."""
    parts = Parts.of(cell, registry)
    with torch.device("meta"):
        generator, discriminator = parts.networks(cell)
        owned = parts.owned(discriminator)
    networks = (generator, discriminator, *owned)
    return ParameterCounts(*(sum(p.numel() for p in net.parameters()) for net in networks))
