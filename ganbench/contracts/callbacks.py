"""What follows a trial while it trains: trackers, loggers, alarms."""

from __future__ import annotations

from abc import ABC
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from ganbench.records.windows import Window


@dataclass(frozen=True)
class TrialInfo:
    """The trial that a callback follows."""

    run: str  # the benchmark's name
    label: str  # of the cell
    axes: dict[str, str]
    seed: int
    directory: Path  # where files of its own may go
    settings: dict[str, Any]  # the resolved cell, as plan.json has it


class Callback(ABC):
    """What is told of one trial's progress, in the trial's own process.

    Subclasses are dataclasses of their options. It observes and changes nothing: what it draws of
    torch's, NumPy's and Python's generators leaves the training as it was, and what it sets of the
    process (torch's modes, its default type and device, threads, the working directory, handlers of
    SIGINT and SIGTERM) is put back. An exception that it raises ends the trial as `failed`: a
    tracker that may be lost should catch its own.
    """

    name: ClassVar[str]  # in benchmark files

    def began(self, trial: TrialInfo) -> None:  # noqa: B027
        """Take notice that the trial begins: its first step is next."""

    def window(self, window: Window) -> None:  # noqa: B027
        """Take the means of all terms, and the speed, of `training.log_every` iterations."""

    def ended(self, result: dict[str, Any]) -> None:  # noqa: B027
        """Take notice that the trial ended, however it did so after `began`.

        `result` is what result.json will hold, its `status` included.
        """
