"""Pictures that anybody made, opened: only of kinds whose readers start no other program."""

from __future__ import annotations

from pathlib import Path
from typing import IO, TYPE_CHECKING

from ganbench.errors import DataError

if TYPE_CHECKING:
    from PIL import Image

KINDS = (  # of Pillow's; not EPS, for one, which starts Ghostscript
    *("PNG", "JPEG", "MPO", "WEBP", "GIF", "BMP", "DIB", "TIFF", "PPM", "AVIF", "HEIF", "JPEG2000"),
    *("DDS", "ICO", "PCX", "PSD", "QOI", "SGI", "SUN", "XBM", "TGA"),
)
MOST_PIXELS = 178_956_970  # which Pillow has as its limit too


def open_picture(source: Path | IO[bytes]) -> Image.Image:
    """Open a picture of any usual kind, whatever its name; its values are decoded on first use.

    Other kinds are not looked at, as some have readers that start other programs. Raises DataError
    where it is none of these, or of so many pixels that it can only be meant to fill the memory.
    """
    from PIL import Image, UnidentifiedImageError

    Image.init()
    try:
        found = Image.open(source, formats=[kind for kind in KINDS if kind in Image.OPEN])
    except UnidentifiedImageError as error:
        raise DataError("not a picture of a kind that is read here") from error
    except Image.DecompressionBombError as error:
        raise DataError(_too_many()) from error
    if found.width * found.height > MOST_PIXELS:  # where a program has lifted Pillow's limit
        found.close()
        raise DataError(_too_many())
    return found


def _too_many() -> str:
    return f"more than {MOST_PIXELS:,} pixels, too many to decode"
