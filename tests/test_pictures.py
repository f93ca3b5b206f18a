"""Pictures have their tiles in the right places."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ganbench import Mixture
from ganbench.pictures import GAP, MARGIN, grid_labels, save_grid, save_scatter


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


def test_grid_labels_are_one_class_a_row():
    assert grid_labels(3, 2).tolist() == [0, 0, 1, 1, 2, 2]


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
