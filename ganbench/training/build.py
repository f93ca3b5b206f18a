"""A cell's trainer, from its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ganbench.contracts.images import LabeledImages
from ganbench.models import initial_weights
from ganbench.models.parts import Parts
from ganbench.models.trained import Snapshot
from ganbench.records import cells
from ganbench.records.windows import Window
from ganbench.training.trainer import Trainer
from ganbench.util.random_streams import seed_all


def make_trainer(
    cell: cells.Cell,
    parts: Parts,
    data: LabeledImages,
    seed: int,
    device: str,
    on_window: Callable[[Window], None] = lambda window: None,
    *,
    on_open: Callable[[Window], None] | None = None,
    snapshots_at: Sequence[int] = (),
    on_snapshot: Callable[[Snapshot], None] = lambda snapshot: None,
) -> Trainer:
    """Return a trainer of freshly initialised networks; for the rest see `Trainer`.

    Where the cell begins with a model's weights, `Trainer.begin` takes them.
    """
    seed_all(seed, "initialisation")
    generator, discriminator = parts.networks(cell)
    if cell.schedule.init_from is not None:
        initial_weights.freeze(cell.schedule.init_from, (generator, discriminator))
    return Trainer(
        generator,
        discriminator,
        parts.losses,
        data,
        parts.architecture.latents,
        cell.schedule,
        seed=seed,
        device=torch.device(device),
        on_window=on_window,
        on_open=on_open,
        snapshots_at=snapshots_at,
        on_snapshot=on_snapshot,
        owned=parts.owned(discriminator),
        scheduled=parts.scheduled,
        optimizers=parts.optimizers,
    )
