"""Pages of pictures with captions, for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ganbench.contracts.images import quantise
from ganbench.errors import ConfigError
from ganbench.pictures import lettering
from ganbench.pictures.grids import MIN_TILE, draw_grid
from ganbench.util.files import write_atomically

GAP = 6  # between cells
LINE = 15  # the height of a line of a caption
SMALL, LARGE = 11, 14  # sizes of letters: captions and names, titles
WIDEST_CAPTION = 96  # pixels, of a cell that is narrower
WIDEST_NAME = 180
NARROW = 10  # the width of a column without pictures
HEAD = 26  # the height of a title
MOST_PIXELS = 50_000_000
MILLISECONDS, HELD = 90, 600  # of a moving picture's frames, and of those where it turns


@dataclass(frozen=True, eq=False)
class Tile:
    """A picture of a page with the caption below it."""

    image: Tensor | None = None  # (C, H, W) uint8, or float32 in [-1, 1]; None: an empty place
    caption: str = ""  # below it; may have several lines


@dataclass(frozen=True, eq=False)
class Row:
    """Tiles side by side, with a name before them."""

    tiles: Sequence[Tile]
    name: str = ""  # before it


def draw(rows: Sequence[Row], title: str = "") -> Image.Image:
    """Draw rows of tiles in columns. Raises ConfigError where the page would be enormous."""
    _check_size([tile for row in rows for tile in row.tiles])
    pictures = [[_picture(tile) for tile in row.tiles] for row in rows]
    widths = [_column_width(rows, pictures, at) for at in range(max(map(len, pictures)))]
    heights = [_row_height(row, found) for row, found in zip(rows, pictures, strict=True)]
    margin = max(_name_width(row.name) for row in rows)
    head = HEAD if title else 0
    wide = margin + sum(width + GAP for width in widths) + GAP
    wide = max(wide, _width(title, LARGE) + 2 * GAP)
    high = head + sum(height + GAP for height in heights) + GAP
    page = Image.new("RGB", (wide, high), "white")
    pen = ImageDraw.Draw(page)
    pen.text((GAP, HEAD // 2), title, fill="black", font=lettering.font(LARGE), anchor="lm")
    top = head + GAP
    for row, found, height in zip(rows, pictures, heights, strict=True):
        middle = top + max((p.height for p in found if p), default=LINE) // 2
        name = _fitted(row.name, WIDEST_NAME)
        pen.text((GAP, middle), name, fill="black", font=lettering.font(SMALL), anchor="lm")
        left = margin + GAP
        for tile, picture, width in zip(row.tiles, found, widths, strict=False):
            _place(page, pen, tile, picture, (left, top, width))
            left += width + GAP
        top += height + GAP
    return page


def sheet(tiles: Sequence[Tile], columns: int, title: str = "") -> Image.Image:
    """Draw tiles in rows of `columns`. Raises ConfigError where the page would be enormous."""
    rows = [Row(tiles[at : at + columns]) for at in range(0, len(tiles), columns)]
    return draw(rows, title)


def save(page: Image.Image, path: Path) -> None:
    """Write a page as a PNG."""
    write_atomically(path, lambda temporary: page.save(temporary, format="PNG"))


def save_moving(frames: Sequence[Image.Image], path: Path) -> None:
    """As a GIF that goes there and back for ever."""
    there_and_back = [*frames, *frames[-2:0:-1]]
    first, *others = there_and_back
    ends = (0, len(frames) - 1)
    durations = [HELD if at in ends else MILLISECONDS for at in range(len(there_and_back))]
    write_atomically(
        path,
        lambda temporary: first.save(
            temporary,
            format="GIF",
            save_all=True,
            append_images=others,
            duration=durations,
            loop=0,
        ),
    )


def plain(image: Tensor) -> Image.Image:
    """Return an image (C, H, W) itself, pixel by pixel.

    Raises ConfigError where it is neither grey nor coloured.
    """
    pixels = (image if image.dtype == torch.uint8 else quantise(image)).cpu()
    if len(pixels) not in (1, 3):
        raise ConfigError(
            f"images of {len(pixels)} channels are neither grey nor coloured, so that no picture "
            "file holds one; write a .npz"
        )
    values = pixels.permute(1, 2, 0).contiguous().numpy()
    return Image.fromarray(values[:, :, 0] if len(pixels) == 1 else values)


def _check_size(tiles: Sequence[Tile]) -> None:
    images = [tile.image for tile in tiles if tile.image is not None]
    if sum(max(MIN_TILE, image.shape[-1]) ** 2 for image in images) > MOST_PIXELS:
        raise ConfigError(
            f"{len(images):,} images of this size make a page that is too large to look at; ask "
            "for fewer"
        )


def _picture(tile: Tile) -> Image.Image | None:
    if tile.image is None:
        return None
    pixels = tile.image if tile.image.dtype == torch.uint8 else quantise(tile.image)
    return draw_grid(pixels[None], 1)


def _column_width(
    rows: Sequence[Row], pictures: Sequence[Sequence[Image.Image | None]], at: int
) -> int:
    """Of the widest picture in it, or of a caption that is not much wider."""
    found = [p.width for row in pictures for p in row[at : at + 1] if p]
    lines = [line for row in rows for tile in row.tiles[at : at + 1] for line in _lines(tile)]
    captions = [min(_width(line), WIDEST_CAPTION) for line in lines]
    return max([*found, *captions], default=NARROW)


def _row_height(row: Row, pictures: Sequence[Image.Image | None]) -> int:
    heights = [
        (picture.height if picture else 0) + LINE * len(_lines(tile))
        for tile, picture in zip(row.tiles, pictures, strict=True)
    ]
    return max(LINE, *heights)


def _place(
    page: Image.Image,
    pen: ImageDraw.ImageDraw,
    tile: Tile,
    picture: Image.Image | None,
    cell: tuple[int, int, int],  # left, top and width
) -> None:
    left, top, width = cell
    if picture:
        page.paste(picture, (left + (width - picture.width) // 2, top))
        top += picture.height
    for line in _lines(tile):
        middle = (left + width // 2, top + LINE // 2 + 1)
        text = _fitted(line, width)
        pen.text(middle, text, fill="black", font=lettering.font(SMALL), anchor="mm")
        top += LINE


def _lines(tile: Tile) -> list[str]:
    return tile.caption.split("\n") if tile.caption else []


def _name_width(name: str) -> int:
    return min(_width(name), WIDEST_NAME) + GAP if name else 0


def _width(text: str, size: int = SMALL) -> int:
    return int(lettering.font(size).getlength(text)) + 1


def _fitted(text: str, width: int) -> str:
    """As much of it as there is room for."""
    text = " ".join(text.split())
    if _width(text) <= width:
        return text
    while text and _width(f"{text}…") > width:
        text = text[:-1]
    return f"{text.rstrip()}…"
