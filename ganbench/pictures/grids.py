"""Sheets of sample images."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from ganbench.pictures import lettering
from ganbench.util.files import write_atomically

GAP, MARGIN, MIN_TILE = 2, 22, 56
PADDING = 6  # around a name
CAPTION = 20  # the height of the line below the tiles
ALL_CLASSES = 40  # a sheet shows each of so many classes,
SOME_CLASSES = 20  # and of more than that, so many, evenly spread
PLANES = 4  # the most channels of an image that are shown, side by side


def save_grid(
    images: Tensor,
    columns: int,
    path: Path,
    row_names: Sequence[str] = (),
    caption: str = "",
) -> None:
    """Write a PNG of uint8 images (N, C, H, W), row by row, each row with its name before it.

    One channel is grey and three are colours; any other number is shown as grey planes side by
    side, of which there are at most four. Raises ValueError for anything but such images.
    """
    sheet = draw_grid(images, columns, row_names, caption)
    write_atomically(path, lambda temporary: sheet.save(temporary, format="PNG"))


def draw_grid(
    images: Tensor, columns: int, row_names: Sequence[str] = (), caption: str = ""
) -> Image.Image:
    """Return what `save_grid` saves, as a picture."""
    _check(images, columns)
    tiles = _tiles(images)
    height, width = tiles.shape[1:3]
    names = [lettering.one_line(name) for name in row_names]
    margin = _margin(names)
    rows = -(-len(tiles) // columns)
    bottom = rows * (height + GAP) - GAP
    across = margin + columns * (width + GAP) - GAP
    sheet = Image.new("RGB", (across, bottom + (CAPTION if caption else 0)), "white")
    for i, tile in enumerate(tiles):
        row, column = divmod(i, columns)
        at = (margin + column * (width + GAP), row * (height + GAP))
        sheet.paste(Image.fromarray(tile.numpy()), at)
    draw = ImageDraw.Draw(sheet)
    for row, name in enumerate(names[:rows]):
        at = (margin - PADDING, row * (height + GAP) + height // 2)
        draw.text(at, name, fill="black", font=lettering.font(), anchor="rm")
    if caption:
        at = (margin, bottom + CAPTION // 2)
        draw.text(at, caption, fill="black", font=lettering.font(), anchor="lm")
    return sheet


def tile_size(images: Tensor) -> tuple[int, int]:
    """Return the width and the height that one of these images has on a sheet."""
    height, width = _tiles(images[:1]).shape[1:3]
    return width, height


def grid_classes(num_classes: int) -> list[int]:
    """Return the classes that a sheet has rows for: all, or 20 evenly spread where they are many.

    The first and the last are among them.
    """
    if num_classes <= ALL_CLASSES:
        return list(range(num_classes))
    return [round(i * (num_classes - 1) / (SOME_CLASSES - 1)) for i in range(SOME_CLASSES)]


def grid_labels(num_classes: int, columns: int) -> Tensor:
    """Return the class id of each tile, row by row: each of `grid_classes` `columns` times."""
    return torch.tensor(grid_classes(num_classes)).repeat_interleave(columns)


def _check(images: Tensor, columns: int) -> None:
    if images.dtype != torch.uint8 or images.ndim != 4 or not images.numel():
        found = f"{str(images.dtype).removeprefix('torch.')} {tuple(images.shape)}"
        raise ValueError(f"images must be uint8 (N, C, H, W), none of these zero, found {found}")
    if columns <= 0:
        raise ValueError(f"columns must be positive, found {columns}")


def _tiles(images: Tensor) -> Tensor:
    """(N, H', W', 3), enlarged by whole pixels."""
    if images.shape[1] not in (1, 3):
        images = torch.cat(images[:, :PLANES].split(1, dim=1), dim=3)
    scale = max(1, MIN_TILE // images.shape[2])
    tiles = images.cpu().repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    return tiles.expand(-1, 3, -1, -1).permute(0, 2, 3, 1).contiguous()


def _margin(names: Sequence[str]) -> int:
    widest = max((lettering.width(name) + 2 * PADDING for name in names), default=0)
    return max(MARGIN, widest) if names else 0
