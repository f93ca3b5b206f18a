"""What labels are called in pictures."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor

TOLD = 3  # numbers of a vector that a name has room for


def label_name(label: Tensor, class_names: Sequence[str]) -> str:
    """Return how a label () or (C,) is called in pictures: its class, or its first numbers."""
    if not label.ndim:
        return class_names[int(label)] if class_names else str(int(label))
    numbers = [f"{number:.3g}" for number in label[:TOLD].tolist()]
    return ", ".join(numbers) + (", …" if len(label) > TOLD else "")
