"""The named phases of a training iteration, for whoever wants to time or trace them.

The trainer opens `trainer.phase(name)` around each. Steps are "discriminator step", "generator
step" and "simultaneous step"; in them and between them lie "data", "latents", "backward",
"optimiser", "average of weights", "terms of '…'" of each plugin and, at the end of a window,
"logging". Forward passes are no phases: hooks of the networks see those, wherever a loss asks.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext

Phase = Callable[[str], AbstractContextManager[object]]

_NOTHING = nullcontext()


def unobserved(name: str) -> AbstractContextManager[object]:
    """Open a phase that nobody listens to."""
    return _NOTHING
