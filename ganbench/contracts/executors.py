"""Where trials run."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar


@dataclass(frozen=True)
class TrialRef:
    """A trial is a directory: `trial.json` says what to do, `result.json` what came of it."""

    directory: Path
    label: str

    @property
    def id(self) -> str:
        """The name of its directory."""
        return self.directory.name


@dataclass(frozen=True)
class Resources:
    """What the runner gives an executor to share out among trials."""

    jobs: int = 1  #: trials at once
    threads: int = 1  #: of each trial
    devices: tuple[str, ...] = ()  #: values of CUDA_VISIBLE_DEVICES to deal out; (): leave it alone
    timeout_seconds: float | None = None  #: of each trial
    cwd: Path | None = None  #: where relative paths of the benchmark file begin


class Executor(ABC):
    """Starts `python -m ganbench.worker TRIAL_DIR` somewhere; knows nothing of GANs."""

    name: ClassVar[str]  #: in benchmark files

    @abstractmethod
    def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
        """Yield each trial as it ends, however it ends; its directory holds the truth.

        A trial that leaves no `result.json` gets an `end.json` with the reason. When the iterator
        is closed, or an exception passes through it, every worker is stopped before it returns.
        """
