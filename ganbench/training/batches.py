"""The real images of each step."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganbench.contracts.images import LabeledImages
from ganbench.errors import DataError
from ganbench.training.state import PlainState

MOST_ON_DEVICE = 2**30  # bytes; larger data stays where it is, and batches come one by one


@dataclass
class Batches:
    """Shuffled batches without end, on the training device, scaled to [-1, 1].

    The rest of an epoch that fills no batch is dropped.
    """

    data: LabeledImages
    batch_size: int
    generator: torch.Generator
    device: torch.device
    channels_last: bool
    _order: Tensor = field(default_factory=lambda: torch.empty(0, 0), init=False)  # of an epoch
    _taken: int = field(default=0, init=False)  # batches of it

    def __post_init__(self) -> None:
        if len(self.data) < self.batch_size:
            raise DataError(
                f"the data set has {len(self.data)} images, fewer than one batch of "
                f"{self.batch_size}; lower training.batch_size"
            )
        images = self.data.images
        stays = images.device if images.nbytes > MOST_ON_DEVICE else self.device
        self._images = images.to(stays)
        self._labels = None if self.data.labels is None else self.data.labels.to(stays)

    def labels_of(self, rows: Tensor) -> Tensor:
        """Return the labels of these of its images; of data that has labels."""
        assert self._labels is not None
        return self._labels.index_select(0, rows.to(self._labels.device)).to(self.device)

    def next(self) -> tuple[Tensor, Tensor | None]:
        """Return images (batch_size, C, H, W) and their labels, shuffled anew after an epoch."""
        if self._taken == len(self._order):
            order = torch.randperm(len(self.data), generator=self.generator)
            whole = len(order) // self.batch_size * self.batch_size
            self._order = order[:whole].view(-1, self.batch_size).to(self._images.device)
            self._taken = 0
        index = self._order[self._taken]
        self._taken += 1
        labels = None if self._labels is None else self.labels_of(index)
        return self._scaled(self._images.index_select(0, index).to(self.device)), labels

    @property
    def per_epoch(self) -> int:
        """Whole batches of all the images."""
        return len(self.data) // self.batch_size

    def state(self) -> PlainState:
        """Return what `restore` needs to go on with the same images in the same order."""
        return {
            "generator": self.generator.get_state(),
            "order": self._order.cpu(),
            "taken": self._taken,
        }

    def restore(self, state: PlainState) -> None:
        """Go back to where `state` was taken."""
        self.generator.set_state(state["generator"])
        self._order, self._taken = state["order"].to(self._images.device), state["taken"]

    def _scaled(self, images: Tensor) -> Tensor:
        if images.dtype == torch.uint8:
            images = images.float().div_(127.5).sub_(1)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=layout)
