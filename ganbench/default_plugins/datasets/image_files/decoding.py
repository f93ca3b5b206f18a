"""From the bytes of one file to the values of one image, whatever kind of picture it is."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np

from ganbench import DataError, open_picture

if TYPE_CHECKING:
    from PIL import Image

Channels = Literal[1, 3]
Crop = Literal["fit", "squash", "pad"]
Filter = Literal["lanczos", "bicubic", "bilinear", "box"]
Background = Literal["white", "black"]

DRAFTED = 2  # times the resolution that a draft has at least
VERSION = 1  # raise it when the same file would give other values


class Unusable(Exception):
    """A file that gives no image; the message says why."""


class Decoded(NamedTuple):
    """One image."""

    values: bytes  # (C, H, W)
    brightest: int | None  # value of the file, where it has 16 bits a value
    size: tuple[int, int]  # width and height of the file, in pixels


@dataclass(frozen=True, kw_only=True)
class Preparation:
    """What becomes of a picture of any size and kind."""

    resolution: int
    channels: Channels
    crop: Crop
    crop_size: int | None
    filter: Filter
    background: Background
    range: tuple[float, float] | None = None
    draft: bool = False

    def key(self) -> dict[str, Any]:
        """Return what tells it from others; what came later counts only off its default."""
        later = {"range": None, "draft": False}
        return {k: v for k, v in asdict(self).items() if k not in later or v != later[k]}

    @property
    def mode(self) -> Literal["L", "RGB"]:
        """Pillow's name of these channels."""
        return "L" if self.channels == 1 else "RGB"

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
            "16_bits": "by range" if self.range else "divided by 257",
            "decoding_version": VERSION,
            **({"range": list(self.range)} if self.range else {}),
            **({"draft": f"to {DRAFTED} times the resolution or more"} if self.draft else {}),
        }


def decode(content: bytes, how: Preparation) -> Decoded:
    """Return one image. Raises Unusable.

    Of an animation the first frame is taken; what is transparent shows the background; CMYK and the
    like are converted without colour profiles; of grey in 16 bits the whole range stands for black
    to white, unless `range` says otherwise, and values of 32 bits have no such range.
    """
    if not content:
        raise Unusable("empty, 0 bytes")
    try:
        with open_picture(BytesIO(content)) as picture:
            size = picture.size
            cut = _prepare_to_load(picture, how)
            upright = _upright(picture)
            brightest = _brightest(upright, cut)
            return Decoded(_values(_fitted(_plain(upright, how), how)), brightest, size)
    except Unusable:
        raise
    except DataError as error:
        raise Unusable(str(error)) from error
    except MemoryError as error:
        raise Unusable("too large for the memory that is free") from error
    except Exception as error:  # of any kind: parsers meet what their authors did not think of
        raise Unusable(f"damaged: {str(error) or type(error).__name__}") from error


def _prepare_to_load(picture: Image.Image, how: Preparation) -> bool:
    """Have a JPEG decoded at a fraction of its size; return whether loading cuts 16 bits to 8.

    Where `range` is of all of them, that is refused.
    """
    if how.draft and picture.format in ("JPEG", "MPO"):
        side = DRAFTED * how.resolution
        picture.draft(None, (side, side))
    wide = any(";16" in str(tile[3]) for tile in getattr(picture, "tile", ()))
    cut = wide and picture.mode[0] not in "IF"
    if how.range and cut:
        raise Unusable(
            "16 bits a value in colour, of which the upper 8 alone are read, and range is of all; "
            "save it in grey, or with 8 bits"
        )
    return cut


def _upright(picture: Image.Image) -> Image.Image:
    """Turn a picture as the camera was held, by its EXIF."""
    from PIL import ImageOps

    picture.load()
    ImageOps.exif_transpose(picture, in_place=True)
    return picture


def _plain(picture: Image.Image, how: Preparation) -> Image.Image:
    """Return it with 8 bits a value, without transparency, in the channels that are asked for."""
    if how.range and picture.mode[0] in "IF":
        picture = _scaled(picture, how.range)
    elif how.range:
        return _scaled(_opaque(picture, how).convert(how.mode), how.range)
    elif _has_sixteen_bits(picture):
        picture = _eight_bits(picture)
    elif picture.mode[0] in "IF":
        raise Unusable(
            "32 bits a value, without a range for black to white; give range, or save it with 16"
        )
    return _opaque(picture, how).convert(how.mode)


def _has_sixteen_bits(picture: Image.Image) -> bool:
    """Return whether values have 16 bits; Pillow shows those of some formats in a mode of 32."""
    return picture.mode.startswith("I;16") or (
        picture.mode == "I" and picture.format in ("PNG", "PPM")
    )


def _brightest(picture: Image.Image, cut: bool) -> int | None:
    """Return the largest value of 16 bits; of a picture that was cut, what it was about."""
    if cut:
        return 257 * int(np.asarray(picture).max())
    return int(np.asarray(picture).max()) if _has_sixteen_bits(picture) else None


def _eight_bits(picture: Image.Image) -> Image.Image:
    from PIL import Image

    values = np.asarray(picture).astype(np.uint32)
    return Image.fromarray(((values + 128) // 257).astype(np.uint8))


def _scaled(picture: Image.Image, scale: tuple[float, float]) -> Image.Image:
    """Return it with the first value of the scale as black, and the second as white."""
    from PIL import Image

    values, (black, white) = np.asarray(picture).astype(np.float64), scale
    low, high = float(values.min()), float(values.max())
    if not (min(scale) <= low and high <= max(scale)):  # nor where one is NaN
        raise Unusable(f"values from {low:g} to {high:g}, outside of range [{black:g}, {white:g}]")
    return Image.fromarray(np.rint(255 * (values - black) / (white - black)).astype(np.uint8))


def _opaque(picture: Image.Image, how: Preparation) -> Image.Image:
    from PIL import Image

    if not picture.has_transparency_data:
        return picture
    behind = Image.new("RGBA", picture.size, how.background)
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
