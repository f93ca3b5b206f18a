"""A trial's callbacks, asked so that they change nothing of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import torch

from ganbench.contracts.callbacks import Callback, Probed, TrialInfo
from ganbench.errors import noting
from ganbench.records.cells import Cell
from ganbench.records.run_folder import Trial
from ganbench.records.windows import Window
from ganbench.registry.registry import Registry
from ganbench.util.process_settings import as_if_not_called


class Callbacks:
    """Whatever a callback draws or sets, the training goes on as without it."""

    def __init__(self, told: list[Callback], devices: Sequence[torch.device]) -> None:
        """`told` is filled with those that know of the trial.

        `devices` are the accelerators whose generators count.
        """
        self._told, self._devices = told, devices

    def begin(self, trial: Trial, cell: Cell, plugins: Registry, directory: Path) -> None:
        """Build them, and tell each of the trial."""
        about = TrialInfo(trial.run, cell.label, cell.axes, trial.seed, directory, asdict(cell))
        for choice in trial.callbacks:
            with as_if_not_called(self._devices):
                made = plugins.build("callback", choice.name, choice.options)
            self._told.append(made)
            with self._asking(made):
                made.began(copy.deepcopy(about))

    def window(self, window: Window) -> None:
        """Tell each of a window of the log."""
        for callback in self._told:
            with self._asking(callback):
                callback.window(copy.deepcopy(window))

    def probed(self, seen: Callable[[], Probed]) -> None:
        """Tell each who asks of what was seen on the way, which is made for each anew."""
        for callback in self._told:
            if type(callback).probed is not Callback.probed:
                with self._asking(callback):
                    callback.probed(seen())

    @contextmanager
    def _asking(self, callback: Callback) -> Iterator[None]:
        with as_if_not_called(self._devices), noting(partial(_name_of, callback)):
            yield


def _name_of(callback: Callback) -> str:
    return f"in callback '{callback.name}'"
