"""What is set anew before each iteration: what is scheduled, and whoever is told the progress."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from functools import partial

from torch import Tensor, nn

from ganbench.contracts.transforms import Transform
from ganbench.records.schedules import Schedule, number_at

PROGRESS = "progress"
"""What a buffer of a module, or a field of a transform, is called to be told it."""


class Changes:
    """The numbers that change while a cell trains. There are none where nothing asks for them."""

    def __init__(self, budget: int) -> None:
        """Take the real images that D will have been shown at the end."""
        self.budget = budget
        self._followed: list[tuple[Schedule, Callable[[float], None]]] = []
        self._told: list[Callable[[float], None]] = []

    def first(self, number: float | Schedule) -> float:
        """Return what a setting is before the first iteration."""
        return number_at(number, 0, self.budget)

    def follow(self, number: float | Schedule, setter: Callable[[float], None]) -> None:
        """Have a setting set before each iteration, where it is scheduled."""
        if isinstance(number, Schedule):
            self._followed.append((number, setter))

    def tell(self, networks: Iterable[nn.Module], transforms: Iterable[Transform]) -> None:
        """Tell the modules and transforms that have a place for it how far the training is."""
        for net in networks:
            self._told += [partial(_fill, buffer) for buffer in progress_buffers(net)]
        for transform in transforms:
            if has_progress(transform):
                self._told.append(partial(setattr, transform, PROGRESS))

    def __bool__(self) -> bool:
        return bool(self._followed or self._told)

    def apply(self, images: int) -> None:
        """Set all of it, once so many real images have been shown to D."""
        for schedule, setter in self._followed:
            setter(schedule.at(images, self.budget))
        progress = min(images / self.budget, 1.0)
        for told in self._told:
            told(progress)


def _fill(buffer: Tensor, progress: float) -> None:
    buffer.fill_(progress)


def progress_buffers(net: nn.Module) -> list[Tensor]:
    """Return the 0-dimensional float buffers called `progress` of a module and those in it."""
    return [
        buffer
        for name, buffer in net.named_buffers()
        if name.rpartition(".")[2] == PROGRESS and not buffer.ndim and buffer.is_floating_point()
    ]


def has_progress(transform: Transform) -> bool:
    """Return whether a transform has a field `progress` that is no option."""
    return any(f.name == PROGRESS and not f.init for f in dataclasses.fields(transform))  # type: ignore[arg-type]
