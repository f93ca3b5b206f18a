"""Trainings of a few steps by one process or by several, which hand back what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from ganbench import LabeledImages, Loss, Step, Terms
from ganbench.runs import processes
from ganbench.training.ranks import Ranks
from ganbench.training.trainer import Trainer
from helpers.tiny_trainer import data_of, trainer_of

STEPS = 50


class Hinge(Loss):
    """Lim & Ye (2017)."""

    name = "hinge"

    def discriminator_loss(self, step: Step) -> Terms:
        return {
            "real": (1 - step.real.logits).relu().mean(),
            "fake": (1 + step.fake.logits).relu().mean(),
        }

    def generator_loss(self, step: Step) -> Terms:
        return {"fooled": -step.fake.logits.mean()}


def trained(count: int, folder: Path, make: Callable[..., Trainer], **how: Any) -> dict[str, Any]:
    """Return windows and weights of a training by so many processes, as the first has them."""
    kept = folder / f"{count}.pt"
    if count == 1:
        _train(0, make, how, kept)
    else:
        why = processes.together(
            count, "cpu", _train, make, {**how, "processes": count}, kept, forks=True
        )
        assert not why, why
    found: dict[str, Any] = torch.load(kept, weights_only=True)
    return found


def in_double(*losses: Any, **how: Any) -> Trainer:
    """Return a trainer of float64 whose every iteration is a window of its own."""
    data = data_of()
    data = LabeledImages(data.images.double() / 127.5 - 1, data.labels)
    asked = {"log_every": 1, "kimg": STEPS * 8 / 1000, "g_lr": 1e-3, "d_lr": 1e-3, **how}
    torch.set_default_dtype(torch.float64)
    return trainer_of(*losses, data=data, **asked)


def in_single(*losses: Any, **how: Any) -> Trainer:
    """Return a trainer of float32, as trials have it, for one iteration."""
    return trainer_of(*losses, **{"log_every": 1, "kimg": 0.008, **how})


def _train(number: int, make: Callable[..., Trainer], how: dict[str, Any], kept: Path) -> None:
    torch.set_num_threads(1)
    try:
        trainer = make(**how)
        with _whole_draws(trainer.ranks):
            result = trainer.run()
    finally:
        torch.set_default_dtype(torch.float32)
    if number == 0:
        players = (trainer.generator, trainer.discriminator)
        windows = [{**w.d_terms, **w.g_terms, **w.signals} for w in result.windows]
        buffers = [b for player in players for b in player.buffers()]
        weights = [p.detach() for player in players for p in player.parameters()]
        torch.save({"windows": windows, "weights": weights, "buffers": buffers}, kept)


@contextmanager
def _whole_draws(ranks: Ranks) -> Iterator[None]:
    """Draw what losses draw for each image for the whole batch, so that it can be compared.

    Otherwise each process draws from a stream of its own.
    """
    drawn = torch.Generator().manual_seed(7)

    def rand_like(given: Tensor) -> Tensor:
        size = (len(given) * ranks.count, *given.shape[1:])
        return ranks.share(torch.rand(size, dtype=given.dtype, generator=drawn))

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(torch, "rand_like", rand_like)
        yield
