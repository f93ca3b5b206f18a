"""What follows a trial while it trains: trackers, loggers, alarms."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ganbench.records.windows import Window

if TYPE_CHECKING:
    from PIL.Image import Image
    from torch import Tensor, nn


@dataclass(frozen=True)
class TrialInfo:
    """The trial that a callback follows."""

    run: str  #: the benchmark's name
    label: str  #: of the cell
    axes: dict[str, str]
    seed: int
    directory: Path  #: where files of its own may go
    settings: dict[str, Any]  #: the resolved cell, as plan.json has it


@dataclass(frozen=True, eq=False)
class Probed:
    """What was seen of a generator on its way. Each callback gets its own copy of everything."""

    kimg: float
    epoch: float  #: times that D was shown all of the data, in whole batches
    seconds: float  #: of training so far
    values: dict[str, float | None]  #: by column; {}: nothing was measured here
    picture: Image | None  #: what the fixed latents give; None: nothing was drawn here
    generator: nn.Module
    """A copy of the generator that is judged, with averaged weights where there is an average, in
    evaluation mode and with its batch norm calibrated: `generator(latents, labels)` gives images
    (N, C, H, W) in [-1, 1]."""
    latents: Tensor  #: (N, Z), those of the picture, on the generator's device
    labels: Tensor | None  #: of the picture: (N,), or (N, C) where they are vectors; None: none


class Callback(ABC):
    """What is told of one trial's progress, in the trial's own process.

    Subclasses are dataclasses of their options. It observes and changes nothing: what it draws of
    torch's, NumPy's and Python's generators leaves the training as it was, and what it sets of the
    process (torch's modes, its default type and device, threads, the working directory, handlers of
    SIGINT and SIGTERM) is put back. An exception that it raises ends the trial as `failed`: a
    tracker that may be lost should catch its own.
    """

    name: ClassVar[str]  #: in benchmark files

    def began(self, trial: TrialInfo) -> None:  # noqa: B027
        """Take notice that the trial begins: its first step is next."""

    def window(self, window: Window) -> None:  # noqa: B027
        """Take the means of all terms, and the speed, of `training.log_every` iterations."""

    def probed(self, probe: Probed) -> None:  # noqa: B027
        """Look at the generator on its way.

        At each frame of progress.gif, and wherever columns are measured while the cell trains. The
        training's clock stands meanwhile.
        """

    def ended(self, result: dict[str, Any]) -> None:  # noqa: B027
        """Take notice that the trial ended, however it did so after `began`.

        `result` is what result.json will hold, its `status` included.
        """
