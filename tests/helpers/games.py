"""Trainers and steps of the methods in tests/methods and in packages."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ganbench import (
    InputGradients,
    Regularizer,
    Shapes,
    Step,
)
from ganbench.models.owned import OwnedNetworks
from ganbench.testing.fixtures.loss_steps import Stage
from ganbench.training.trainer import Trainer
from ganbench.util.random_streams import stream_seed
from helpers import methods
from helpers.tiny_trainer import IMAGE, data_of, trainer_of

SHAPES = Shapes(IMAGE, 6, 16)
HOW = {"kimg": 0.24, "ema": 0.9}


def of(name: str, **options):
    """A method's loss, regularizer or transform."""
    (cls,) = methods.plugins(name)
    return cls(**options)


def trained(*losses, seed: int = 0, **how) -> Trainer:
    """A trainer whose plugins' own networks are made as a trial makes them."""
    torch.manual_seed(stream_seed(seed, "own"))
    owned = OwnedNetworks.made(losses, SHAPES)
    return trainer_of(*losses, owned=owned, data=data_of(52), seed=seed, **{**HOW, **how})


def step_of(stage: Stage, loss, player: str) -> Step:
    """The step that a loss is asked about."""
    seen: list[Step] = []
    stage.terms(loss, player, seen=lambda step: seen.append(step) or step)
    return seen[0]


@dataclass(kw_only=True)
class Spectator(Regularizer):
    """Looks on."""

    name = "spectator"
    input_gradients = InputGradients.REAL
