"""The same latents at growing parts of a training, as a moving picture."""

from __future__ import annotations

import logging
import math
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import torch
from PIL import Image, ImageChops, ImageDraw
from torch import Tensor
from torch.nn.functional import interpolate

from ganbench.contracts.images import Mixture
from ganbench.pictures import lettering
from ganbench.pictures.grids import GAP, draw_grid
from ganbench.pictures.scatter import ScatterPlot
from ganbench.util.files import write_atomically

PERCENTS = (1, 2, 4, 8, 16, 32, 64, 100)  # of the budget: most happens at the beginning
FOLDER, NAME = "progress", "progress.gif"
WIDEST, TALLEST = 1000, 1600  # pixels of a frame
NAMES = 120  # of the width, for the rows' names
LARGEST = 2_000_000  # bytes
LEAST_WIDTH = 200  # a file that is too large shows no less than that
HEADER = 24  # the height of the line above each frame
MILLISECONDS, HELD = 700, 3500  # of each frame, and of the last
MOST_FRAMES = 60  # of the file; those that a benchmark asks for may be more
LOOK = 128  # pixels of a side that decide about the colours
PURE = (0, 0, 0, 255, 255, 255)  # the first two colours: letters are black and paper is white,
PAPER = 248  # which no other colour so near to them takes from them

_log = logging.getLogger(__name__)

Frame = tuple[str, Image.Image]  # its title and its picture


def points(total_images: int) -> list[int]:
    """Return how many real images are shown at each frame, the last at the budget's end."""
    return sorted({max(1, round(total_images * percent / 100)) for percent in PERCENTS})


@dataclass(frozen=True)
class ProgressFrames:
    """Keeps frames in a folder of the trial, so that one that is killed and resumed has them all.

    `rewind` when training begins or resumes, `add` at each of `points`, `finish` at the end.
    """

    directory: Path  # of the trial
    columns: int = 10
    row_names: Sequence[str] = ()
    caption: str = ""
    mixture: Mixture | None = None  # behind points of the plane
    epoch: int | None = None  # images in one, where titles are to tell epochs

    def rewind(self, kimg: float = 0.0) -> None:
        """Forget what a training that is repeated from `kimg` on is going to show again."""
        for images, path in self._kept():
            if images > round(1000 * kimg):
                path.unlink(missing_ok=True)

    def add(self, kimg: float, samples: Tensor) -> Image.Image:
        """Keep a frame of uint8 images (N, C, H, W), or float32 points (N, 2) or (N, 2, 1, 1).

        Returns its picture.
        """
        picture = self.drawn(samples)
        self._folder.mkdir(exist_ok=True)
        path = self._folder / f"{round(1000 * kimg):012d}.png"
        write_atomically(path, partial(picture.save, format="PNG", compress_level=1))  # read once
        return picture

    def finish(self) -> Path | None:
        """Make progress.gif of the frames and remove them. None: there were none."""
        read = ((self._title(images), _read(path)) for images, path in _spread(self._kept()))
        frames = [(title, picture) for title, picture in read if picture is not None]
        path = self.directory / NAME
        if frames:
            write_atomically(path, lambda temporary: _save_gif(frames, temporary))
        shutil.rmtree(self._folder, ignore_errors=True)
        return path if frames else None

    def _title(self, images: int) -> str:
        if self.epoch:
            return f"epoch {images / self.epoch:.3g}"
        kimg = images / 1000
        return f"{kimg:,.0f} kimg" if kimg >= 1000 else f"{kimg:.4g} kimg"

    @property
    def _folder(self) -> Path:
        return self.directory / FOLDER

    @cached_property
    def plot(self) -> ScatterPlot:
        """The plot that points of the plane are drawn into."""
        return ScatterPlot(self.mixture)

    def _kept(self) -> list[tuple[int, Path]]:
        """Images shown and the file, in order; without what a killed process left half-written."""
        paths = [path for path in self._folder.glob("*.png") if path.stem.isdigit()]
        return sorted((int(path.stem), path) for path in paths)

    def drawn(self, samples: Tensor) -> Image.Image:
        """Return the picture of a frame."""
        if samples.dtype == torch.uint8:
            tiles = _fitting(samples, self.columns)
            picture = draw_grid(tiles, self.columns, self.row_names, self.caption)
        else:
            picture = self.plot.drawn(samples.flatten(1))
        picture.thumbnail((WIDEST, TALLEST), Image.Resampling.LANCZOS)
        return picture


def _fitting(images: Tensor, columns: int) -> Tensor:
    """So small that a sheet of them needs no shrinking, which would take the names along."""
    rows = -(-len(images) // columns)
    side = max(1, min((WIDEST - NAMES) // columns, TALLEST // rows) - GAP)
    if max(images.shape[2:]) <= side:
        return images
    scale = side / max(images.shape[2:])
    size = [max(1, round(scale * length)) for length in images.shape[2:]]
    return interpolate(images.float(), size, mode="area").round().to(torch.uint8)


def _spread(kept: list[tuple[int, Path]]) -> list[tuple[int, Path]]:
    """As many as a moving picture has room for, the first and the last among them."""
    if len(kept) <= MOST_FRAMES:
        return kept
    step = (len(kept) - 1) / (MOST_FRAMES - 1)
    return [kept[round(i * step)] for i in range(MOST_FRAMES)]


def _read(path: Path) -> Image.Image | None:
    """Return a frame, or None where its file is damaged: PNG's checksums tell."""
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            return picture.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        _log.warning("%s: left out of %s: %s", path, NAME, error)
        return None


def _save_gif(frames: Sequence[Frame], path: Path) -> None:
    """As large as the limits allow."""
    scale = 1.0
    widest = max(picture.width for _, picture in frames)
    while True:
        _write_gif([_titled(title, picture, scale) for title, picture in frames], path)
        size = path.stat().st_size
        if size <= LARGEST or widest * scale <= LEAST_WIDTH:
            return
        scale = max(scale * min(0.9, math.sqrt(LARGEST / size)), LEAST_WIDTH / widest)


def _titled(title: str, picture: Image.Image, scale: float) -> Image.Image:
    width, height = (max(1, round(scale * side)) for side in picture.size)
    if scale != 1:
        picture = picture.resize((width, height), Image.Resampling.LANCZOS)
    room = max(width, lettering.width(title) + 8)
    frame = Image.new("RGB", (room, height + HEADER), "white")
    frame.paste(picture, (0, HEADER))
    draw = ImageDraw.Draw(frame)
    draw.text((4, HEADER // 2), title, fill="black", font=lettering.font(), anchor="lm")
    return frame


def _write_gif(frames: Sequence[Image.Image], path: Path) -> None:
    if all(_is_grey(frame) for frame in frames):
        first, *others = [frame.convert("L") for frame in frames]  # every grey has its own place
    else:
        palette = _palette(frames)
        first, *others = [frame.quantize(palette=palette) for frame in frames]  # dithered
    first.save(
        path,
        format="GIF",
        save_all=True,
        append_images=others,
        duration=[MILLISECONDS] * len(others) + [HELD],
        loop=0,
        optimize=False,
    )


def _is_grey(frame: Image.Image) -> bool:
    red, green, blue = frame.split()
    return not any(ImageChops.difference(red, other).getbbox() for other in (green, blue))


def _palette(frames: Sequence[Image.Image]) -> Image.Image:
    """Choose the 256 colours that all frames share; the image's palette holds them."""
    sheet = Image.new("RGB", (LOOK, LOOK * len(frames)))
    for at, frame in enumerate(frames):
        sheet.paste(frame.resize((LOOK, LOOK), Image.Resampling.NEAREST), (0, at * LOOK))
    found = sheet.quantize(254, method=Image.Quantize.MEDIANCUT).getpalette() or []
    colours = [found[at : at + 3] for at in range(0, len(found), 3)]
    kept = [colour for colour in colours if min(colour) < PAPER and max(colour) > 255 - PAPER]
    palette = Image.new("P", (1, 1))
    palette.putpalette([*PURE, *(value for colour in kept for value in colour)])
    return palette
