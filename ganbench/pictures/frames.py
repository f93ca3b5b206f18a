"""Frames that a benchmark file asks to keep: what the fixed latents give at chosen moments.

Each is a grid as samples.png is, and its file says how it is cut into tiles again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image, PngImagePlugin
from torch import Tensor

from ganbench.errors import RunError
from ganbench.pictures import montage
from ganbench.pictures.grids import GAP, draw_grid, tile_size
from ganbench.util.files import parse_json, write_atomically

FOLDER = "frames"
KEY = "ganbench"  # of the text in a PNG
FIGURE_COLUMNS = 10  # of images that have no labels


@dataclass(frozen=True)
class Frame:
    """A picture that was kept, read back."""

    path: Path
    images: int  # real ones shown to D before
    title: str  # the moment, such as `epoch 5`
    rows: tuple[str, ...]  # the labels; (): images have none
    columns: int
    tile: tuple[int, int]  # width and height; none of a plot of points

    def tiles(self) -> list[list[Tensor]]:
        """Return the images (3, H, W), uint8, row by row."""
        with Image.open(self.path, formats=["PNG"]) as picture:
            whole = torch.from_numpy(np.asarray(picture.convert("RGB")).copy()).permute(2, 0, 1)
        width, height = self.tile
        if not self.columns:
            return [[whole]]
        left = whole.shape[2] - self.columns * (width + GAP) + GAP
        count = len(self.rows) or (whole.shape[1] + GAP) // (height + GAP)
        tops = [row * (height + GAP) for row in range(count)]
        lefts = [left + column * (width + GAP) for column in range(self.columns)]
        return [[whole[:, y : y + height, x : x + width] for x in lefts] for y in tops]


def keep(
    directory: Path,
    images: int,
    title: str,
    samples: Tensor,
    columns: int,
    rows: Sequence[str] = (),
    caption: str = "",
) -> None:
    """Keep a grid of uint8 images (N, C, H, W) in a trial's folder, each row with its name."""
    about = {"columns": columns, "rows": list(rows), "tile": tile_size(samples)}
    _save(draw_grid(samples, columns, rows, caption), directory, images, title, about)


def keep_plot(directory: Path, images: int, title: str, plot: Image.Image) -> None:
    """Keep a plot of points in a trial's folder."""
    _save(plot, directory, images, title, {"columns": 0, "rows": [], "tile": [0, 0]})


def kept(directory: Path) -> list[Frame]:
    """Return the frames of a trial's folder in order. Raises RunError where one is damaged."""
    found = [_read(path) for path in (directory / FOLDER).glob("*.png")]
    return sorted(found, key=lambda frame: frame.images)


def by_moments(frames: Sequence[Frame], title: str) -> Image.Image:
    """Draw the first image of each label, a row for each moment; of images without labels, ten.

    Plots of points stand side by side. Raises ConfigError where the page would be enormous.
    """
    first = frames[0]
    if not first.columns:
        tiles = [montage.Tile(frame.tiles()[0][0], frame.title) for frame in frames]
        return montage.sheet(tiles, round(len(tiles) ** 0.5 + 0.49), title)
    rows = [montage.Row([montage.Tile(caption=name) for name in first.rows])] if first.rows else []
    for frame in frames:
        drawn = frame.tiles()
        shown = [row[0] for row in drawn] if first.rows else [one for row in drawn for one in row]
        count = len(shown) if first.rows else FIGURE_COLUMNS
        rows.append(montage.Row([*map(montage.Tile, shown[:count])], frame.title))
    return montage.draw(rows, title)


def of_label(frames: Sequence[Frame], row: int, title: str) -> Image.Image:
    """Draw all images of one label, a row for each moment."""
    rows = [montage.Row([*map(montage.Tile, f.tiles()[row])], f.title) for f in frames]
    return montage.draw(rows, title)


def file_name(title: str) -> str:
    """Return a moment as a file's name that sorts: epoch-0005.png of `epoch 5`."""
    number = re.search(r"[0-9][0-9.e+-]*", title)
    unit = re.findall(r"[a-z]+", title)[-1]
    whole, point, rest = f"{float(number[0]) if number else 0:f}".rstrip("0").partition(".")
    return f"{unit}-{whole:0>4}{point if rest else ''}{rest}.png"


def _save(
    picture: Image.Image, directory: Path, images: int, title: str, about: dict[str, object]
) -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text(KEY, json.dumps({"images": images, "title": title, **about}))
    path = directory / FOLDER / file_name(title)
    path.parent.mkdir(exist_ok=True)
    write_atomically(path, lambda place: picture.save(place, format="PNG", pnginfo=text))


def _read(path: Path) -> Frame:
    try:
        with Image.open(path, formats=["PNG"]) as picture:
            picture.load()
            found = parse_json(str(getattr(picture, "text", {}).get(KEY, "")).encode())
        width, height = map(int, found["tile"])
        rows = tuple(map(str, found["rows"]))
        size, columns = (width, height), int(found["columns"])
        return Frame(path, int(found["images"]), str(found["title"]), rows, columns, size)
    except (OSError, SyntaxError, ValueError, KeyError, TypeError) as error:
        raise RunError(
            f"{path}: not a frame that a trial has kept, or damaged; remove it, or run the trial "
            "again"
        ) from error
