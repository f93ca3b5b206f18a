"""Pictures of samples."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from ganbench.folders import write_atomically
from ganbench.specs import Mixture

GAP, MARGIN, MIN_TILE = 2, 22, 56


def save_grid(images: Tensor, columns: int, path: Path, row_names: Sequence[str] = ()) -> None:
    """A PNG of uint8 images (N, C, H, W), row by row, each row with its name before it."""
    scale = max(1, MIN_TILE // images.shape[-1])
    tiles = images.repeat_interleave(scale, 2).repeat_interleave(scale, 3)
    if tiles.shape[1] == 1:
        tiles = tiles.expand(-1, 3, -1, -1)
    size = tiles.shape[-1]
    rows = -(-len(tiles) // columns)
    margin = MARGIN if row_names else 0
    shape = (margin + columns * (size + GAP) - GAP, rows * (size + GAP) - GAP)
    sheet = Image.new("RGB", shape, "white")
    draw = ImageDraw.Draw(sheet)
    for i, tile in enumerate(tiles):
        row, column = divmod(i, columns)
        picture = Image.fromarray(tile.permute(1, 2, 0).contiguous().numpy())
        sheet.paste(picture, (margin + column * (size + GAP), row * (size + GAP)))
    font = ImageFont.load_default(size=14)
    for row, name in enumerate(row_names):
        middle = row * (size + GAP) + size // 2
        draw.text((margin // 2 - 1, middle), name, fill="black", font=font, anchor="mm")
    write_atomically(path, lambda temporary: sheet.save(temporary, format="PNG"))


def save_scatter(points: Tensor, mixture: Mixture | None, path: Path) -> None:
    """A PNG of generated points (N, 2) over the centres of the real ones."""
    from matplotlib.figure import Figure  # not pyplot, which would want a display and keep state

    figure = Figure(figsize=(5, 5), dpi=100)
    axes = figure.subplots()
    x, y = points[:5000].T.numpy()
    axes.scatter(x, y, s=3, alpha=0.3, label="generated")
    if mixture is not None:
        x, y = mixture.centers.T.numpy()
        axes.scatter(x, y, s=40, marker="x", color="black", label="centres")
    axes.set(xlim=(-1.05, 1.05), ylim=(-1.05, 1.05), aspect="equal")
    axes.legend(loc="upper right")
    figure.tight_layout()
    write_atomically(path, lambda temporary: figure.savefig(temporary, format="png"))


def grid_labels(num_classes: int, columns: int) -> Tensor:
    """Each class `columns` times, in rows."""
    return torch.arange(num_classes).repeat_interleave(columns)
