"""The page opens anywhere, loads nothing, takes nothing for markup, and stays small."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner
from helpers.pages import (
    BCE,
    FID,
    HOSTILE,
    LSGAN,
    REAL,
    SPEED,
    changed,
    folder_of,
    large,
    noise,
    page,
    parsed,
    rows_of,
    sections,
    windows,
    written,
)
from PIL import Image

import ganbench
from ganbench import DataSeen, Finding, GitState, Probe, Provenance, Report
from ganbench.cli import cli
from ganbench.default_plugins.reporters import html
from ganbench.default_plugins.reporters.html import trials
from ganbench.errors import ConfigError
from ganbench.records.run_folder import Run


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


def test_what_was_asked_and_provenance(report, tmp_path):
    info = replace(
        report.info,
        created="2026-01-02T03:04:05+00:00",
        profile="smoke",
        overrides=("training.budget.kimg=20",),
        provenance=Provenance(
            ganbench="0.1.0",
            packages={"torch": "2.6", "numpy": None},
            plugins=("mine 1.0",),
            argv=("/usr/lib/ganbench/__main__.py", "run", "a b.yaml"),
            git={"ganbench": GitState("c0ffee", dirty=True), "benchmark": None},
        ),
        data={"ring": DataSeen("abcd", 1234)},
    )
    run = replace(report.run, info=info)
    (run.directory / "config.source.yaml").write_text(
        "# why <not>\nname: bench\nlist:\n  - x: '#'\n"
    )
    (run.directory / "config.resolved.yaml").write_text("description: two <losses>\n")
    protocols = {"aaaa1111": {"metric": "fid", "path": "</pre>"}}
    report = changed(report, lambda o: {"protocols": protocols})
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
    scrolled = [asked.one("pre").attributes, protocol.one("pre").attributes]  # by the keyboard too
    assert [found["tabindex"] for found in scrolled] == ["0", "0"]
    assert [found["role"] for found in scrolled] == ["region", "region"]
    assert len({found["aria-label"] for found in scrolled}) == 2


def test_nothing_is_taken_for_markup(report, tmp_path):
    plain = written(report, tmp_path)
    made = Provenance(plugins=(HOSTILE,), packages={HOSTILE: HOSTILE}, argv=(HOSTILE, HOSTILE))
    info = replace(report.info, profile=HOSTILE, id=HOSTILE, created=HOSTILE, provenance=made)
    info = replace(info, overrides=(HOSTILE,))
    plan = replace(report.run.plan, name=HOSTILE)
    run = Run(report.run.directory, info, plan)
    hostile = {
        "diagnosis": (Finding(HOSTILE, HOSTILE, HOSTILE, (HOSTILE,)),),
        "protocols": {HOSTILE: {HOSTILE: HOSTILE}},
        "probes": tuple(Probe(k, k, {HOSTILE: 1.0}) for k in (1, 2)),
    }
    report = changed(report, lambda o: {**hostile, "reason": HOSTILE if o.reason else ""})
    for name in ("config.source.yaml", "config.resolved.yaml"):
        (run.directory / name).write_text(f"description: {json.dumps(HOSTILE)}\n# {HOSTILE}")
    for outcome in report.outcomes:
        outcome.directory.mkdir(exist_ok=True)
        Image.new("L", (8, 8)).save(outcome.directory / "samples.png")
        (outcome.directory / "worker.log").write_text(HOSTILE)
        (outcome.directory / "metrics.jsonl").write_text(windows(3, term=HOSTILE))
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
    assert not re.search(r"[\x00-\x08\x0b\x0c\x0e-\x1f\u202e]", text)
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
        path = outcome.directory / "result.json"
        if path.exists():
            odd = {"probes": None, "protocols": [], "diagnosis": [{}, "text", 7], "seconds": 1}
            path.write_text(json.dumps({**json.loads(path.read_text()), **odd}))
    (report.run.directory / "run.json").write_text('{"schema_version": 1}')
    found = page(ganbench.load_run(report.run.directory), tmp_path)
    assert "result.json: " in found.text
    assert "diagnosis.0.kind" in found.text


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


@pytest.mark.parametrize("limit", [30_000, 100_000, 1_000_000])
def test_no_part_makes_the_page_larger_than_its_limit(report, tmp_path, monkeypatch, limit):
    monkeypatch.setattr(html, "MOST_BYTES", limit)
    crowd = large(2000)
    table = replace(crowd.table, notes=("a note of some length",) * 5000)
    found = page(replace(crowd, table=table), tmp_path)
    assert (tmp_path / "report.html").stat().st_size <= limit
    assert "Left out to keep this file small." in found.one("main").text
    assert sections(found)[0] == "results"


def test_cards_that_take_more_than_was_thought_go_without_pictures(report, tmp_path, monkeypatch):
    noise((400, 400), "RGB").save(folder_of(report, BCE) / "samples.png")
    (folder_of(report, BCE) / "metrics.jsonl").write_text(windows(5))
    monkeypatch.setattr(trials, "CARD_BYTES", -45_000)  # of each of two cells
    monkeypatch.setattr(html, "MOST_BYTES", 120_000)
    cells = page(report, tmp_path).section("cells")
    assert (tmp_path / "report.html").stat().st_size <= 120_000
    assert cells.all("figure", "curve")
    assert not cells.all("img")
    assert "1 picture was left out" in cells.text
