"""Trainings of a few steps by one process or by several, which hand back what became of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from ganbench import LabeledImages, Loss, Step, Terms
from ganbench.runs import processes
from ganbench.training.ranks import Ranks
from ganbench.training.state import TrainerState
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


class Straying(Hinge):
    """Moves weights by what each process draws for itself."""

    name = "straying"

    def after_generator_step(self, generator: nn.Module) -> None:
        with torch.no_grad():
            next(generator.parameters()).add_(torch.randn(()))


def trained(
    count: int,
    folder: Path,
    make: Callable[..., Trainer],
    *,
    draws: str = "whole",
    again_at: int | None = None,
    **how: Any,
) -> dict[str, Any]:
    """Return windows and weights of a training by so many processes, as the first has them.

    `draws`: `whole` for losses that draw for the whole batch, or `own`. `again_at`: the iteration
    after which another trainer goes on.
    """
    kept = folder / f"{count}.pt"
    if count == 1:
        _train(0, make, how, kept, draws, again_at)
    else:
        how["processes"] = count
        why = processes.together(count, "cpu", _train, make, how, kept, draws, again_at, forks=True)
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


def _train(
    number: int,
    make: Callable[..., Trainer],
    how: dict[str, Any],
    kept: Path,
    draws: str,
    again_at: int | None,
) -> None:
    torch.set_num_threads(1)
    try:
        trainer = make(**how)
        with _whole_draws(trainer.ranks) if draws == "whole" else nullcontext():
            if again_at is not None:
                state = _state_after(trainer, again_at)
                trainer = make(**how)
                trainer.restore(state)
            result = trainer.run()
    finally:
        torch.set_default_dtype(torch.float32)
    if number == 0:
        players = (trainer.generator, trainer.discriminator)
        windows = [{**w.d_terms, **w.g_terms, **w.signals} for w in result.windows]
        buffers = [b for player in players for b in player.buffers()]
        weights = [p.detach() for player in players for p in player.parameters()]
        torch.save({"windows": windows, "weights": weights, "buffers": buffers}, kept)


def _state_after(trainer: Trainer, iterations: int) -> TrainerState:
    for _ in range(iterations):
        trainer.iterate()
        trainer.close_window(1.0, 1)
    return TrainerState.from_plain(trainer.state().plain())


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
