"""The page opens anywhere, loads nothing, takes nothing for markup, and stays small."""

from __future__ import annotations

import base64
import hashlib
import io
import itertools
import json
import math
import re
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image, features

from ganbench import Report, Summary
from ganbench.cli import cli
from ganbench.default_plugins.reporters import HTML, html
from ganbench.default_plugins.reporters.html import curves, pictures, summary
from ganbench.default_plugins.reporters.html.byte_budget import Room, fitting
from ganbench.default_plugins.reporters.html.markup import element, escaped
from ganbench.default_plugins.reporters.html.scale import MARGIN, Scale, compact
from ganbench.errors import ConfigError
from ganbench.records.run_folder import Run, TrialOutcome
from ganbench.testing.fixtures import trials

FID = "fid@mnist-cnn-v1"
SPEED = "train-images-per-s"
BCE, LSGAN, REAL = "bce/none/mlp", "lsgan/none/mlp", "real test set (ring)"
HOSTILE = (
    "</script></style><script>alert(1)</script>\"'><img src=x onerror=alert(1)> & \x00 \x1b[31m"
)
VOID = {"img", "input", "link", "meta"}
LOADING = {"src", "href", "srcset", "data", "action", "poster", "background", "xlink:href"}


@dataclass(eq=False)
class Node:
    tag: str
    attributes: dict[str, str | None]
    children: list[Node | str] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join(c if isinstance(c, str) else c.text for c in self.children)

    def all(self, tag: str = "", class_: str = "") -> list[Node]:
        return [
            node
            for node in self.walk()
            if tag in ("", node.tag) and (not class_ or class_ in node.classes)
        ]

    def one(self, tag: str = "", class_: str = "") -> Node:
        (found,) = self.all(tag, class_)
        return found

    def walk(self) -> Iterator[Node]:
        yield self
        for child in self.children:
            if isinstance(child, Node):
                yield from child.walk()

    @property
    def classes(self) -> list[str]:
        return (self.attributes.get("class") or "").split()

    def section(self, key: str) -> Node:
        (found,) = [n for n in self.walk() if n.attributes.get("id") == key]
        return found


class Parser(HTMLParser):
    """Elements as a tree; what is not closed in its turn is an error."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.stack = [Node("", {})]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs), f"an attribute twice in {tag}: {attrs}"
        node = Node(tag, dict(attrs))
        self.stack[-1].children.append(node)
        if tag not in VOID:
            self.stack.append(node)

    def handle_endtag(self, tag: str) -> None:
        assert tag == self.stack[-1].tag, f"</{tag}> closes <{self.stack[-1].tag}>"
        self.stack.pop()

    def handle_data(self, data: str) -> None:
        self.stack[-1].children.append(data)


def parsed(text: str) -> Node:
    parser = Parser()
    parser.feed(text)
    parser.close()
    assert len(parser.stack) == 1, f"<{parser.stack[-1].tag}> is never closed"
    return parser.stack[0]


def written(report: Report, folder: Path) -> str:
    HTML().write(report, folder)
    return (folder / "report.html").read_text("utf-8")


def page(report: Report, folder: Path) -> Node:
    """The page, after what must hold of every page."""
    text = written(report, folder)
    found = parsed(text)
    assert_loads_nothing(found)
    assert_accessible(found)
    assert len(text.encode()) <= 10e6
    return found


def digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def assert_loads_nothing(found: Node) -> None:
    """Neither by an attribute nor by a style; and the policy would forbid it."""
    for node in found.walk():
        for name, value in node.attributes.items():
            assert not name.startswith("on"), f"{node.tag} has {name}"
            assert name != "style", "the policy forbids style attributes"
            if name in LOADING:
                assert (value or "").startswith(("data:image/", "data:,", "#")), f"{name}={value}"
    style, (script,) = found.one("style").text, found.all("script")
    assert "url(" not in style
    assert "@import" not in style
    assert not script.attributes
    policy = found.all("meta")[1].attributes
    assert policy["http-equiv"] == "Content-Security-Policy"
    rules = dict(rule.strip().split(" ", 1) for rule in str(policy["content"]).split(";"))
    assert rules == {
        "default-src": "'none'",
        "img-src": "data:",
        "style-src": f"'{digest(style)}'",
        "script-src": f"'{digest(script.text)}'",
        "base-uri": "'none'",
        "form-action": "'none'",
    }


def assert_accessible(found: Node) -> None:
    ids = [node.attributes["id"] for node in found.walk() if "id" in node.attributes]
    assert len(set(ids)) == len(ids)
    for link in found.all("a"):
        assert str(link.attributes["href"]).removeprefix("#") in ids
    for node in found.walk():
        labels = str(node.attributes.get("aria-labelledby", "")).split()
        assert set(labels) <= set(ids)
    assert all(image.attributes.get("alt") for image in found.all("img"))
    hidden = {n for node in found.walk() if "aria-hidden" in node.attributes for n in node.walk()}
    for svg in found.all("svg"):
        assert svg in hidden or svg.attributes.get("aria-label")
    for head in found.all("th"):
        assert head.attributes["scope"] in ("row", "col")
    levels = [int(n.tag[1]) for n in found.walk() if re.fullmatch("h[1-6]", n.tag)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in itertools.pairwise(levels))
    assert found.one("html").attributes["lang"] == "en"


@pytest.fixture
def report(runs) -> Report:
    good = {FID: 1.0, "modes": 8.0, "cond-accuracy": "the generator is not told a class"}
    good |= {SPEED: 1000.0}
    worse = {**good, FID: 2.0, SPEED: 1234.0}
    return Report.of(
        runs.write(
            {
                REAL: [runs.reference({FID: 0.001, "modes": 8.0})],
                BCE: [runs.result(good), runs.result({**good, FID: 1.5})],
                LSGAN: [runs.result(worse), runs.lost("failed", "a | b <script>\nline two")],
            }
        )
    )


def folder_of(report: Report, label: str, seed: int = 0) -> Path:
    (found,) = [
        o.directory
        for o in report.outcomes
        if (o.trial.subject.label, o.trial.seed) == (label, seed)
    ]
    return found


def rows_of(found: Node, body: str) -> list[list[str]]:
    return [[cell.text for cell in row.children] for row in found.one("tbody", body).all("tr")]


def test_table_has_what_other_reporters_have(report, tmp_path):
    found = page(report, tmp_path).section("results")
    heads = [
        head.text.replace("\N{NO-BREAK SPACE}", " ") for head in found.all("thead")[0].all("th")
    ]
    assert heads[:4] == ["loss", "seeds", f"{FID} ↓", "modes ↑"]
    assert heads[-1] == "status"
    assert found.one("caption").text == "All with conditioning none, architecture mlp."
    ((label, seeds, fid, modes, *_),) = rows_of(found, "references")
    assert (label, seeds, fid, modes) == (REAL, "", "0.001", "8")
    bce, lsgan = rows_of(found, "cells")
    assert bce[:4] == ["bce", "2", "1.250 ± 0.250", "8.0 ± 0.0"]
    assert lsgan[:3] == ["lsgan", "1 (1 failed)", "2.000"]
    assert lsgan[-1] == "ok, failed"
    (best,) = [td for td in found.all("td", "best") if td.text.startswith("1.250")]
    assert best.one("b").text == "1.250 ± 0.250"
    assert "bold: the best" in found.text


def test_heads_sort_by_numbers_in_full(report, tmp_path):
    values = dict(report.table.rows[1].values)
    values[FID] = replace(values[FID], mean=1.23456789, error=None)
    rows = (report.table.rows[0], replace(report.table.rows[1], values=values))
    found = page(replace(report, table=replace(report.table, rows=rows)), tmp_path)
    heads = found.one("thead").all("th")
    assert {head.attributes["aria-sort"] for head in heads} == {"none"}
    firsts = [head.one("button").attributes["data-first"] for head in heads]
    assert firsts[:6] == ["text", "text", "text", "max", "min", "max"]
    fid = found.one("tbody", "cells").all("td")[3]
    assert (fid.text, fid.attributes["data-v"]) == ("1.235", "1.23456789")


def test_missing_values_have_no_key_and_their_reason(report, tmp_path):
    rows = tuple(
        replace(row, values={**row.values, "modes": Summary(None, None, 0, reason="none")})
        for row in report.table.rows
    )
    found = page(replace(report, table=replace(report.table, rows=rows)), tmp_path)
    missing = [td for td in found.one("tbody", "cells").all("td") if td.text == "—"]
    assert len(missing) == 2
    assert all("data-v" not in td.attributes for td in missing)
    assert {td.attributes["title"] for td in missing} == {"none"}


def test_ties_are_marked_and_explained(runs, tmp_path):
    results = {
        BCE: [runs.result({FID: v}) for v in (1.0, 2.0)],
        LSGAN: [runs.result({FID: v}) for v in (1.1, 2.1)],
        "wgan-gp/none/mlp": [runs.result({FID: v}) for v in (8.0, 9.0)],
    }
    run = runs.write(results, runs.TEXT.replace("lsgan", "lsgan, wgan-gp"))
    found = page(Report.of(run), tmp_path).section("results")
    assert [td.text[:2] for td in found.all("td", "tied")] == ["≈ ", "≈ "]
    assert found.text.count("tied with the best within the standard errors of both") == 1


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


def test_failures_are_told_once_with_the_end_of_a_log(runs, tmp_path):
    lost = [runs.lost("failed", f"step {i} of {BCE} exploded <b>") for i in range(3)]
    run = runs.write({BCE: lost, LSGAN: [runs.lost("diverged", "D's loss is nan")]})
    report = Report.of(run)
    log = "".join(f"line {i}\n" for i in range(1000)) + "\x1b[31mred\x1b[0m </pre><script>\xff"
    (folder_of(report, BCE) / "worker.log").write_text(log, "latin-1")
    found = page(report, tmp_path)
    failed, diverged = found.section("failures").all("article")
    assert failed.one("h3").text == f"failed · {BCE}, seeds 0, 1, 2"
    assert failed.one("p").text == f"The first: step 0 of {BCE} exploded <b>"
    lines = failed.one("pre").text.splitlines()
    assert lines[-1] == "red </pre><script>\N{REPLACEMENT CHARACTER}"
    assert lines[0] == "line 986"
    assert diverged.one("h3").text == f"diverged · {LSGAN}, seed 0"
    assert not diverged.all("pre")
    assert "3 failed, 1 diverged" in found.one("header").text
    assert "exploded" not in found.section("results").text


@pytest.mark.parametrize("size", [(578, 578), (2000, 1500)])
@pytest.mark.parametrize("mode", ["L", "RGB"])
def test_pictures_are_inside(report, tmp_path, size, mode):
    noise(size, mode).save(folder_of(report, BCE) / "samples.png")
    found = page(report, tmp_path).section("cells")
    (image,) = found.all("img")
    assert image.attributes["alt"] == f"Samples of {BCE}, seed 0"
    inside = decoded(image)
    assert max(inside.size) <= 720
    shown = (int(image.attributes["width"] or 0), int(image.attributes["height"] or 0))
    assert inside.size == shown
    assert inside.width / inside.height == pytest.approx(size[0] / size[1], rel=0.01)


def test_small_pictures_are_taken_as_they_are(report, tmp_path):
    path = folder_of(report, BCE) / "samples.png"
    Image.new("P", (30, 20), 3).save(path)
    (image,) = page(report, tmp_path).section("cells").all("img")
    assert content_of(image) == path.read_bytes()


@pytest.mark.parametrize("has_webp", [True, False])
def test_films_keep_their_ends_and_become_small(report, tmp_path, monkeypatch, has_webp):
    if has_webp and not features.check("webp"):
        pytest.skip("this Pillow was built without WebP")
    monkeypatch.setattr(features, "check", lambda feature: has_webp)
    frames = [noise((500, 400), "RGB", seed=i) for i in range(14)]
    frames[-1] = Image.new("RGB", (500, 400), "red")
    path = folder_of(report, BCE) / "progress.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)
    cells = page(report, tmp_path).section("cells")
    (image,) = cells.all("img")
    film = decoded(image)
    assert len(content_of(image)) <= pictures.FILM_BYTES
    assert 2 <= film.n_frames <= 12
    film.seek(film.n_frames - 1)
    assert film.convert("RGB").getpixel((10, 10)) == pytest.approx((255, 0, 0), abs=16)
    assert image in list(cells.one("details", "film").walk())  # which is closed: nothing moves


@pytest.mark.parametrize("content", [b"", b"no picture", b"\x89PNG\r\n\x1a\n" + b"\0" * 50, "cut"])
def test_pictures_that_cannot_be_read_are_counted(report, tmp_path, content):
    if content == "cut":
        file = io.BytesIO()
        noise((300, 300), "L").save(file, "PNG")
        content = file.getvalue()[:-5000]
    (folder_of(report, BCE) / "samples.png").write_bytes(content)
    (folder_of(report, BCE) / "metrics.jsonl").write_text(windows(3))
    found = page(report, tmp_path).section("cells")
    assert not found.all("img")
    assert "1 pictures cannot be read" in found.text


def test_the_page_stays_small_and_says_what_is_left_out(report, tmp_path, monkeypatch):
    for label in (BCE, LSGAN):
        for seed in (0, 1):
            folder = folder_of(report, label, seed)
            folder.mkdir(exist_ok=True)
            noise((720, 720), "RGB", seed=seed).save(folder / "samples.png")
            noise((720, 720), "RGB", seed=seed + 2).save(folder / "nearest.png")
    every = page(report, tmp_path)
    assert len(every.all("img")) == 8
    assert "left out" not in every.section("cells").text
    monkeypatch.setattr(html, "MOST_BYTES", 3_000_000)
    few = page(report, tmp_path)
    shown = len(few.all("img"))
    assert 2 <= shown < 8
    assert f"{8 - shown} pictures were left out" in few.section("cells").text
    assert (tmp_path / "report.html").stat().st_size <= 3e6
    alts = [str(image.attributes["alt"]) for image in few.all("img")]
    assert {f"Samples of {BCE}, seed 0", f"Samples of {LSGAN}, seed 0"} <= set(alts)


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
    values = [{"kimg": k, "values": {FID: 10.0 / k}} for k in (1, 2, 4)]
    (outcome,) = [o for o in report.outcomes if o.directory == folder_of(report, BCE)]
    outcome.result["probes"] = values
    (chart,) = page(report, tmp_path).section("cells").all("figure", "curve")
    assert chart.one("b").text == f"{FID} on the way"


def test_long_and_wild_curves_are_thinned_and_cut(tmp_path):
    lines = []
    for i in range(20_000):
        value = {500: 1e30, 501: math.nan, 502: math.inf}.get(i, math.sin(i / 1000))
        lines.append(json.dumps({"kimg": i / 10, "d_terms": {"real": value}, "g_terms": {}}))
    (tmp_path / "metrics.jsonl").write_text("\n".join([*lines, "7", "[1]", '{"kimg": null}', "{"]))
    (chart,) = curves.charts(tmp_path, {})
    drawn = parsed(curves.picture(chart))
    (line,) = drawn.all("polyline")
    assert len(str(line.attributes["points"]).split()) <= curves.MOST_POINTS
    assert drawn.one("span", "high").text in ("0.999", "1")
    spiky = {"real": [(float(i), 1e30 if i == 7 else float(i % 2)) for i in range(100)]}
    drawn = parsed(curves.picture(curves.Chart("D's loss", spiky)))
    assert drawn.one("span", "high").text == "1"
    assert drawn.one("span", "hint").text == "spikes cut"


def test_curves_png_stands_in_where_there_are_no_windows(report, tmp_path):
    folder = folder_of(report, BCE)
    Image.new("L", (40, 40)).save(folder / "curves.png")
    (image,) = page(report, tmp_path).section("cells").all("img")
    assert image.attributes["alt"] == f"Curves of the training of {BCE}, seed 0"
    (folder / "metrics.jsonl").write_text(windows(5))
    assert not page(report, tmp_path).section("cells").all("img")


def test_findings_are_grouped_with_their_remedies(report, tmp_path):
    finding = {"kind": "mode-collapse", "player": "generator", "seen": "2 of 8 modes <i>"}
    odd: list[Any] = [
        {**finding, "remedies": ["packing", "r1"]},
        {**finding, "remedies": "minibatch"},
        *({}, "text", 7, {"kind": None, "seen": [1]}),
    ]
    for outcome in report.outcomes:
        outcome.result["diagnosis"] = odd if outcome.trial.subject.label == BCE else {"kind": 1}
    report.outcomes[-1].result["diagnosis"] = [{"kind": "divergence", "title": "it diverged"}]
    collapse, other, titled = page(report, tmp_path).section("diagnosis").all("article")
    assert collapse.one("h3").text == "Mode collapse (generator)"
    seen, tries = (node.all("li") for node in collapse.all("ul"))
    assert [li.text for li in seen] == [f"bce, seed {s}: 2 of 8 modes <i>" for s in (0, 0, 1, 1)]
    assert [li.text for li in tries] == ["packing", "r1", "minibatch"]
    assert other.one("h3").text == "Finding"
    assert titled.one("h3").text == "It diverged"


def test_what_was_asked_and_provenance(report, tmp_path):
    about = {
        **report.run.about,
        "created": "2026-01-02T03:04:05+00:00",
        "profile": "smoke",
        "overrides": ["training.budget.kimg=20"],
        "provenance": {
            "ganbench": "0.1.0",
            "packages": {"torch": "2.6", "numpy": None},
            "plugins": ["mine 1.0"],
            "argv": ["/usr/lib/ganbench/__main__.py", "run", "a b.yaml"],
            "git": {"ganbench": {"commit": "c0ffee", "dirty": True}, "benchmark": None},
        },
        "data": {"ring": {"sha256": "abcd", "num_images": 1234}},
    }
    run = replace(report.run, about=about)
    (run.directory / "config.source.yaml").write_text(
        "# why <not>\nname: bench\nlist:\n  - x: '#'\n"
    )
    (run.directory / "config.resolved.yaml").write_text("description: two <losses>\n")
    report.outcomes[0].result["protocols"] = {"aaaa1111": {"metric": "fid", "path": "</pre>"}}
    found = page(replace(report, run=run), tmp_path)
    assert found.one("p", "description").text == "two <losses>"
    assert "2026-01-02 03:04 UTC" in found.one("header").text
    asked = found.section("asked")
    assert asked.one("pre").text == "# why <not>\nname: bench\nlist:\n  - x: '#'\n"
    facts = {d.one("dt").text: d.one("dd").text for d in asked.one("dl").all("div")}
    assert facts["command"] == "ganbench run 'a b.yaml'"
    assert (facts["profile"], facts["changed"]) == ("smoke", "training.budget.kimg=20")
    assert (facts["seeds"], facts["threads"], facts["device"]) == ("0, 1", "1", "cpu (A Processor)")
    provenance = found.section("provenance")
    facts = {d.one("dt").text: d.one("dd").text for d in provenance.one("dl").all("div")}
    assert facts["packages"] == "torch 2.6"
    assert facts["git: ganbench"] == "c0ffee, with changes"
    assert "git: benchmark" not in facts
    assert facts["data"] == "ring: 1,234 images, SHA-256 abcd"
    (protocol,) = provenance.all("details")
    assert protocol.one("summary").text.startswith("aaaa1111 fid")
    assert json.loads(protocol.one("pre").text) == {"metric": "fid", "path": "</pre>"}


def test_nothing_is_taken_for_markup(report, tmp_path):
    plain = written(report, tmp_path)
    about = {**report.run.about, "profile": HOSTILE, "id": HOSTILE, "created": HOSTILE}
    made = {"plugins": [HOSTILE], "packages": {HOSTILE: HOSTILE}, "argv": [HOSTILE, HOSTILE]}
    about |= {"overrides": [HOSTILE], "provenance": made}
    finding = dict.fromkeys(("kind", "player", "seen"), HOSTILE) | {"remedies": [HOSTILE]}
    plan = replace(report.run.plan, name=HOSTILE)
    run = Run(report.run.directory, about, plan)
    for name in ("config.source.yaml", "config.resolved.yaml"):
        (run.directory / name).write_text(f"description: {json.dumps(HOSTILE)}\n# {HOSTILE}")
    for outcome in report.outcomes:
        outcome.directory.mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(outcome.directory / "samples.png")
        (outcome.directory / "worker.log").write_text(HOSTILE)
        (outcome.directory / "metrics.jsonl").write_text(windows(3, term=HOSTILE))
        outcome.result["diagnosis"] = [finding]
        outcome.result["protocols"] = {HOSTILE: {HOSTILE: HOSTILE}}
        outcome.result["probes"] = [{"kimg": k, "values": {HOSTILE: 1.0}} for k in (1, 2)]
        if outcome.result.get("reason"):
            outcome.result["reason"] = HOSTILE
    column = replace(report.table.columns[0], name=f"{HOSTILE}@x", title=HOSTILE)
    rows = tuple(
        replace(
            row,
            axes={"loss": f"{HOSTILE}{i}({HOSTILE})", "conditioning": HOSTILE, "dataset": HOSTILE},
            status=HOSTILE,
            reasons=(HOSTILE,),
            values={**row.values, column.name: row.values[FID]},
        )
        for i, row in enumerate(report.table.rows)
    )
    columns = (column, *report.table.columns[1:])
    table = replace(report.table, name=HOSTILE, rows=rows, columns=columns, notes=(HOSTILE,))
    found = page(replace(report, run=run, table=table), tmp_path)
    text = (tmp_path / "report.html").read_text("utf-8")
    assert text.count("<script") == plain.count("<script") == 1
    assert "<img src=x" not in text
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f]", text)
    assert len(found.all("img")) == 4
    assert "alert(1)</script>\"'><img src=x" in found.one("h1").text


def test_lone_surrogates_can_be_written(report, tmp_path):
    table = replace(report.table, name="a\ud800b", notes=("\udfff",))
    found = page(replace(report, table=table), tmp_path)
    assert found.one("h1").text == "a?b"


def test_the_same_run_gives_the_same_bytes(report, tmp_path):
    noise((900, 900), "RGB").save(folder_of(report, BCE) / "samples.png")
    (folder_of(report, BCE) / "metrics.jsonl").write_text(windows(50))
    first = written(report, tmp_path)
    assert written(Report.of(report.run), tmp_path) == first


SOME = {FID: 1.0, "modes": 8.0, SPEED: 1000.0}
STATES: dict[str, Mapping[str, Sequence[Mapping[str, float] | str | None]]] = {
    "one cell": {BCE: [SOME]},
    "half finished": {REAL: [SOME], BCE: [SOME, None], LSGAN: [None, None]},
    "nothing finished": {BCE: [None], LSGAN: [None]},
    "all failed": {BCE: ["failed"], LSGAN: ["timeout"]},
    "no quality": {BCE: [{SPEED: 1000.0}], LSGAN: [{SPEED: 900.0}]},
    "no throughput": {BCE: [{FID: 1.0}], LSGAN: [{FID: 2.0}]},
    "no metric": {BCE: [{}], LSGAN: [{}]},
    "equal values": {BCE: [SOME, SOME], LSGAN: [SOME, SOME]},
    "zero and below": {BCE: [{FID: 0.0, SPEED: 0.0}], LSGAN: [{FID: -1.0, SPEED: 1e9}]},
    "huge": {BCE: [{FID: 1e300}, {FID: 1.0}], LSGAN: [{FID: 1e-300}]},
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_of_a_run_has_a_page(runs, tmp_path, state):
    def result(label: str, found: Mapping[str, float] | str | None) -> dict[str, Any] | None:
        if isinstance(found, str):
            return runs.lost(found, "why")
        if found is None:
            return None
        known = {k: v for k, v in found.items() if label != REAL or k != SPEED}
        return runs.reference(known) if label == REAL else runs.result(known)

    results = {label: [result(label, f) for f in found] for label, found in STATES[state].items()}
    report = Report.of(runs.write(results))
    found = page(report, tmp_path)
    assert found.one("h1").text == "bench"
    is_measured = state not in ("nothing finished", "all failed", "no quality", "no metric")
    assert ("spread" in sections(found)) == is_measured
    assert "asked" in sections(found)


def test_a_run_of_no_trials_has_a_page(runs, tmp_path):
    run = runs.write({BCE: [None]})
    empty = replace(run, plan=replace(run.plan, cells=(), references=()))
    found = page(Report.of(empty), tmp_path)
    assert "The run has no trials." in found.section("results").text
    references = replace(run, plan=replace(run.plan, cells=()))
    (row,) = rows_of(page(Report.of(references), tmp_path), "references")
    assert row[0] == REAL


def test_results_of_strange_shapes_do_no_harm(report, tmp_path):
    for outcome in report.outcomes:
        outcome.result.update(probes=None, protocols=[], diagnosis=None, seconds=None)
    about = {**report.run.about, "provenance": None, "machine": {}, "data": [], "execution": {}}
    page(replace(report, run=replace(report.run, about=about)), tmp_path)


def large(count: int, seeds: int = 1) -> Report:
    """`count` cells that share nothing but their columns."""
    rng = np.random.default_rng(0)
    folder = Path("nowhere")
    table, run, trial, row = template()
    rows, outcomes = [], []
    for i in range(count):
        axes = {**row.axes, "loss": f"loss-{i}"}
        label = f"loss-{i}/none/mlp"
        values = {
            name: replace(s, mean=float(rng.uniform(1, 9)), mark="")
            for name, s in row.values.items()
        }
        rows.append(replace(row, axes=axes, label=label, values=values))
        cell = replace(trial.cell, axes=axes, label=label)
        for seed in range(seeds):
            one = replace(trial, cell=cell, seed=seed)
            outcomes.append(TrialOutcome(one, folder / one.id, trials.finished()))
    return Report(run, tuple(outcomes), replace(table, rows=tuple(rows)))


def template() -> tuple[Any, ...]:
    with tempfile.TemporaryDirectory() as folder:
        report = trials.report(Path(folder), {"bce": [trials.finished()]})
    return report.table, report.run, report.outcomes[0].trial, report.table.rows[0]


def test_ten_thousand_trials_are_no_trouble(tmp_path):
    report = large(5000, seeds=2)
    started = time.process_time()
    text = written(report, tmp_path)
    assert time.process_time() - started < 5
    assert len(text.encode()) <= 10e6
    found = parsed(text)
    assert len(found.one("tbody", "cells").all("tr")) == 300
    assert len(found.one("template").all("tr")) == 4700
    assert "4,700 more rows" in found.one("noscript").text
    assert all(len(figure.all("li")) <= 41 for figure in found.all("figure", "bars"))
    assert len(found.all("article", "card")) <= 48


def test_more_rows_than_fit_are_in_the_csv(tmp_path, monkeypatch):
    monkeypatch.setattr(summary, "ROOM", 20_000)
    found = page(large(200), tmp_path)
    kept = len(found.one("tbody", "cells").all("tr"))
    assert 10 < kept < 200
    assert f"{200 - kept} more rows are in table.csv" in found.section("results").text


def test_markup_escapes_all_but_itself():
    made = element("td", "<&>", element("b", 'a "quote"'), None, title='"><', hidden=True, id=None)
    assert made == '<td title="&quot;&gt;&lt;" hidden>&lt;&amp;&gt;<b>a &quot;quote&quot;</b></td>'
    assert escaped(made) == made
    assert escaped("a\x00b\x85\n\tc") == "a\ufffdb\ufffd\n\tc"
    assert element("img", alt="") == '<img alt="">'


def test_room_is_taken_in_bytes_and_in_order():
    room = Room(5)
    assert fitting(["é", "abc", "", "x"], room) == (["é", "abc", ""], 1)
    assert fitting(["abcd", "a"], Room(3)) == ([], 2)  # none out of its turn


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


def test_report_prints_or_writes_the_page(report, tmp_path):
    run = str(report.run.directory)
    shown = CliRunner().invoke(cli, ["report", run, "--format", "html"], catch_exceptions=False)
    assert parsed(shown.stdout).one("h1").text == "bench"
    for name in ("a.html", "b.HTM"):
        CliRunner().invoke(cli, ["report", run, "--out", str(tmp_path / name)])
        assert (tmp_path / name).read_text("utf-8") == shown.stdout
    assert not (report.run.directory / "report.html").exists()
    with pytest.raises(ConfigError, match=r"--published has no html form; .*: console, markdown"):
        CliRunner().invoke(
            cli, ["report", run, "--published", "--format", "html"], catch_exceptions=False
        )


def sections(found: Node) -> list[str]:
    return [str(s.attributes.get("id")) for s in found.one("main").all("section")]


def noise(size: tuple[int, int], mode: str, seed: int = 0) -> Image.Image:
    shape = (size[1], size[0]) if mode == "L" else (size[1], size[0], 3)
    return Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, np.uint8))


def content_of(image: Node) -> bytes:
    return base64.b64decode(str(image.attributes["src"]).partition("base64,")[2])


def decoded(image: Node) -> Image.Image:
    found = Image.open(io.BytesIO(content_of(image)))
    assert str(image.attributes["src"]).startswith(f"data:{found.get_format_mimetype()};")
    return found


def windows(
    count: int, term: str = "gradient_penalty", signals: dict[str, float] | None = None
) -> str:
    lines = [
        {
            "kimg": float(i),
            "iteration": i,
            "d_terms": {"real": 1.0 / (i + 1), term: 0.5},
            "g_terms": {"adversarial": float(i % 3)},
            "signals": signals or {},
        }
        for i in range(1, count + 1)
    ]
    return "".join(f"{json.dumps(line)}\n" for line in lines)
