"""Curves of a training: one panel for each kind of number, whatever was logged."""

from __future__ import annotations

import math
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from ganbench import Probe, Window, distance_and_quality
from ganbench.pictures import save_curves
from ganbench.pictures.curves import MOST_CURVES, MOST_POINTS, PANELS, Curve, _curves

SIGNALS = {
    "d_real": 0.5,
    "d_fake": -0.5,
    "d_gradient_norm": 2.0,
    "g_gradient_norm": 1.0,
    "d_real_accuracy": 0.7,
    "d_fake_accuracy": 0.6,
    "g_accuracy": 0.4,
}
ROW = 270  # pixels of a row of panels


def window(kimg: float = 1.0, d_terms=None, g_terms=None, signals=None) -> Window:
    return Window(
        kimg=kimg,
        iteration=int(100 * kimg),
        seconds=1.0,
        images_per_second=1.0,
        g_steps_per_second=1.0,
        d_terms={"real": 0.5, "fake": 0.6} if d_terms is None else d_terms,
        g_terms={"adversarial": 0.9} if g_terms is None else g_terms,
        signals=SIGNALS if signals is None else signals,
    )


def drawn(windows: list[Window], folder: Path) -> np.ndarray:  # (H, W, 3)
    save_curves(windows, folder / "curves.png")
    assert [path.name for path in folder.iterdir()] == ["curves.png"]
    with Image.open(folder / "curves.png") as picture:
        assert picture.format == "PNG"
        return np.array(picture.convert("RGB"))


def has_ink(page: np.ndarray, row: int, column: int) -> bool:
    top, left = row * ROW, column * 500
    return bool((page[top + 10 : top + ROW - 10, left + 10 : left + 490] < 100).any())


def curves(windows: list[Window]) -> dict[str, dict[str, Curve]]:
    """What is drawn, by panel and by name."""
    return {p.title: found for p in PANELS if (found := _curves(p, windows))}


def test_page_is_as_wide_as_a_screen_and_has_a_panel_for_each_kind(tmp_path):
    page = drawn([window(i) for i in range(1, 9)], tmp_path)
    assert page.shape == (3 * ROW + 10, 1000, 3)
    inked = [has_ink(page, row, column) for row in range(3) for column in range(2)]
    assert inked == [True] * 5 + [False]


def test_curves_are_named_and_keep_their_values():
    found = curves([window(1.0), window(2.0, d_terms={"real": 0.4, "fake": 0.7})])
    assert list(found) == [panel.title for panel in PANELS]
    assert found["terms of the discriminator's loss"] == {
        "real": ([1.0, 2.0], [0.5, 0.4]),
        "fake": ([1.0, 2.0], [0.6, 0.7]),
    }
    assert found["D's mean output"]["on fakes"] == ([1.0, 2.0], [-0.5, -0.5])
    assert list(found["gradient norms"]) == ["discriminator", "generator"]


def test_term_that_some_windows_lack_has_its_own_points():
    found = curves([window(1.0), window(2.0, d_terms={"real": 0.4, "r1": 3.0}), window(3.0)])
    terms = found["terms of the discriminator's loss"]
    assert terms["r1"] == ([2.0], [3.0])
    assert terms["fake"] == ([1.0, 3.0], [0.6, 0.6])


def test_log_without_signals_has_the_terms_alone(tmp_path):
    page = drawn([window(i, signals={}) for i in range(1, 4)], tmp_path)
    assert page.shape == (ROW + 10, 1000, 3)
    assert has_ink(page, 0, 0)
    assert has_ink(page, 0, 1)


def test_critic_has_no_accuracies():
    signals = {name: value for name, value in SIGNALS.items() if "accuracy" not in name}
    assert "D's accuracy" not in curves([window(signals=signals)])


def test_a_critic_s_estimate_and_quality_are_in_one_panel(tmp_path):
    critic = [window(i, {"wasserstein": -8.0 / i}) for i in range(1, 5)]
    probes = [Probe(i, i, {"fid": 300.0 / i, "modes": None}, {"fid": "min"}) for i in (1.0, 2.0)]
    assert distance_and_quality(critic, probes) == {
        "Wasserstein estimate": [(1, 1.0), (2, 0.5), (3, 1 / 3), (4, 0.25)],
        "fid": [(1.0, 1.0), (2.0, 0.5)],
    }
    save_curves(critic, tmp_path / "curves.png", probes=probes)
    with Image.open(tmp_path / "curves.png") as picture:
        assert has_ink(np.array(picture.convert("RGB")), 2, 1)


@pytest.mark.parametrize(
    ("terms", "directions", "value"),
    [
        ({"real": 0.5}, {"fid": "min"}, 3.0),  # no critic
        ({"wasserstein": -1.0}, {"fid": "none"}, 3.0),
        ({"wasserstein": -1.0}, {"fid": "min"}, None),
    ],
)
def test_without_a_critic_or_quality_there_is_no_such_panel(terms, directions, value):
    probes = [Probe(1.0, 1.0, {"fid": value}, directions)]
    assert distance_and_quality([window(1.0, terms)], probes) == {}


def test_an_estimate_the_wrong_way_round_or_not_finite_is_still_drawn():
    values = [1.0, math.nan, -2.0]
    critic = [window(i, {"wasserstein": value}) for i, value in enumerate(values)]
    found = distance_and_quality(critic, [Probe(1.0, 1.0, {"fid": 0.0, "kid": 4.0},
                                                {"fid": "min", "kid": "min"})])  # fmt: skip
    assert list(found) == ["Wasserstein estimate", "kid"]
    assert [found["Wasserstein estimate"][i][1] for i in (0, 2)] == [-0.5, 1.0]


@pytest.mark.parametrize("count", [0, 1, 2])
def test_hardly_any_windows_are_still_a_picture(tmp_path, count):
    page = drawn([window(i + 1) for i in range(count)], tmp_path)
    assert (page < 100).any()


def test_values_that_are_not_finite_are_gaps(tmp_path):
    values = [0.5, math.nan, math.inf, -math.inf, 0.6]
    windows = [
        window(i, {"real": value, "lost": math.nan}, signals={"g_gradient_norm": value})
        for i, value in enumerate(values)
    ]
    drawn(windows, tmp_path)
    terms = curves(windows)["terms of the discriminator's loss"]
    assert list(terms) == ["real"]
    kept = [value for value in terms["real"][1] if math.isfinite(value)]
    assert kept == [0.5, 0.6]


@pytest.mark.parametrize("largest", [1e4, 1e12, 1e300, -1e300])
def test_huge_ranges_are_drawn(tmp_path, largest):
    windows = [window(i, {"real": 0.7 if i < 15 else largest}) for i in range(20)]
    assert has_ink(drawn(windows, tmp_path), 0, 0)


@pytest.mark.parametrize("norm", [0.0, 1e-300, 1e-12, 1e300])
def test_gradient_norms_of_any_size_are_drawn(tmp_path, norm):
    windows = [window(i, signals={"g_gradient_norm": norm}) for i in range(5)]
    assert drawn(windows, tmp_path).shape == (2 * ROW + 10, 1000, 3)
    windows += [window(6, signals={"g_gradient_norm": 1.0})]
    drawn(windows, tmp_path)


def test_many_terms_are_named_as_far_as_there_is_room(tmp_path):
    terms = {f"a_rather_long_name_of_term_{i}": float(i) for i in range(MOST_CURVES + 5)}
    page = drawn([window(i, terms, {"<b>&$x^2$_": 1.0}) for i in range(1, 30)], tmp_path)
    assert page.shape[1] == 1000
    assert has_ink(page, 0, 0)


def test_long_trainings_are_thinned_and_keep_their_spikes():
    windows = [window(i, {"real": 50.0 if i == 7777 else 0.5}) for i in range(20_000)]
    kimg, values = curves(windows)["terms of the discriminator's loss"]["real"]
    assert len(kimg) == len(values) <= MOST_POINTS
    assert kimg == sorted(kimg)
    assert kimg[values.index(50.0)] == 7777


def test_page_is_drawn_fast_and_leaves_pyplot_alone(tmp_path):
    windows = [window(i) for i in range(1000)]
    save_curves(windows, tmp_path / "curves.png")  # imports matplotlib, finds its fonts
    started = time.process_time()
    drawn(windows, tmp_path)
    assert time.process_time() - started < 3
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


def test_curves_of_a_training_in_epochs_are_over_epochs(monkeypatch, tmp_path):
    windows = [replace(window(60 * i, {"real": 0.5 / i}), epoch=float(i)) for i in (1, 2, 3)]
    panel = next(p for p in PANELS if "discriminator's loss" in p.title)
    assert _curves(panel, windows, "epochs")["real"][0] == [1.0, 2.0, 3.0]
    assert _curves(panel, windows)["real"][0] == [60.0, 120.0, 180.0]
    labels = []
    monkeypatch.setattr(Axes, "set_xlabel", lambda axes, text, **how: labels.append(text))
    save_curves(windows, tmp_path / "curves.png", "epochs")
    assert set(labels) == {"epoch"}
