"""How the classifiers are trained: cross entropy, by a rate that rises and falls once."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ganbench.util.progress import tracked


def trained_steps(
    net: nn.Module,
    shown: Callable[[Tensor], Tensor],
    labels: Tensor,
    batches: Iterator[Tensor],
    steps: int,
    rate: float,
    decay: float,
    what: str,
) -> Iterator[int]:
    """Yield the number of each step, from 1 on, once it was taken.

    `batches` are rows, of which `shown` gives the images; `what` names the network to who looks at
    the progress.
    """
    optimizer = torch.optim.AdamW(net.parameters(), rate, weight_decay=decay)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, rate, total_steps=steps)
    for step, rows in enumerate(tracked(batches, f"training {what}", steps), 1):
        optimizer.zero_grad()
        F.cross_entropy(net(shown(rows)), labels[rows]).backward()
        optimizer.step()
        schedule.step()
        yield step


def whole_batches(rows: Tensor, size: int, steps: int) -> Iterator[Tensor]:
    """Yield so many batches of so many rows each, in an order of its own in each epoch."""
    while True:
        for batch in rows[torch.randperm(len(rows))].split(size):
            if len(batch) == size:
                yield batch
                steps -= 1
            if not steps:
                return
