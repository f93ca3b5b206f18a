"""`ganbench results`, and several runs in `ganbench report`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers.many_runs import write

from ganbench.cli import cli
from ganbench.errors import ConfigError, RunError


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(
        cli, [*map(str, arguments)], catch_exceptions=False, standalone_mode=False
    )


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    values = {"bce": [1.0, 2.0, 1.5, 1.1], "lsgan": [5.0, 6.0, 5.5, 7.0]}
    for name, seeds in (("a", (0, 1)), ("b", (2, 3))):
        write(tmp_path / name, {v: {s: found[s] for s in seeds} for v, found in values.items()})
    return tmp_path / "a", tmp_path / "b"


def test_merge_writes_a_run_that_the_other_commands_read(two, tmp_path):
    out = tmp_path / "all"
    done = invoke("results", "merge", *two, "--out", out)
    assert done.exit_code == 0, done.output
    assert "Merged of 2 runs" in done.stdout
    names = {"run.json", "plan.json", "results.csv", "table.md", "table.csv", "table.json"}
    assert names | {"report.html"} <= {path.name for path in out.iterdir()}
    shown = json.loads(invoke("show", out, "--json").stdout)
    assert [row["n"] for row in shown["rows"]] == [4, 4]
    listed = {
        run["name"]: run["trials"] for run in json.loads(invoke("list", out, "--json").stdout)
    }
    assert listed == {"kit": {"ok": 8}}
    assert invoke("compare", two[0], out).exit_code in (0, 1)
    assert invoke("export", out, "--to", "openmetrics", "--out", tmp_path / "m.txt").exit_code == 0
    assert invoke("results", "merge", out, two[0], "--out", tmp_path / "again").exit_code == 0


def test_report_shows_several_runs_as_one_and_writes_nothing(two, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    merged = json.loads(invoke("report", *two, "--json").stdout)
    assert [row["n"] for row in merged["rows"]] == [4, 4]
    page = tmp_path / "page.html"
    assert invoke("report", *two, "--out", page).exit_code == 0
    assert "Merged of 2 runs" in page.read_text("utf-8")
    page.unlink()
    assert sorted(tmp_path.rglob("*")) == before


def test_the_page_says_of_each_run_how_many_trials_ran_at_a_time(two, tmp_path):
    about = json.loads((two[0] / "run.json").read_text("utf-8"))
    about["execution"] |= {"jobs": 2, "own_gpus": True, "jobs_reason": "2 of 2 GPUs are free"}
    (two[0] / "run.json").write_text(json.dumps(about), "utf-8")
    page = tmp_path / "page.html"
    assert invoke("report", *two, "--out", page).return_value == 0
    told = "kit-a: 2, each with GPUs of its own, as 2 of 2 GPUs are free\nkit-b: 1"
    assert told in page.read_text("utf-8")


def test_damaged_runs_are_told_on_stderr(two, tmp_path):
    (two[1] / "run.json").write_text("{", "utf-8")
    done = invoke("report", *two)
    assert done.exit_code == 0
    assert done.stderr.startswith(f"warning: left out: {two[1]}: not a run of ganbench: run.json")
    with pytest.raises(RunError, match="not a run"):
        invoke("report", two[1])


def test_rank_prints_ranks_and_ties(two, tmp_path):
    done = invoke("results", "rank", *two)
    assert done.exit_code == 0, done.output
    assert "bce beats lsgan" in done.stdout
    document = json.loads(invoke("results", "rank", *two, "--json").stdout)
    assert [one["variant"] for one in document["variants"]] == ["bce", "lsgan"]
    tied = invoke("results", "rank", two[0]).stdout
    assert "Tied, as no test tells any two of them apart: bce, lsgan." in tied
    assert "can never fall below" in tied


@pytest.mark.parametrize(
    ("name", "start"),
    [("r.md", b"# Ranks: kit"), ("r.json", b"{"), ("d.svg", b"<?xml"), ("d.pdf", b"%PDF")],
)
def test_ranks_and_diagrams_are_files(two, tmp_path, name, start):
    option = "--diagram" if name.startswith("d.") else "--out"
    done = invoke("results", "rank", *two, option, tmp_path / name)
    assert done.exit_code == 0, done.output
    assert (tmp_path / name).read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--out", "r.txt"), "ranks are written as .md or .json"),
        (("--diagram", "d.gif"), "a figure ends in .svg, .pdf, .png"),
        (("--only", "bce"), "expected AXIS=VALUE"),
        (("--profiles", "p.svg"), "no time to a target was measured"),
    ],
)
def test_bad_wishes_are_refused(two, arguments, why):
    with pytest.raises(ConfigError, match=why):
        invoke("results", "rank", *two, *arguments)


def test_submit_shows_what_leaves_and_asks(two, tmp_path):
    shared = tmp_path / "shared"
    done = invoke("results", "submit", two[0], "--to", shared, "--dry-run")
    assert "run.json" in done.stderr
    assert not shared.exists()
    words = ["results", "submit", str(two[0]), "--to", str(shared)]
    assert CliRunner().invoke(cli, words, input="n\n").exit_code == 0
    assert not shared.exists()
    assert json.loads(invoke(*words, "--json").stdout)["written"] is False
    assert not (shared / ".github").exists()
    done = invoke(*words, "--yes")
    assert str(shared / "kit" / "kit-a") in done.stdout
    laid = shared / ".github" / "workflows" / "submissions.yml"
    assert f"{laid}, a workflow that checks each submission" in done.stderr
    assert laid.is_file()
    assert invoke("show", shared / "kit" / "kit-a").exit_code == 0


def test_check_says_whether_a_repository_is_as_it_was_submitted(two, tmp_path):
    shared = tmp_path / "shared"
    for run in two:
        invoke("results", "submit", run, "--to", shared, "--yes")
    done = invoke("results", "check", shared)
    assert (done.return_value, done.stdout) == (0, f"{shared}: 2 submissions, all as submitted\n")
    (shared / "kit" / "kit-b" / "evil.py").write_text("raise SystemExit", "utf-8")
    done = invoke("results", "check", shared, "--json")
    assert done.return_value == 1
    found = json.loads(done.stdout)
    assert len(found["submissions"]) == 2
    assert "evil.py is none of the files of a submission" in found["problems"][0]
    empty = invoke("results", "check", tmp_path / "shared" / ".github")
    assert (empty.return_value, "no submission is in it" in empty.stderr) == (1, True)


def test_site_is_written_of_all_runs_below_a_folder(two, tmp_path):
    site = tmp_path / "site"
    done = invoke("results", "site", *two, "--out", site, "--json")
    document = json.loads(done.stdout)
    assert document["boards"] == 1
    assert len(list(site.rglob("*.html"))) == document["pages"]
    with pytest.raises(RunError, match="is there already"):
        invoke("results", "site", *two, "--out", site)
