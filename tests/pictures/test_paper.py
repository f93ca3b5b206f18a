"""Scales, and what is drawn on a page of pixels."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ganbench.pictures.paper import Box, Paper, Scale


def pixels(paper: Paper) -> np.ndarray:  # (H, W, 4)
    return np.array(paper.picture())


def test_linear_scale_has_room_around_and_round_ticks():
    scale = Scale.linear(0.0, 10.0, 6)
    assert (scale.low, scale.high) == (-0.5, 10.5)
    assert scale.ticks == (0, 2, 4, 6, 8, 10)
    assert scale.numbers() == ["0", "2", "4", "6", "8", "10"]
    assert scale.at([-0.5, 5.0, 10.5]).tolist() == [0.0, 0.5, 1.0]


@pytest.mark.parametrize("value", [0.0, 3.0, -1e-12, 1e30])
def test_scale_of_one_value_has_it_in_the_middle(value):
    scale = Scale.linear(value, value, 6)
    assert scale.at([value])[0] == pytest.approx(0.5)
    assert len(scale.ticks) >= 2


def test_neighbouring_ticks_are_told_apart_however_near_they_are():
    numbers = Scale.linear(1_000_000.1, 1_000_000.4, 6).numbers()
    assert len(set(numbers)) == len(numbers) >= 3


def test_numbers_below_zero_have_a_minus_sign():
    assert Scale.linear(-2.0, 2.0, 5).numbers() == ["−2", "−1", "0", "1", "2"]


def test_logarithmic_scale_has_powers_of_ten_at_equal_distances():
    scale = Scale.log(1e-4, 1.0)
    places = scale.at([1e-4, 1e-2, 1.0])
    assert places[1] - places[0] == pytest.approx(places[2] - places[1])
    assert [f"{tick:g}" for tick in scale.ticks] == ["0.0001", "0.001", "0.01", "0.1", "1"]
    assert np.isnan(scale.at([0.0, -1.0])).all()


@pytest.mark.parametrize("low", [1e-300, 1e-12, 0.5, 1.0])
def test_all_ticks_of_logarithmic_scales_lie_on_them(low):
    scale = Scale.log(low, 1.0)
    assert len(scale.ticks) >= 2
    assert scale.low <= min(scale.ticks)
    assert max(scale.ticks) <= scale.high


def test_scale_with_a_threshold_is_linear_below_and_logarithmic_beyond():
    scale = Scale.symlog(-1000.0, 100_000.0, 10.0)
    zero, one, ten, hundred, thousand = scale.at([0.0, 1.0, 10.0, 100.0, 1000.0])
    assert (one - zero) * 10 == pytest.approx(ten - zero)
    assert hundred - ten == pytest.approx(thousand - hundred) == pytest.approx(ten - zero)
    assert scale.at([-1000.0])[0] == pytest.approx(2 * zero - thousand)
    assert 0.0 in scale.ticks
    assert scale.low < -1000 < 100_000 < scale.high


def test_lines_are_where_they_belong_and_have_gaps():
    paper = Paper(100, 50)
    paper.line([10, 30, math.nan, 60, 90], [20, 20, 20, 20, 20], "black", 2.0)
    dark = (pixels(paper)[:, :, 0] < 100).any(0)
    assert dark[12:29].all()
    assert not dark[32:59].any()
    assert dark[62:89].all()
    rows = (pixels(paper)[:, :, 0] < 100).nonzero()[0]
    assert 18 <= rows.min() <= rows.max() <= 21


def test_dashes_leave_the_page_between_them():
    paper = Paper(200, 20)
    paper.line([0, 200], [10, 10], "black", 2.0, dashes=(4.0, 4.0))
    dark = pixels(paper)[10, :, 0] < 100
    assert 0.3 < dark.mean() < 0.7
    assert 5 <= np.count_nonzero(np.diff(dark.astype(int)) == 1) <= 12


def test_nothing_is_drawn_outside_of_a_box():
    paper = Paper(100, 100)
    paper.line([0, 100], [50, 50], "red", 4.0, within=Box(40, 0, 60, 100))
    paper.marks([50, 90, math.nan], [90, 20, 5], "blue", within=Box(40, 0, 60, 100))
    columns = (pixels(paper)[:, :, :3] < 200).any(2).any(0).nonzero()[0]
    assert (columns.min(), columns.max()) == (40, 59)
    assert (pixels(paper)[88:93, 50, 0] < 100).any()  # the one mark within


def test_transparent_page_is_that_but_for_what_is_drawn():
    paper = Paper(20, 20, transparent=True)
    paper.marks([10], [10], "C0", pixels=6)
    found = pixels(paper)[:, :, 3]
    assert found[10, 10] == 255
    assert found[0, 0] == 0


def test_axes_have_numbers_that_do_not_touch():
    paper, written = Paper(300, 200), []
    paper.text = lambda x, y, text, *how, **more: written.append((x, y, text))  # type: ignore[method-assign]
    wide = Scale(0.0, 1.0, tuple(i / 100 for i in range(101)))
    paper.axes(Box(50, 10, 290, 170), wide, wide)
    below = sorted(x for x, y, _ in written if y > 170)
    beside = sorted(y for x, y, _ in written if x < 50)
    assert 5 < len(below) < 20
    assert min(np.diff(below)) >= 15
    assert min(np.diff(beside)) >= 11


def test_letters_beyond_ascii_and_bold_ones_are_written():
    paper = Paper(100, 40)
    paper.text(5, 20, "Größe ≤ −1", anchor="lm")
    plain = (pixels(paper)[:, :, 0] < 100).sum()
    bold = Paper(100, 40)
    bold.text(5, 20, "Größe ≤ −1", anchor="lm", bold=True)
    assert 0 < plain < (pixels(bold)[:, :, 0] < 100).sum()
