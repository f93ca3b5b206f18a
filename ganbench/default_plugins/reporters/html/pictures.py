"""Pictures inside the page: whole where they are small, else scaled, and never too much of them."""

from __future__ import annotations

import base64
import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ganbench import open_picture
from ganbench.default_plugins.reporters.html.byte_budget import ByteBudget
from ganbench.default_plugins.reporters.html.markup import Markup, element

if TYPE_CHECKING:
    from PIL.Image import Image

WHOLE = 100_000  # bytes up to which a file is taken as it is
MOST_FILE_BYTES, MOST_PIXELS = 64_000_000, 40_000_000
SIDE, FILM_SIDES = 720, (480, 360, 240, 160)  # pixels of the longer side, at most
FRAMES, COLOURS, WEBP_QUALITY, FILM_BYTES = 12, 64, 50, 350_000
ENOUGH = 6_000  # bytes; with fewer left there is no use in trying
MOST_PICTURES = 240
MOST_MISSES = 5  # encoded, and then too large for what is left
PNG_BONUS = 1.5


@dataclass(frozen=True)
class Kind:
    """One kind of picture that a trial leaves in its folder."""

    file: str
    alt: str  # what stands before "of CELL, seed N"
    title: str


SAMPLES = Kind("samples.png", "Samples", "Samples: rows are labels, columns latents")
NEAREST = Kind("nearest.png", "Samples beside their nearest training images", "Nearest images")
FILM = Kind("progress.gif", "Samples of the same latents through training", "Through training")
CURVES = Kind("curves.png", "Curves of the training", "Curves")


@dataclass
class Album:
    """The pictures of the page, encoded as they are asked for until the budget is spent."""

    budget: ByteBudget
    left_out: int = 0
    unreadable: int = 0
    _taken: int = 0
    _misses: int = 0
    _known: dict[Path, Markup | None] = field(default_factory=dict)

    def image(self, directory: Path, kind: Kind, whose: str) -> Markup | None:
        """Return the picture of a trial, or None where it has none or nothing more fits."""
        path = directory / kind.file
        if path not in self._known:
            self._known[path] = self._made(path, kind, whose) if path.is_file() else None
        return self._known[path]

    def _made(self, path: Path, kind: Kind, whose: str) -> Markup | None:
        if self.budget.left < ENOUGH or self._taken >= MOST_PICTURES or self._misses >= MOST_MISSES:
            self.left_out += 1
            return None
        try:
            mime, content, size = _encoded(path)
        except Exception:  # cut short, no picture, too many pixels: the page does without it
            self.unreadable += 1
            return None
        data = f"data:{mime};base64,{base64.b64encode(content).decode('ascii')}"
        made = element(
            "img",
            src=data,
            alt=f"{kind.alt} of {whose}",
            width=size[0],
            height=size[1],
        )
        if not self.budget.takes(made):
            self.left_out += 1
            self._misses += 1
            return None
        self._taken += 1
        return made


def _encoded(path: Path) -> tuple[str, bytes, tuple[int, int]]:
    from PIL import Image

    if path.stat().st_size > MOST_FILE_BYTES:
        raise ValueError(f"{path}: too large")
    content = path.read_bytes()
    with open_picture(io.BytesIO(content)) as image:
        mime = Image.MIME[image.format or ""]
        animated = getattr(image, "n_frames", 1) > 1
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(f"{path}: too large")
        side = FILM_SIDES[0] if animated else 2 * SIDE
        fits = max(image.size) <= side and len(content) <= WHOLE
        if fits and mime in ("image/png", "image/gif", "image/jpeg"):
            image.load()  # raises where it is not whole
            return mime, content, image.size
        return _film(image) if animated else _still(image)


def _still(image: Image) -> tuple[str, bytes, tuple[int, int]]:
    """As PNG, or as JPEG where that is much smaller."""
    image = _small(image, SIDE)
    png, jpeg = io.BytesIO(), io.BytesIO()
    image.save(png, "PNG", optimize=True)
    image.save(jpeg, "JPEG", quality=85)
    if len(png.getvalue()) <= PNG_BONUS * len(jpeg.getvalue()):
        return "image/png", png.getvalue(), image.size
    return "image/jpeg", jpeg.getvalue(), image.size


def _film(image: Image) -> tuple[str, bytes, tuple[int, int]]:
    """Return a moving picture of fewer frames, as large as the limit allows."""
    for side in FILM_SIDES:
        mime, content, size = _moving(image, side)
        if len(content) <= FILM_BYTES:
            return mime, content, size
    raise ValueError("too large a film")


def _moving(image: Image, side: int) -> tuple[str, bytes, tuple[int, int]]:
    """As WebP, a third of the size, where Pillow was built with it."""
    from PIL import ImageSequence, features

    is_webp = features.check("webp")
    count = getattr(image, "n_frames", 1)
    kept = {*range(0, count, -(-count // FRAMES)), count - 1}
    frames, times = [], []
    for number, frame in enumerate(ImageSequence.Iterator(image)):
        if number in kept:
            small = _small(frame, side)
            frames.append(small if is_webp else _coarse(small))
            times.append(max(int(frame.info.get("duration", 0)), 100))
    first, *others = frames
    file = io.BytesIO()
    how = {"save_all": True, "append_images": others, "duration": times, "loop": 0}
    if is_webp:
        first.save(file, "WEBP", quality=WEBP_QUALITY, method=2, **how)
    else:
        first.save(file, "GIF", optimize=True, **how)
    return f"image/{'webp' if is_webp else 'gif'}", file.getvalue(), first.size


def _small(image: Image, side: int) -> Image:
    """Of no more pixels than that, and grey where it has no colour."""
    from PIL import Image, ImageChops

    image = image.convert("RGB")
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    red, *others = image.split()
    coloured = any(ImageChops.difference(red, other).getbbox() for other in others)
    return image if coloured else red


def _coarse(image: Image) -> Image:
    """Of so few shades that a GIF of it is small."""
    from PIL import Image

    if image.mode == "L":
        return image.point([min(255, shade // 8 * 8 * 255 // 248) for shade in range(256)])
    return image.quantize(COLOURS, method=Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE)
