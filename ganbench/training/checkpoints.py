"""Half-done trainings: kept now and then, and gone on with after a crash or a kill."""

from __future__ import annotations

import hashlib
import io
import pickle
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import ganbench
from ganbench.training.trainer import State, Trainer
from ganbench.util import files

NAME = "checkpoint.pt"
NOT_PLAIN = (AttributeError, TypeError, pickle.PickleError)  # what keeping an odd object raises
DAMAGED = (EOFError, RuntimeError, ValueError, KeyError, pickle.PickleError)


@dataclass
class Checkpoints:
    """Of one trial, in one file that holds tensors and plain values alone."""

    path: Path
    trial: str  # the text of trial.json: of another trial, nothing is taken over
    every_seconds: float | None  # None: never
    _last: float = field(default_factory=time.monotonic, init=False)

    def save_in_time(self, trainer: Trainer, more: State) -> None:
        """Where the last was long enough ago: the training, and `more` that belongs to it."""
        if self.every_seconds is None or time.monotonic() - self._last < self.every_seconds:
            return
        state = {"made by": self._origin(), "trainer": trainer.state(), "more": more}
        try:
            content = _written(state)
            files.write_atomically(self.path, lambda temporary: temporary.write_bytes(content))
        except (OSError, *NOT_PLAIN) as error:
            print(f"no checkpoints of this trial: {_first_line(error)}", flush=True)
            self.every_seconds = None
        self._last = time.monotonic()

    def load(self) -> tuple[State, State] | None:
        """The trainer's state and what was kept beside it, or None where there is none of use."""
        try:
            state = _loaded(self.path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, *DAMAGED) as error:
            print(f"{self.path}: not usable ({_first_line(error)}); beginning anew", flush=True)
            return None
        if state.get("made by") != self._origin():
            print(f"{self.path}: of another trial or version; beginning anew", flush=True)
            return None
        return state["trainer"], state["more"]

    def _origin(self) -> str:
        versions = f"{ganbench.__version__}|{torch.__version__}"
        return hashlib.sha256(f"{self.trial}|{versions}".encode()).hexdigest()


def _written(state: State) -> bytes:
    """Raises one of NOT_PLAIN where it could not be read back."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    _loaded(buffer.getvalue())
    return buffer.getvalue()


def _loaded(content: bytes) -> Any:
    return torch.load(io.BytesIO(content), weights_only=True, map_location="cpu")


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
