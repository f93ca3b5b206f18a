"""Half-done trainings: kept now and then, and gone on with after a crash or a kill."""

from __future__ import annotations

import hashlib
import io
import logging
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import ganbench
from ganbench.training.state import PlainState, TrainerState
from ganbench.training.trainer import Trainer
from ganbench.util import files

logger = logging.getLogger(__name__)

NAME = "checkpoint.pt"
NOT_PLAIN = (AttributeError, TypeError, pickle.PickleError)  # what keeping an odd object raises
DAMAGED = (EOFError, RuntimeError, ValueError, KeyError, pickle.PickleError)


@dataclass
class Checkpoints:
    """Keeps one half-done trial, in a file that holds tensors and plain values alone."""

    path: Path
    trial: str  # the text of trial.json: of another trial, nothing is taken over
    every_seconds: float | None  # None: never
    _last: float = field(default_factory=time.monotonic, init=False)

    def save_in_time(self, trainer: Trainer, more: PlainState) -> None:
        """Keep the training and `more`, which belongs to it, if the last was long enough ago.

        What cannot be kept costs only the checkpoints: a warning says so, once.
        """
        if self.every_seconds is None or time.monotonic() - self._last < self.every_seconds:
            return
        state = {"made by": self._origin(), "trainer": trainer.state().plain(), "more": more}
        try:
            content = _written(state)
            files.write_atomically(self.path, lambda temporary: temporary.write_bytes(content))
        except (OSError, *NOT_PLAIN) as error:
            logger.warning("no checkpoints of this trial: %s", _first_line(error))
            self.every_seconds = None
        self._last = time.monotonic()

    def load(self) -> tuple[TrainerState, PlainState] | None:
        """Return the trainer's state and what was kept beside it, or None if there is none."""
        try:
            state = _loaded(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, *DAMAGED) as error:
            logger.warning("%s: not usable (%s); beginning anew", self.path, _first_line(error))
            return None
        if state.get("made by") != self._origin():
            logger.warning("%s: of another trial or version; beginning anew", self.path)
            return None
        return TrainerState.from_plain(state["trainer"]), state["more"]

    def _origin(self) -> str:
        versions = f"{ganbench.__version__}|{torch.__version__}"
        return hashlib.sha256(f"{self.trial}|{versions}".encode()).hexdigest()


def _written(state: PlainState) -> bytes:
    """Return a file's content. Raises one of NOT_PLAIN where it could not be read back."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    _loaded(buffer.getvalue())
    return buffer.getvalue()


def _loaded(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
