"""Trainings that are kept: half-done ones, gone on with after a crash or a kill, and ended ones."""

from __future__ import annotations

import copy
import hashlib
import io
import logging
import pickle
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

import ganbench
from ganbench.training.state import PlainState, TrainerState
from ganbench.training.trainer import Trainer
from ganbench.util import sealed

logger = logging.getLogger(__name__)

NAME = "checkpoint.pt"
NOT_PLAIN = (AttributeError, TypeError, pickle.PickleError)  # what keeping an odd object raises
DAMAGED = (  # what reading garbage raises
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    pickle.PickleError,
)


@dataclass
class Checkpoints:
    """Keeps a trial's training, in a file that holds tensors and plain values alone."""

    path: Path
    trial: str  # the text of trial.json: of another trial, nothing is taken over
    every_seconds: float | None = None  # None: never
    data: PlainState = field(default_factory=dict)  # what is known of the training data
    check_data: Callable[[PlainState], None] = lambda found: None  # raises where it is another
    _last: float = field(default_factory=time.monotonic, init=False)

    def save_in_time(self, trainer: Trainer, more: PlainState) -> None:
        """Keep the training and `more`, which belongs to it, if the last was long enough ago.

        Of several processes all have to ask, and the first decides and writes.
        """
        every = self.every_seconds
        is_time = every is not None and time.monotonic() - self._last >= every
        if not trainer.ranks.decided(is_time):
            return
        state = trainer.state()
        if trainer.ranks.is_first:
            self.save(state, more)

    def save(self, state: TrainerState, more: PlainState) -> None:
        """Keep a state of the training and `more`, which belongs to it, if any are to be kept.

        What cannot be kept costs only the checkpoints: a warning says so, once.
        """
        if self.every_seconds is None:
            return
        kept = {
            "made by": self._origin(),
            "trainer": state.plain(),
            "more": more,
            "data": self.data,
        }
        try:
            content = _written(kept)
            sealed.write(self.path, content)
        except (OSError, *NOT_PLAIN) as error:
            logger.warning("no checkpoints of this trial: %s", _first_line(error))
            self.every_seconds = None
        self._last = time.monotonic()

    def load(self) -> tuple[TrainerState, PlainState] | None:
        """Return the trainer's state and what was kept beside it.

        None where there is no file, or none to go on from, which a warning says. Raises what
        `check_data` raises.
        """
        try:
            return self.read()
        except FileNotFoundError:
            return None
        except DAMAGED as error:
            self._warn(error)
            return None

    def read(self) -> tuple[TrainerState, PlainState]:
        """Return the same, and raise one of DAMAGED where there is nothing to go on from."""
        state = _loaded(sealed.read(self.path))
        if state["made by"] != self._origin():
            raise ValueError("of another trial or version")
        found = TrainerState.from_plain(state["trainer"]), dict(state["more"])
        if data := state.get("data"):  # checkpoints of before do not know theirs
            self.check_data(data)
        return found

    def resume(self, trainer: Trainer) -> PlainState | None:
        """Let the trainer go on from the file, and return what was kept beside it.

        None where `load` gives none, or what does not fit the trainer, which stays as it was.
        """
        if (found := self.load()) is None:
            return None
        before = copy.deepcopy(trainer.state())
        try:
            trainer.restore(found[0])
        except DAMAGED as error:
            trainer.restore(before)
            self._warn(error)
            return None
        return found[1]

    def _warn(self, error: Exception) -> None:
        logger.warning("%s: not usable (%s); beginning anew", self.path, _first_line(error))

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
