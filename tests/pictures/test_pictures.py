"""Pictures have their tiles in the right places."""

from __future__ import annotations

import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench import Mixture
from ganbench.pictures import GAP, MARGIN, grid_classes, grid_labels, save_grid, save_scatter
from ganbench.pictures.grids import CAPTION
from ganbench.pictures.scatter import ScatterPlot


def sheet(path: Path) -> np.ndarray:  # (H, W, 3)
    with Image.open(path) as picture:
        assert picture.format == "PNG"
        return np.array(picture.convert("RGB"))


def shades(count: int, size: int, channels: int = 1) -> torch.Tensor:
    """Flat images, each of its own shade."""
    values = torch.arange(count, dtype=torch.uint8) * 10
    return values.view(-1, 1, 1, 1).repeat(1, channels, size, size)


def test_grid_goes_row_by_row_with_gaps(tmp_path):
    save_grid(shades(5, 64), 3, tmp_path / "a.png")
    found = sheet(tmp_path / "a.png")
    step = 64 + GAP
    assert found.shape == (2 * step - GAP, 3 * step - GAP, 3)
    for i in range(5):
        row, column = divmod(i, 3)
        tile = found[row * step : row * step + 64, column * step : column * step + 64]
        assert (tile == 10 * i).all(), i
    assert (found[step:, 2 * step :] == 255).all()  # no sixth image
    assert (found[64:step] == 255).all()
    assert (found[:, 64:step] == 255).all()


def test_small_images_are_enlarged_by_whole_pixels(tmp_path):
    image = torch.arange(28 * 28).remainder(251).to(torch.uint8).view(1, 1, 28, 28)
    save_grid(image, 1, tmp_path / "a.png")
    found = sheet(tmp_path / "a.png")[:, :, 0]
    assert (found == image[0, 0].numpy().repeat(2, 0).repeat(2, 1)).all()


def test_colours_keep_their_channels(tmp_path):
    image = torch.tensor([255, 128, 7], dtype=torch.uint8).view(1, 3, 1, 1).repeat(1, 1, 64, 64)
    save_grid(image, 1, tmp_path / "a.png")
    assert (sheet(tmp_path / "a.png") == [255, 128, 7]).all()


def test_row_names_stand_in_a_margin(tmp_path):
    save_grid(shades(4, 64), 2, tmp_path / "a.png", ["0", "1"])
    found = sheet(tmp_path / "a.png")
    step = 64 + GAP
    assert found.shape == (2 * step - GAP, MARGIN + 2 * step - GAP, 3)
    for row in range(2):
        top = row * step
        assert (found[top : top + 64, MARGIN : MARGIN + 64] == 20 * row).all()
        assert (found[top : top + 64, :MARGIN] < 100).any()  # the name


def test_margin_grows_with_the_names_and_no_further_than_a_line(tmp_path):
    widths = []
    names = ("7", "Löwe", "no eyeglasses", "a name\nof two lines", "x" * 100)
    for i, name in enumerate(names):
        save_grid(shades(2, 64), 1, tmp_path / f"{i}.png", ["0", name])
        found = sheet(tmp_path / f"{i}.png")
        margin = found.shape[1] - 64
        widths.append(margin)
        assert (found[:64, margin:] == 0).all()
        assert (found[64 + GAP :, margin - 4 : margin] == 255).all()  # no letter touches a tile
        assert (found[64 + GAP :, :3] == 255).all()  # nor the edge
    assert widths[0] == MARGIN
    assert widths == sorted(widths)
    assert widths[-1] < 300


def test_caption_stands_below(tmp_path):
    save_grid(shades(4, 64), 2, tmp_path / "a.png", caption="2 of 9 classes")
    found = sheet(tmp_path / "a.png")
    assert found.shape == (2 * 64 + GAP + CAPTION, 2 * 64 + GAP, 3)
    assert (found[-CAPTION:] < 100).any()
    assert (found[-CAPTION:][:, -20:] == 255).all()


@pytest.mark.parametrize(("channels", "planes"), [(2, 2), (4, 4), (9, 4)])
def test_channels_that_are_no_colours_are_planes_side_by_side(tmp_path, channels, planes):
    values = torch.arange(channels, dtype=torch.uint8) * 20
    save_grid(values.view(1, -1, 1, 1).repeat(1, 1, 64, 64), 1, tmp_path / "a.png")
    found = sheet(tmp_path / "a.png")
    assert found.shape == (64, planes * 64, 3)
    for plane in range(planes):
        assert (found[:, plane * 64 : (plane + 1) * 64] == 20 * plane).all()


def test_images_need_not_be_square(tmp_path):
    save_grid(torch.zeros(2, 1, 64, 90, dtype=torch.uint8), 1, tmp_path / "a.png")
    assert sheet(tmp_path / "a.png").shape == (2 * 64 + GAP, 90, 3)


@pytest.mark.parametrize(("images", "columns"), [
    (torch.zeros(2, 1, 8, 8), 1),
    (torch.zeros(2, 8, 8, dtype=torch.uint8), 1),
    (torch.zeros(0, 1, 8, 8, dtype=torch.uint8), 1),
    (torch.zeros(2, 1, 8, 8, dtype=torch.uint8), 0),
])  # fmt: skip
def test_what_is_no_sheet_of_images_is_refused(tmp_path, images, columns):
    with pytest.raises(ValueError, match="must be"):
        save_grid(images, columns, tmp_path / "a.png")
    assert not [*tmp_path.iterdir()]


def test_grid_labels_are_one_class_a_row():
    assert grid_labels(3, 2).tolist() == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("count", [0, 1, 10, 40])
def test_every_class_has_a_row_where_they_are_few(count):
    assert grid_classes(count) == list(range(count))


@pytest.mark.parametrize("count", [41, 100, 1000])
def test_of_many_classes_twenty_have_rows_evenly_spread(count):
    classes = grid_classes(count)
    assert (len(classes), classes[0], classes[-1]) == (20, 0, count - 1)
    steps = {after - before for before, after in pairwise(classes)}
    assert max(steps) - min(steps) <= 1
    assert grid_labels(count, 2).tolist() == [label for label in classes for _ in range(2)]


@pytest.mark.parametrize("known", [True, False])
def test_scatter_is_a_picture_of_the_points(tmp_path, known):
    mixture = Mixture(torch.tensor([[0.5, 0.5], [-0.5, -0.5]]), 0.01) if known else None
    save_scatter(torch.tensor([[-0.5, 0.5]]).repeat(100, 1), mixture, tmp_path / "a.png")
    found = sheet(tmp_path / "a.png").astype(int)
    assert found.shape == (500, 500, 3)
    rows, columns = (found[:, :250, 2] - found[:, :250, 0] > 60).nonzero()  # blue, legend left out
    assert 5 <= len(rows) <= 100
    assert rows.mean() == pytest.approx(130, abs=30)
    assert columns.mean() == pytest.approx(155, abs=30)


def test_plot_that_is_drawn_again_shows_the_new_points_alone():
    plot = ScatterPlot(Mixture(torch.tensor([[0.5, 0.5]]), 0.01))
    here, there = torch.tensor([[-0.5, 0.5]]).repeat(9, 1), torch.tensor([[-0.5, -0.5]])
    first = np.array(plot.drawn(here))
    other = np.array(plot.drawn(there.repeat(9, 1)))
    assert (first != other).any()
    assert (np.array(plot.drawn(here)) == first).all()


def test_scatter_of_points_that_are_not_finite_is_still_a_picture(tmp_path):
    points = torch.full((10, 2), float("nan"))
    save_scatter(points, None, tmp_path / "a.png")
    assert sheet(tmp_path / "a.png").shape == (500, 500, 3)


def test_scatter_leaves_the_users_own_figures_alone(tmp_path):
    pyplot = sys.modules.get("matplotlib.pyplot")
    before = pyplot.get_fignums() if pyplot else None
    save_scatter(torch.zeros(3, 2), None, tmp_path / "a.png")
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert (pyplot.get_fignums() if pyplot else None) == before
