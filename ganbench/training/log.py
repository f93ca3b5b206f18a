"""The log of a training, window by window."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ganbench.models.trained import Progress
from ganbench.records.training_settings import TrainingSettings
from ganbench.records.windows import Window
from ganbench.training.meters import Meter, check_finite

SIGNAL_SAMPLES = 10
"""So many times a window D's outputs and the gradients' norms are measured."""


class Log:
    """The windows so far, and what is measured for the next one."""

    def __init__(self, settings: TrainingSettings, batches_per_epoch: int, iterations: int) -> None:
        """Take what decides where windows end: at the latest after all the `iterations`."""
        self.windows: list[Window] = []
        self.seconds = 0.0  # of training, up to the last window
        self.d_meter, self.g_meter, self.signals = Meter(), Meter(), Meter()
        self._settings = settings
        self._batches_per_epoch, self._iterations = batches_per_epoch, iterations
        every, each = settings.log_every, settings.batches_per_iteration
        self._batches = batches_per_epoch if every == "epoch" else every * each  # of D, in a window
        # An odd stride meets every phase of what happens at each 2nd, 4th, 8th, … iteration.
        self._stride = self._batches // each // SIGNAL_SAMPLES | 1

    @contextmanager
    def apart(self) -> Iterator[tuple[Meter, Meter, Meter]]:
        """Have what is measured inside go to meters of its own: of D, of G and of signals."""
        before = self.d_meter, self.g_meter, self.signals
        self.d_meter, self.g_meter, self.signals = found = Meter(), Meter(), Meter()
        try:
            yield found
        finally:
            self.d_meter, self.g_meter, self.signals = before

    def include(self, measured: tuple[Meter, Meter, Meter]) -> None:
        """Count what other meters have measured, of D, of G and of signals."""
        mine = self.d_meter, self.g_meter, self.signals
        for meter, other in zip(mine, measured, strict=True):
            meter.include(other)

    def samples(self, iteration: int) -> bool:
        """Whether an iteration is one of those whose outputs and gradients are measured."""
        return not iteration % self._stride

    def ends_window(self, iteration: int) -> bool:
        """Whether an iteration is the first that reaches a window's end, or the last of all."""
        each, window = self._settings.batches_per_iteration, self._batches
        reached = each * iteration // window > each * (iteration - 1) // window
        return reached or iteration == self._iterations

    def close(self, progress: Progress, seconds: float, iterations: int) -> Window:
        """Add a window of the last iterations, which took so long, return it, and begin the next.

        `progress`: after them. Raises Diverged where a mean is not finite.
        """
        d_terms, g_terms = self.d_meter.read(), self.g_meter.read()
        signals = self.signals.read()
        check_finite(d_terms, g_terms, signals, progress.images / 1000)
        window = self._window(progress, seconds, iterations, d_terms, g_terms, signals)
        self.windows.append(window)
        self.seconds += seconds
        return window

    def so_far(self, progress: Progress, seconds: float, iterations: int) -> Window:
        """Return the window that is open, of the iterations up to now, and change nothing."""
        d_terms, g_terms = self.d_meter.means(), self.g_meter.means()
        return self._window(progress, seconds, iterations, d_terms, g_terms, self.signals.means())

    def _window(
        self,
        progress: Progress,
        seconds: float,
        iterations: int,
        d_terms: dict[str, float],
        g_terms: dict[str, float],
        signals: dict[str, float],
    ) -> Window:
        images = iterations * self._settings.images_per_iteration
        batches = progress.iteration * self._settings.batches_per_iteration
        return Window(
            kimg=progress.images / 1000,
            iteration=progress.iteration,
            seconds=seconds,
            images_per_second=images / seconds,
            g_steps_per_second=iterations * self._settings.n_gen / seconds,
            d_terms=d_terms,
            g_terms=g_terms,
            signals=signals,
            epoch=batches / self._batches_per_epoch,
            progress=min(progress.iteration / self._iterations, 1.0),
        )
