"""What the built-in architectures ask of their options and sizes."""

from __future__ import annotations

MOST, MOST_LAYERS = 100_000_000, 1_000


def check_positive(**options: float | None) -> None:
    """Raise ValueError for the first of these options that is not above zero, or beyond reason."""
    for name, value in options.items():
        if value is not None and value <= 0:
            raise ValueError(f"{name} must be positive, found {value}")
        most = MOST_LAYERS if name == "depth" else MOST
        if value is not None and value > most:
            raise ValueError(f"{name} must be at most {most:,}, found {value:g}")


def halvings(resolution: int, smallest: int = 7) -> list[int]:
    """Return the sizes from `resolution` to at most `smallest`, each half the last, rounded up."""
    sizes = [resolution]
    while sizes[-1] > smallest:
        sizes.append((sizes[-1] + 1) // 2)
    return sizes
