"""What may draw at random, and from where."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


@contextmanager
def seeded(seed: int, *, others: int = 0) -> Iterator[None]:
    """torch's generator at one seed; Python's and numpy's at another, and as they were after."""
    python, numpy = random.getstate(), np.random.get_state()
    random.seed(others)
    np.random.seed(others)
    torch.manual_seed(seed)
    try:
        yield
    finally:
        random.setstate(python)
        np.random.set_state(numpy)
