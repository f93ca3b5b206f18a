"""The static leaderboard: what it shows, what hostile names cannot do, and how large it is."""

from __future__ import annotations

import hashlib
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers import many_runs
from helpers.many_runs import write
from PIL import Image

from ganbench.archive import merge
from ganbench.archive.boards import boards
from ganbench.errors import RunError
from ganbench.reports.site import markup, pages
from ganbench.testing.fixtures import trials

HOSTILE = "<script>alert(1)</script>\"'&../../etc/passwd\x00\u202e"


def made(folder: Path, out: Path) -> dict[str, str]:
    """The site of the runs in a folder: its pages by their path."""
    runs, damaged = merge.read([folder])
    found, left_out = boards(runs)
    pages.write(out, found, runs, [*damaged, *left_out])
    return {p.relative_to(out).as_posix(): p.read_text("utf-8") for p in out.rglob("*.html")}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two data sets, two people, and one who judged by another protocol."""
    values = {"bce": {0: 1.0, 1: 1.1, 2: 1.2, 3: 1.3}, "lsgan": {0: 5.0, 1: 5.1, 2: 5.2, 3: 5.3}}
    runs = tmp_path / "runs"
    write(runs / "a", {v: {s: x for s, x in f.items() if s < 2} for v, f in values.items()})
    write(runs / "b", {v: {s: x for s, x in f.items() if s > 1} for v, f in values.items()})
    write(runs / "c", values, dataset="grid", data="11")
    other = {**many_runs.PROTOCOL, "num_samples": 50}
    write(runs / "d", {v: {9: 2.0} for v in values}, protocol=other)
    return runs


def test_there_is_a_board_for_each_data_set_and_protocol(folder, tmp_path):
    found = made(folder, tmp_path / "site")
    index = found["index.html"]
    for name in ("ring, protocol 1", "ring, protocol 2", "grid"):
        assert f">{name}</a>" in index
    assert len([path for path in found if path.startswith("boards/")]) == 3
    (board,) = [text for path, text in found.items() if path.startswith("boards/ring-protocol-1")]
    assert "bce beats lsgan" in board
    assert "Merged of 2 runs: kit-a (4 trials), kit-b (4 trials)." in board
    assert 'class="best">1.150</span>' in board or "1.150" in board
    (variant,) = [text for path, text in found.items() if path.startswith("variants/bce-none-mlp")]
    assert variant.count("<h2>") == 3  # of each board that it is on
    assert "kit-a" in variant


def test_links_lead_to_files_and_pages_load_nothing(folder, tmp_path):
    site = tmp_path / "site"
    for path, text in made(folder, site).items():
        assert text.startswith("<!doctype html>\n<html lang")
        assert "default-src &#39;none&#39;" in text
        assert "<script" not in text
        for target in re.findall(r'(?:href|src)="([^"]+)"', text):
            assert (site / path).parent.joinpath(target).resolve().is_file(), (path, target)


class Tags(HTMLParser):
    """What a browser takes for elements and attributes."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[str] = set()
        self.attributes: set[str] = set()

    def handle_starttag(self, tag, attrs):
        self.seen.add(tag)
        self.attributes |= {name for name, _ in attrs}


def test_hostile_names_are_text_and_lead_nowhere(tmp_path):
    runs = tmp_path / "runs"
    run = write(
        runs / "a",
        {HOSTILE: {0: 1.0, 1: trials.lost("failed", HOSTILE)}, "bce": {0: 2.0}},
        dataset=f"ring{HOSTILE}",
        device=HOSTILE,
        axes={"note": HOSTILE},
    )
    for trial in run.directory.glob("trials/*"):
        (trial / "samples.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"x" * 100)
    site = tmp_path / "site"
    for path, text in made(runs, site).items():
        tags = Tags()
        tags.feed(text)
        assert not {"script", "iframe", "object", "base", "form"} & tags.seen, path
        assert not {name for name in tags.attributes if name.startswith("on")}
        assert "\x00" not in text
        assert "\u202e" not in text
    outside = {p for p in tmp_path.rglob("*") if p.is_file()}
    assert all(p.is_relative_to(site) or p.is_relative_to(runs) for p in outside)
    names = [p.name for p in site.rglob("*") if p.is_file()]
    assert all(re.fullmatch(r"[A-Za-z0-9.-]+", name) for name in names)


def test_sources_that_came_with_a_run_are_pages_of_text(tmp_path):
    source = f"# {HOSTILE}\n</pre><script>alert(1)</script>\nraise SystemExit('it was run')\n"
    run = write(tmp_path / "runs" / "a", {"bce": {0: 1.0}})
    (run.directory / "plugins").mkdir()
    content = source.encode("utf-8", "replace")
    (run.directory / "plugins" / "mine.py").write_bytes(content)
    site = tmp_path / "site"
    found = made(tmp_path / "runs", site)
    (path,) = [path for path in found if path.startswith("sources/")]
    assert f'href="{path}"' in found["index.html"]
    tags = Tags()
    tags.feed(found[path])
    assert "script" not in tags.seen
    assert hashlib.sha256(content).hexdigest() in found[path]
    assert "raise SystemExit" in found[path]
    assert "cells call it mine.py sha256:" in found[path]


def test_pictures_are_written_anew(tmp_path):
    run = write(tmp_path / "runs" / "a", {"bce": {0: 1.0}, "lsgan": {0: 2.0}})
    for trial in run.directory.glob("trials/*"):
        Image.new("RGB", (2000, 10)).save(trial / "samples.png")
        with (trial / "samples.png").open("ab") as file:
            file.write(b"<script>")
    made(tmp_path / "runs", tmp_path / "site")
    shown = list((tmp_path / "site" / "pictures").glob("*.png"))
    assert len(shown) == 2
    for path in shown:
        assert b"<script>" not in path.read_bytes()
        with Image.open(path) as picture:
            assert max(picture.size) <= pages.SIDE


def test_a_damaged_run_costs_its_own_rows_and_a_sentence(folder, tmp_path):
    (folder / "d" / "plan.json").write_text("{", "utf-8")
    found = made(folder, tmp_path / "site")
    assert "Left out" in found["index.html"]
    assert "plan.json is missing or not whole" in found["index.html"]
    assert len([path for path in found if path.startswith("boards/")]) == 2


def test_many_rows_are_several_pages_and_too_many_are_not_ranked(tmp_path, monkeypatch):
    monkeypatch.setattr(pages, "MOST_ROWS", 60)
    write(tmp_path / "runs" / "a", {f"loss{n}": {0: float(n)} for n in range(130)})
    found = made(tmp_path / "runs", tmp_path / "site")
    parts = [path for path in found if path.startswith("boards/")]
    assert len(parts) == 3
    assert any("130 variants, of whose pairs no test" in text for text in found.values())
    assert max(map(len, found.values())) < 2_000_000


def test_nothing_is_written_over(folder):
    with pytest.raises(RunError, match="is there already"):
        made(folder, folder)


def test_file_names_differ_whatever_the_names_are():
    taken: set[str] = set()
    names = [markup.file_name(name, taken, ".html") for name in ("a", "a", "../a", "", "..", "模")]
    assert len(set(names)) == 6
    assert all(not name.startswith(".") and "/" not in name for name in names)
