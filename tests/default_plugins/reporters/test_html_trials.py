"""What the page says of single trials: failures, pictures, findings."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import pytest
from helpers.pages import BCE, LSGAN, changed, content_of, decoded, folder_of, noise, page, windows
from PIL import Image, features

from ganbench import Finding, Report, TrialOutcome
from ganbench.default_plugins.reporters.html import pictures


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
    frames = [noise((320, 260), "RGB", seed=i) for i in range(14)]
    frames[-1] = Image.new("RGB", (320, 260), "red")
    path = folder_of(report, BCE) / "progress.gif"
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=40)
    cells = page(report, tmp_path).section("cells")
    (image,) = cells.all("img")
    film = decoded(image)
    assert len(content_of(image)) <= pictures.FILM_BYTES < path.stat().st_size
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
    assert "1 picture was unreadable or too large" in found.text


def test_curves_png_stands_in_where_there_are_no_windows(report, tmp_path):
    folder = folder_of(report, BCE)
    Image.new("L", (40, 40)).save(folder / "curves.png")
    (image,) = page(report, tmp_path).section("cells").all("img")
    assert image.attributes["alt"] == f"Curves of the training of {BCE}, seed 0"
    (folder / "metrics.jsonl").write_text(windows(5))
    assert not page(report, tmp_path).section("cells").all("img")


def test_findings_are_grouped_with_their_remedies(report, tmp_path):
    collapsed = Finding("mode-collapse", "", "2 of 8 modes <i>", ("packing", "r1"))
    twice = (collapsed, replace(collapsed, remedies=("minibatch",)))
    diverged = (Finding("divergence", "it diverged", "", ()),)

    def found(outcome: TrialOutcome) -> dict[str, Any]:
        if outcome is report.outcomes[-1]:
            return {"diagnosis": diverged}
        return {"diagnosis": twice} if outcome.trial.subject.label == BCE else {}

    *both, titled = page(changed(report, found), tmp_path).section("diagnosis").all("article")
    for collapse, remedies in zip(both, (["packing", "r1"], ["minibatch"]), strict=True):
        assert collapse.one("h3").text == "Mode collapse"
        seen, tries = (node.all("li") for node in collapse.all("ul"))
        assert [li.text for li in seen] == [f"bce, seed {s}: 2 of 8 modes <i>" for s in (0, 1)]
        assert [li.text for li in tries] == remedies  # of these trials and of no others
    assert titled.one("h3").text == "It diverged"
