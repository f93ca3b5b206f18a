"""What the built-in architectures ask of their options and sizes."""

from __future__ import annotations


def check_positive(**options: float | None) -> None:
    """Raise ValueError for the first of these options that is not above zero."""
    for name, value in options.items():
        if value is not None and value <= 0:
            raise ValueError(f"{name} must be positive, found {value}")


def halvings(resolution: int, smallest: int = 7) -> list[int]:
    """Return the sizes from `resolution` to at most `smallest`, each half the last, rounded up."""
    sizes = [resolution]
    while sizes[-1] > smallest:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes
