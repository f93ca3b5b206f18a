"""Parts of a batch, where all of it is too large for the networks at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class MicroBatch:
    """A part of a batch, or all of it, with what its fakes are made from."""

    images: Tensor
    labels: Tensor | None
    latents: Tensor
    fake_labels: Tensor | None
    weight: float  # its share of the batch

    def split(self, size: int) -> Iterator[MicroBatch]:
        """Yield parts of at most `size` images, in order; of a whole batch."""
        if len(self.images) <= size:
            yield self
            return
        for start in range(0, len(self.images), size):
            part = slice(start, start + size)
            images, latents = self.images[part], self.latents[part]
            labels = None if self.labels is None else self.labels[part]
            fake_labels = None if self.fake_labels is None else self.fake_labels[part]
            yield MicroBatch(images, labels, latents, fake_labels, len(images) / len(self.images))
