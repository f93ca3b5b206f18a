"""From the bytes of one file to the values of one image, whatever kind of picture it is."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

if TYPE_CHECKING:
    from PIL import Image

Channels = Literal[1, 3]
Crop = Literal["fit", "squash", "pad"]
Filter = Literal["lanczos", "bicubic", "bilinear", "box"]
Background = Literal["white", "black"]

VERSION = 1  # raise it when the same file would give other values


class Unusable(Exception):
    """A file that gives no image; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What becomes of a picture of any size and kind."""

    resolution: int
    channels: Channels
    crop: Crop
    crop_size: int | None
    filter: Filter
    background: Background

    @property
    def bytes_per_image(self) -> int:
        """The size of one decoded image."""
        return self.channels * self.resolution**2

    def protocol(self) -> dict[str, Any]:
        """Return what numbers of these images depend on."""
        return {
            "resolution": self.resolution,
            "channels": self.channels,
            "crop": self.crop,
            "crop_size": self.crop_size,
            "filter": f"{self.filter}, antialiased",
            "background": self.background,
            "upright": "by EXIF",
            "color_profiles": "ignored",
            "16_bits": "divided by 257",
            "decoding_version": VERSION,
        }


def decode(content: bytes, how: Preparation) -> bytes:
    """Return the values of one image, (C, H, W). Raises Unusable.

    Of an animation the first frame is taken; what is transparent shows the background; CMYK and the
    like are converted without colour profiles; of grey in 16 bits the whole range stands for black
    to white, and values of 32 bits have no such range.
    """
    from PIL import Image, UnidentifiedImageError

    if not content:
        raise Unusable("empty, 0 bytes")
    try:
        with Image.open(BytesIO(content)) as picture:
            return _values(_fitted(_plain(_upright(picture), how), how))
    except (Unusable, MemoryError):
        raise
    except UnidentifiedImageError as error:
        raise Unusable("not a picture of a kind that Pillow reads") from error
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0)
        raise Unusable(f"more than {limit:,} pixels, too many to decode") from error
    except Exception as error:  # of any kind: parsers meet what their authors did not think of
        raise Unusable(f"damaged: {str(error) or type(error).__name__}") from error


def _upright(picture: Image.Image) -> Image.Image:
    """Turn a picture as the camera was held, by its EXIF."""
    from PIL import ImageOps

    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    return picture


def _plain(picture: Image.Image, how: Preparation) -> Image.Image:
    """Return it with 8 bits a value, without transparency, in the channels that are asked for."""
    if _has_sixteen_bits(picture):
        picture = _eight_bits(picture)
    elif picture.mode[0] in "IF":
        raise Unusable("32 bits a value, without a range for black to white; save it with 8 or 16")
    elif picture.has_transparency_data:
        picture = _opaque(picture, how.background)
    return picture.convert("L" if how.channels == 1 else "RGB")


def _has_sixteen_bits(picture: Image.Image) -> bool:
    """Return whether values have 16 bits; Pillow shows those of some formats in a mode of 32."""
    return picture.mode.startswith("I;16") or (
        picture.mode == "I" and picture.format in ("PNG", "PPM")
    )


def _eight_bits(picture: Image.Image) -> Image.Image:
    from PIL import Image

    values = np.asarray(picture).astype(np.uint32)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _opaque(picture: Image.Image, background: Background) -> Image.Image:
    from PIL import Image

    behind = Image.new("RGBA", picture.size, background)
    return Image.alpha_composite(behind, picture.convert("RGBA"))


def _fitted(picture: Image.Image, how: Preparation) -> Image.Image:
    from PIL import Image, ImageOps

    if how.crop_size is not None:
        picture = _middle(picture, how.crop_size)
    size, method = (how.resolution, how.resolution), Image.Resampling[how.filter.upper()]
    if how.crop == "squash":
        return picture.resize(size, method)
    if how.crop == "pad":
        return ImageOps.pad(picture, size, method, color=how.background)
    return ImageOps.fit(picture, size, method)


def _middle(picture: Image.Image, size: int) -> Image.Image:
    width, height = picture.size
    if min(width, height) < size:
        raise Unusable(f"{width}×{height} pixels, smaller than crop_size {size}")
    left, top = (width - size) // 2, (height - size) // 2
    return picture.crop((left, top, left + size, top + size))


def _values(picture: Image.Image) -> bytes:
    values = np.asarray(picture)  # (H, W) or (H, W, 3)
    return values.tobytes() if values.ndim == 2 else values.transpose(2, 0, 1).tobytes()
