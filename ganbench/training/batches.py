"""The real images of each step."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ganbench.contracts.images import LabeledImages
from ganbench.errors import DataError
from ganbench.training.fetching import Fetcher
from ganbench.training.ranks import ALONE, Ranks
from ganbench.training.state import PlainState
from ganbench.util import machine

SHARE = 0.5  # of a device's free memory: as much may images take, the rest is the networks'
MOST_ON_DEVICE = 2**30  # bytes, where it is not known how much is free


@dataclass
class Batches:
    """Shuffled batches without end, on the training device, scaled to [-1, 1].

    The rest of an epoch that fills no batch is dropped. Images lie on the device where it has room;
    else each batch is fetched from the host.
    """

    data: LabeledImages
    batch_size: int
    generator: torch.Generator
    device: torch.device
    channels_last: bool
    ranks: Ranks = ALONE  # of which each has its rows of a batch
    balanced: bool = False  # each class as often as any other that has images; of class ids
    _order: Tensor = field(default_factory=lambda: torch.empty(0, 0), init=False)  # of an epoch
    _rows: Tensor = field(default_factory=lambda: torch.empty(0, 0), init=False)  # on the device
    _taken: int = field(default=0, init=False)  # batches of it

    def __post_init__(self) -> None:
        if len(self.data) < self.batch_size:
            raise DataError(
                f"the data set has {len(self.data)} images, fewer than one batch of "
                f"{self.batch_size}; lower training.batch_size"
            )
        images, labels = self.data.images, self.data.labels
        self._fetcher = None if self._has_room(images) else Fetcher(images, self.device)
        self._images = images if self._fetcher else images.to(self.device)
        self._labels = None if labels is None else labels.to(self.device)

    def labels_of(self, rows: Tensor) -> Tensor:
        """Return the labels of these of its images; of data that has labels."""
        assert self._labels is not None
        return self._labels.index_select(0, rows)

    def next(self) -> tuple[Tensor, Tensor | None]:
        """Return images (batch_size, C, H, W) and their labels, shuffled anew after an epoch.

        Of several processes each has its share of these.
        """
        if self._taken == len(self._order):
            order = self._balanced_order() if self.balanced else self._shuffled_order()
            self._begin(order.view(-1, self.batch_size), taken=0)
        rows = self.ranks.share(self._rows[self._taken])
        if self._fetcher:
            here, *following = map(self.ranks.share, self._order[self._taken : self._taken + 2])
            images = self._fetcher.fetched(here, following[0] if following else None)
        else:
            images = self._images.index_select(0, rows)
        self._taken += 1
        return self._scaled(images), None if self._labels is None else self.labels_of(rows)

    def _has_room(self, images: Tensor) -> bool:
        """Whether the device has room for all images."""
        free = machine.free_device_bytes(self.device)
        most = MOST_ON_DEVICE if free is None else SHARE * free
        return images.device == self.device or images.nbytes <= most

    def _begin(self, order: Tensor, taken: int) -> None:
        self._order, self._rows, self._taken = order, order.to(self.device), taken

    def _shuffled_order(self) -> Tensor:
        order = torch.randperm(len(self.data), generator=self.generator)
        return order[: self.per_epoch * self.batch_size]

    def _balanced_order(self) -> Tensor:
        """Return rows of which any so many in a row have each class equally often, but for one.

        Of a class with few images each comes again once all have come.
        """
        assert self.data.labels is not None
        labels = self.data.labels.cpu()
        ids = labels.unique()
        rounds = -(-self.per_epoch * self.batch_size // len(ids))
        turns = [torch.randperm(len(ids), generator=self.generator) for _ in range(rounds)]
        classes = ids[torch.cat(turns)[: self.per_epoch * self.batch_size]]
        order = torch.empty_like(classes)
        for label in ids:
            rows, places = (labels == label).nonzero()[:, 0], (classes == label).nonzero()[:, 0]
            again = [
                rows[torch.randperm(len(rows), generator=self.generator)]
                for _ in range(-(-len(places) // len(rows)))
            ]
            order[places] = torch.cat(again)[: len(places)]
        return order

    @property
    def per_epoch(self) -> int:
        """Whole batches of all the images."""
        return len(self.data) // self.batch_size

    def state(self) -> PlainState:
        """Return what `restore` needs to go on with the same images in the same order."""
        return {
            "generator": self.generator.get_state(),
            "order": self._order,
            "taken": self._taken,
        }

    def restore(self, state: PlainState) -> None:
        """Go back to where `state` was taken."""
        self.generator.set_state(state["generator"])
        self._begin(state["order"].cpu(), state["taken"])

    def _scaled(self, images: Tensor) -> Tensor:
        if images.dtype == torch.uint8:
            images = images.float().div_(127.5).sub_(1)
        layout = torch.channels_last if self.channels_last else torch.contiguous_format
        return images.contiguous(memory_format=layout)
