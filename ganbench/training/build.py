"""A cell's trainer, from its parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch

from ganbench.contracts.images import LabeledImages
from ganbench.models.parts import Parts
from ganbench.models.trained import Probed
from ganbench.records import cells
from ganbench.records.windows import Window
from ganbench.training.trainer import Trainer
from ganbench.util.random_streams import stream_seed


def make_trainer(
    cell: cells.Cell,
    parts: Parts,
    data: LabeledImages,
    seed: int,
    device: str,
    on_window: Callable[[Window], None] = lambda window: None,
    *,
    probes: Sequence[int] = (),
    on_probe: Callable[[Probed], None] = lambda probed: None,
) -> Trainer:
    """A trainer of freshly initialised networks."""
    torch.manual_seed(stream_seed(seed, "initialisation"))
    generator, discriminator = parts.networks(cell)
    return Trainer(
        generator,
        discriminator,
        parts.losses,
        data,
        parts.architecture.latents,
        cell.schedule,
        seed=seed,
        num_classes=parts.image.num_classes,
        device=torch.device(device),
        on_window=on_window,
        probes=probes,
        on_probe=on_probe,
    )
