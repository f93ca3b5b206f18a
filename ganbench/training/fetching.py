"""Images that stay on the host, as they are more than a device has room for, batch by batch."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor

import torch
from torch import Tensor

from ganbench.util import transfers


class Fetcher:
    """Brings batches to a device: none waits for a copy, and one is gathered ahead."""

    def __init__(self, images: Tensor, device: torch.device) -> None:
        """Take all images, (N, ...) on the host."""
        self._images, self._device = images, device
        self._thread = ThreadPoolExecutor(1, "batches")
        self._ahead: tuple[Tensor, Future[Tensor]] | None = None  # rows, and their images

    def fetched(self, rows: Tensor, following: Tensor | None) -> Tensor:
        """Return the images of these rows on the device, and begin to gather those that follow."""
        gathered = None
        if self._ahead is not None and torch.equal(self._ahead[0], rows):
            gathered = self._ahead[1].result()
        if following is not None:
            self._ahead = following, self._thread.submit(self._gathered, following)
        if gathered is None:
            gathered = self._gathered(rows)
        return gathered.to(self._device, non_blocking=True)

    def _gathered(self, rows: Tensor) -> Tensor:
        shape = (len(rows), *self._images.shape[1:])
        batch = transfers.to_be_fetched(shape, self._images.dtype, self._device)
        return torch.index_select(self._images, 0, rows, out=batch)
