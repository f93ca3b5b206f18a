"""The page's charts show the table's numbers, and no label covers another."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import pytest
from helpers.pages import BCE, FID, LSGAN, REAL, changed, folder_of, large, page, parsed, windows

from ganbench import Probe, Report, TrialResult, Window
from ganbench.default_plugins.reporters.html import curves
from ganbench.default_plugins.reporters.html.scale import MARGIN, Scale, compact, told_apart
from ganbench.records import windows as windows_of


def test_charts_show_means_errors_and_seeds(report, tmp_path):
    spread = page(report, tmp_path).section("spread")
    fid, modes = spread.all("figure")
    assert fid.one("h3").text == f"{FID} ↓"
    real, bce, lsgan, axis = fid.all("li")
    said = [row.one("svg").attributes["aria-label"] for row in (real, bce, lsgan)]
    assert said == [f"{REAL}: 0.001", "bce: 1.250 ± 0.250; seeds 1.000, 1.500", "lsgan: 2.000"]
    assert "best" in bce.classes
    scale = Scale(1.0, 2.0)  # of the cells: with the real images, they would fill half of it
    (mean,) = bce.all("circle", "mean")
    assert float(str(mean.attributes["cx"]).rstrip("%")) == pytest.approx(scale.at(1.25), abs=0.01)
    seeds = [float(str(c.attributes["cx"]).rstrip("%")) for c in bce.all("circle", "seed")]
    assert seeds == pytest.approx([scale.at(1.0), scale.at(1.5)], abs=0.01)
    (bar,) = bce.all("line", "error")
    ends = [float(str(bar.attributes[name]).rstrip("%")) for name in ("x1", "x2")]
    assert ends == pytest.approx([scale.at(1.0), scale.at(1.5)], abs=0.01)
    assert not lsgan.all("line", "error")
    assert [text.text for text in axis.all("text")] == ["1", "1.2", "1.4", "1.6", "1.8", "2"]
    assert modes.one("h3").text == "modes ↑"


def test_real_images_far_away_stand_at_the_end(runs, tmp_path):
    results = {
        REAL: [runs.reference({FID: 0.001})],
        BCE: [runs.result({FID: 100.0})],
        LSGAN: [runs.result({FID: 101.0})],
    }
    spread = page(Report.of(runs.write(results)), tmp_path).section("spread")
    real, *_ = spread.all("li")
    assert real.one("text", "beyond").text == "◂"
    assert not real.all("circle")
    assert [text.text for text in spread.all("li")[-1].all("text")][:2] == ["100", "100.2"]


def test_scatter_has_a_labelled_point_per_cell(report, tmp_path):
    speed = page(report, tmp_path).section("speed")
    (figure,) = speed.all("figure")  # modes are all the same
    wide, narrow = figure.all("svg")
    for svg in (wide, narrow):
        assert [t.text for t in svg.all("text", "label")] == ["bce", "lsgan"]
        assert [c.one("title").text for c in svg.all("circle")] == [
            f"bce: 1.250 ± 0.250 {FID} ↓, 1,000 ± 0 train img/s ↑",
            f"lsgan: 2.000 {FID} ↓, 1,234 train img/s ↑",
        ]
    assert len(wide.all("line", "front")) == 1  # one is better, the other faster


def test_labels_of_a_crowd_do_not_cover_each_other(tmp_path):
    report = large(60)
    wide = page(report, tmp_path).section("speed").all("svg", "wide")[0]
    boxes = []
    for label in wide.all("text", "label"):
        x = float(str(label.attributes["x"]).rstrip("%")) * 5 + float(label.attributes["dx"] or 0)
        y = float(label.attributes["y"] or 0) + float(label.attributes["dy"] or 0)
        long = 6.4 * len(label.text)
        x -= {"start": 0.0, "middle": long / 2, "end": long}[label.attributes["text-anchor"] or ""]
        boxes.append((x, y, x + long))
    assert 3 <= len(boxes) < 60
    for i, (left, y, right) in enumerate(boxes):
        for other_left, other_y, other_right in boxes[:i]:
            assert abs(y - other_y) >= 13 or left >= other_right or other_left >= right


def test_curves_come_from_the_windows(report, tmp_path):
    folder = folder_of(report, BCE)
    signals = {"d_real": 0.5, "d_fake": -0.5, "d_gradient_norm": 2.0, "unknown": 1.0}
    (folder / "metrics.jsonl").write_text(windows(5, signals=signals) + '{"kimg": 9, "d_te')
    found = page(report, tmp_path).section("cells")
    charts = found.all("figure", "curve")
    assert [c.one("b").text for c in charts] == [
        "D's loss",
        "G's loss",
        "D's output",
        "gradient norm",
    ]
    keys = [[key.text for key in chart.all("li")] for chart in charts]
    assert keys == [
        ["real", "gradient penalty"],
        ["adversarial"],
        ["on real images", "on G's"],
        ["of D"],
    ]
    assert [len(str(p.attributes["points"]).split()) for p in charts[0].all("polyline")] == [5, 5]
    assert found.one("h4").text == "seed 0 ok, 0:12"


def test_curves_of_probes(report, tmp_path):
    probes = tuple(Probe(k, k, {FID: 10.0 / k}) for k in (1, 2, 4))
    folder = folder_of(report, BCE)
    report = changed(report, lambda o: {"probes": probes} if o.directory == folder else {})
    (chart,) = page(report, tmp_path).section("cells").all("figure", "curve")
    assert chart.one("b").text == f"{FID} on the way"


def test_long_and_wild_curves_are_thinned_and_cut(tmp_path):
    lines = []
    for i in range(20_000):
        value = {500: 1e30, 501: math.nan, 502: math.inf}.get(i, math.sin(i / 1000))
        terms = {"real": value}
        lines.append(json.dumps(asdict(Window(i / 10, i, 1.0, 1000.0, 10.0, terms, {}))))
    path = tmp_path / "metrics.jsonl"
    path.write_text("\n".join([*lines, "7", "[1]", '{"kimg": null}', "{"]))
    (chart,) = curves.charts(windows_of.read(path), TrialResult())
    drawn = parsed(curves.picture(chart))
    (line,) = drawn.all("polyline")
    assert len(str(line.attributes["points"]).split()) <= curves.MOST_POINTS
    assert drawn.one("span", "high").text in ("0.999", "1")
    spiky = {"real": [(float(i), 1e30 if i == 7 else float(i % 2)) for i in range(100)]}
    drawn = parsed(curves.picture(curves.Chart("D's loss", spiky)))
    assert drawn.one("span", "high").text == "1"
    assert drawn.one("span", "hint").text == "spikes cut"


def test_scales():
    scale = Scale.over([0.0, 10.0])
    assert [scale.at(v) for v in (-5, 0, 5, 10, 99)] == [MARGIN, MARGIN, 50, 96, 96]
    assert [text for _, text in scale.ticks()] == ["0", "2", "4", "6", "8", "10"]
    log = Scale.over([1.0, 10.0, 10_000.0])
    assert log.is_log
    assert [log.at(v) for v in (1, 100, 10_000)] == [4, 50, 96]
    assert [text for _, text in log.ticks()] == ["1", "10", "100", "1k", "10k"]
    assert not Scale.over([0.0, 10_000.0]).is_log
    same = Scale.over([3.0, 3.0])
    assert same.at(3.0) == 50
    assert same.ticks()
    negative = Scale.over([-0.4, 0.4])
    assert [text for _, text in negative.ticks()] == ["−0.4", "−0.2", "0", "0.2", "0.4"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.0, "0"), (0.25, "0.25"), (1500.0, "1.5k"), (-2e6, "−2M"), (1e-7, "1e-07"), (1e30, "1e+30")],
)
def test_compact_numbers(value, text):
    assert compact(value) == text


@pytest.mark.parametrize(
    ("low", "high", "told"),
    [
        (31.861, 31.879, ("31.86", "31.88")),
        (0.5, 2000.0, ("0.5", "2k")),
        (-1.00004, -1.00003, ("−1.00004", "−1.00003")),
        (3.0, 3.0, ("3", "3")),
    ],
)
def test_the_ends_of_an_axis_are_told_apart(low, high, told):
    assert told_apart(low, high) == told
