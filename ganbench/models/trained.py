"""What a training hands over: counts, networks, windows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from torch import nn

from ganbench.contracts.steps import Player
from ganbench.models.networks import ConditionalDiscriminator, ConditionalGenerator
from ganbench.records.windows import Window


@dataclass
class Progress:
    """How far a training has come; `images` counts real images shown to the discriminator."""

    iteration: int = 0
    images: int = 0
    g_updates: int = 0
    d_updates: int = 0


@dataclass(frozen=True)
class TrainingResult:
    """What a finished training leaves for sampling, saving and judging."""

    generator: ConditionalGenerator  # with averaged weights, where there is an average
    discriminator: ConditionalDiscriminator
    progress: Progress
    windows: tuple[Window, ...]
    seconds: float
    own: Mapping[Player, nn.Module]  # networks of plugins' own, by the player that trained them
    without_graph: str = ""  # why iterations were not captured as a graph, where that was asked for


@dataclass(frozen=True)
class Snapshot:
    """A generator on its way, copied to be judged."""

    generator: ConditionalGenerator
    images: int
    seconds: float  # of training so far
