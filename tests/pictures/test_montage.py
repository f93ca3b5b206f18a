"""Pages have their tiles, captions and names where they belong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench.errors import ConfigError
from ganbench.pictures.montage import (
    GAP,
    HEAD,
    LINE,
    NARROW,
    Row,
    Tile,
    draw,
    plain,
    save,
    save_moving,
    sheet,
)


def flat(value: int, size: int = 64, channels: int = 3) -> torch.Tensor:
    return torch.full((channels, size, size), value, dtype=torch.uint8)


def pixels(page: Image.Image) -> np.ndarray:
    return np.array(page)


def test_tiles_stand_in_rows_and_columns():
    found = pixels(sheet([Tile(flat(10 * i)) for i in range(5)], 3))
    step = 64 + GAP
    assert found.shape == (2 * step + GAP, 3 * step + GAP, 3)
    for i in range(5):
        top, left = (GAP + step * at for at in divmod(i, 3))
        assert (found[top : top + 64, left : left + 64] == 10 * i).all(), i
    assert (found[step:, GAP + 2 * step :] == 255).all()  # no sixth


def test_captions_stand_below_and_make_room():
    bare, captioned = (pixels(draw([Row([Tile(flat(0), text)])])) for text in ("", "7\nblond"))
    assert captioned.shape[0] == bare.shape[0] + 2 * LINE
    below = captioned[GAP + 64 :]
    assert below[:LINE].min() < 100  # a line of letters each
    assert below[LINE:].min() < 100


def test_long_captions_are_cut_and_widen_their_column_a_little():
    found = draw([Row([Tile(flat(0), "a name that goes on and on"), Tile(flat(50))])])
    assert found.width == 3 * GAP + 96 + 64
    assert (pixels(found)[GAP : GAP + 64, -GAP - 64 : -GAP] == 50).all()


def test_names_stand_before_their_rows():
    plainly, named = (draw([Row([Tile(flat(0))], name)]) for name in ("", "light blue"))
    margin = named.width - plainly.width
    assert margin > 40
    assert pixels(named)[:, :margin].min() < 100
    assert (pixels(named)[:, margin:] == pixels(plainly)).all()


def test_titles_stand_above_all():
    bare, titled = (draw([Row([Tile(flat(0))] * 3)], title) for title in ("", "nearest, by l2"))
    assert titled.height == bare.height + HEAD
    assert (pixels(titled)[HEAD:, : bare.width] == pixels(bare)).all()


def test_columns_without_pictures_are_narrow_gaps():
    found = draw([Row([Tile(flat(0)), Tile(), Tile(flat(9))])])
    assert found.width == 2 * 64 + NARROW + 4 * GAP
    assert (pixels(found)[GAP:-GAP, -GAP - 64 : -GAP] == 9).all()


def test_rows_may_be_of_different_lengths_and_letters_alone():
    found = draw([Row([Tile(caption="sample")]), Row([Tile(flat(3)), Tile(flat(4))])])
    assert (pixels(found)[-GAP - 64 : -GAP, -GAP - 64 : -GAP] == 4).all()


@pytest.mark.parametrize("channels", [1, 3])
def test_small_images_are_enlarged_and_grey_ones_are_grey(channels):
    image = torch.arange(28 * 28).remainder(251).to(torch.uint8).view(1, 28, 28)
    found = pixels(draw([Row([Tile(image.expand(channels, -1, -1))])]))[GAP:-GAP, GAP:-GAP]
    expected = image[0].numpy().repeat(2, 0).repeat(2, 1)
    assert (found == expected[:, :, None]).all()


def test_values_that_are_no_pixels_are_quantised():
    image = torch.tensor([-1.0, 0.0, 1.0]).view(3, 1, 1).expand(3, 64, 64)
    assert (pixels(draw([Row([Tile(image)])]))[GAP:-GAP, GAP:-GAP] == [0, 128, 255]).all()
    assert (pixels(plain(image)) == [0, 128, 255]).all()


def test_plain_pictures_are_the_pixels():
    assert plain(flat(7, 5, 1)).mode == "L"
    assert (pixels(plain(flat(7, 5, 1))) == np.full((5, 5), 7)).all()
    with pytest.raises(ConfigError, match="images of 2 channels are neither grey nor coloured"):
        plain(flat(7, 5, 2))


def test_enormous_pages_are_refused_before_they_are_made():
    with pytest.raises(
        ConfigError, match="2,000 images of this size make a page that is too large"
    ):
        sheet([Tile(flat(0, 256))] * 2000, 50)


def test_pages_are_png_files(tmp_path: Path):
    save(sheet([Tile(flat(0))], 1), tmp_path / "a.png")
    with Image.open(tmp_path / "a.png") as picture:
        assert picture.format == "PNG"
    assert [path.name for path in tmp_path.iterdir()] == ["a.png"]


@pytest.mark.parametrize("channels", [1, 3])
def test_moving_pictures_go_there_and_back(tmp_path: Path, channels: int):
    values = (0, 100, 200, 255)
    frames = [sheet([Tile(flat(value, channels=channels))], 1) for value in values]
    save_moving(frames, tmp_path / "a.gif")
    with Image.open(tmp_path / "a.gif") as picture:
        assert picture.format == "GIF"
        assert picture.info["loop"] == 0
        found, durations = [], []
        for at in range(picture.n_frames):
            picture.seek(at)
            found.append(picture.convert("RGB").getpixel((GAP + 32, GAP + 32)))
            durations.append(picture.info["duration"])
    assert found == [(v, v, v) for v in (0, 100, 200, 255, 200, 100)]
    assert durations == [600, 90, 90, 600, 90, 90]
