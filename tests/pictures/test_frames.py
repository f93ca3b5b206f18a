"""Frames that are kept: whole grids, from which figures of chosen moments are cut again."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from PIL import Image

from ganbench.errors import RunError
from ganbench.pictures import draw_grid, frames
from ganbench.pictures.montage import GAP

NAMES = ("cat", "a dog with a long name", "owl")


def noise(count: int, channels: int = 3, size: int = 16, seed: int = 0) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed)
    shape = (count, channels, size, size)
    return torch.randint(256, shape, generator=generator).to(torch.uint8)


@pytest.mark.parametrize("caption", ["", "3 of 200 classes"])
@pytest.mark.parametrize(("channels", "size"), [(1, 28), (3, 64), (3, 16), (2, 16)])
@pytest.mark.parametrize("rows", [NAMES, ()])
def test_tiles_are_those_that_were_drawn(tmp_path, channels, size, rows, caption) -> None:
    samples = noise(12, channels, size)
    frames.keep(tmp_path, 1000, "epoch 1", samples, 4, rows, caption)
    (found,) = frames.kept(tmp_path)
    assert (found.images, found.title, found.rows) == (1000, "epoch 1", rows)
    tiles = found.tiles()
    assert [len(row) for row in tiles] == [4, 4, 4]
    for at, tile in enumerate(one for row in tiles for one in row):
        alone = torch.from_numpy(_array(draw_grid(samples[at : at + 1], 1)))
        assert torch.equal(tile, alone.permute(2, 0, 1))


def _array(picture: Image.Image):
    import numpy as np

    return np.asarray(picture.convert("RGB")).copy()


def test_a_frame_is_the_grid_that_samples_png_is(tmp_path) -> None:
    samples = noise(12)
    frames.keep(tmp_path, 5, "epoch 0.5", samples, 4, NAMES)
    with Image.open(tmp_path / "frames" / "epoch-0000.5.png") as picture:
        assert (_array(picture) == _array(draw_grid(samples, 4, NAMES))).all()


@pytest.mark.parametrize(
    ("title", "name"),
    [
        ("epoch 5", "epoch-0005.png"),
        ("epoch 2.25", "epoch-0002.25.png"),
        ("0.5 kimg", "kimg-0000.5.png"),
        ("1e5 kimg", "kimg-100000.png"),
        ("step 1000", "step-1000.png"),
        ("0.1 of the budget", "budget-0000.1.png"),
    ],
)
def test_files_are_called_as_the_moments_and_sort(title: str, name: str) -> None:
    assert frames.file_name(title) == name


def test_figure_has_a_row_for_each_moment_and_a_column_for_each_label(tmp_path) -> None:
    for epoch in (10, 2, 1):
        frames.keep(tmp_path, 100 * epoch, f"epoch {epoch}", noise(6, seed=epoch), 2, NAMES)
    kept = frames.kept(tmp_path)
    assert [frame.title for frame in kept] == ["epoch 1", "epoch 2", "epoch 10"]
    page = frames.by_moments(kept, "trial")
    tile = 48  # of 16 pixels, three times enlarged
    assert page.width > 3 * (tile + GAP)
    shown = torch.from_numpy(_array(page))
    for frame in kept:
        for row in frame.tiles():
            assert _holds(shown, row[0])  # the first latent of each label,
            assert not _holds(shown, row[1])  # and no other
    of_one = torch.from_numpy(_array(frames.of_label(kept, 1, "dogs")))
    for frame in kept:
        cats, dogs, _ = frame.tiles()
        assert all(_holds(of_one, tile) for tile in dogs)
        assert not any(_holds(of_one, tile) for tile in cats)


def _holds(page: torch.Tensor, tile: torch.Tensor) -> bool:
    """Whether a page (H, W, 3) has a tile (3, H, W) somewhere."""
    _, height, width = tile.shape
    line = tile[:, 0].T.flatten()
    rows = page.unfold(1, width, 1).permute(0, 1, 3, 2).flatten(2)
    for y, x in (rows == line).all(2).nonzero().tolist():
        if torch.equal(page[y : y + height, x : x + width].permute(2, 0, 1), tile):
            return True
    return False


def test_images_without_labels_and_plots_have_figures_too(tmp_path) -> None:
    frames.keep(tmp_path, 1, "1 kimg", noise(100), 10)
    page = frames.by_moments(frames.kept(tmp_path), "")
    assert page.width >= 10 * 48
    other = tmp_path / "points"
    other.mkdir()
    for number in (1, 2, 3):
        frames.keep_plot(other, number, f"{number} kimg", Image.new("RGB", (90, 80), "red"))
    page = frames.by_moments(frames.kept(other), "")
    assert 2 * 90 < page.width < 3 * 90
    assert 2 * 80 < page.height < 3 * 80


def test_what_is_no_frame_is_told_by_name(tmp_path: Path) -> None:
    assert frames.kept(tmp_path) == []
    frames.keep(tmp_path, 1, "1 kimg", noise(4), 2)
    path = tmp_path / "frames" / "kimg-0001.png"
    whole = path.read_bytes()
    for content in (whole[: len(whole) // 2], b"", b"no picture"):
        path.write_bytes(content)
        with pytest.raises(RunError, match=r"kimg-0001.png: not a frame that a trial has kept"):
            frames.kept(tmp_path)
    Image.new("RGB", (9, 9)).save(path)  # a picture of somebody's own
    with pytest.raises(RunError, match="not a frame"):
        frames.kept(tmp_path)
