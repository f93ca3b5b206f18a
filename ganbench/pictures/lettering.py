"""The letters on pictures."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from PIL import ImageFont

LONGEST = 28  # characters of a name beside a row


@lru_cache
def font(size: int = 13) -> ImageFont.FreeTypeFont:
    """Return the font that matplotlib carries: Pillow's own knows no letter beyond ASCII."""
    import matplotlib

    file = Path(matplotlib.get_data_path(), "fonts/ttf/DejaVuSans.ttf")
    return ImageFont.truetype(str(file), size)  # Pillow 10.1 takes no Path


def width(text: str) -> int:
    """Return how wide a text is in pixels, rounded up."""
    return -(-int(font().getlength(text) * 64) // 64)


def one_line(name: str) -> str:
    """Return a name as it stands beside a row: short, without line breaks."""
    line = " ".join(name.split())
    return line if len(line) <= LONGEST else f"{line[: LONGEST - 1]}…"
