"""`ganbench report`: the table again in any format, and beside published numbers."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from helpers import tiny

from ganbench import Column
from ganbench.cli import cli
from ganbench.errors import ConfigError, NothingSelected, RunError

BCE, LSGAN, REAL = "bce/none/mlp", "lsgan/none/mlp", "real test set (ring)"
RING8 = "[ring8/pacgan]"


def report(*arguments: object) -> Result:
    return CliRunner().invoke(cli, ["report", *map(str, arguments)], catch_exceptions=False)


def text(*arguments: object) -> str:
    done = report(*arguments)
    assert done.exit_code == 0, done.output
    return done.stdout


@pytest.fixture
def run(runs: Any) -> Path:
    """Two seeds of two losses on the ring, judged in PacGAN's way."""
    names = [f"{kind}{RING8}" for kind in ("modes", "reverse-kl", "high-quality")]
    runs.COLUMNS = runs.COLUMNS | {name: Column(name, "", "max", 2) for name in names}
    protocol = {"metric": "mode-coverage", "version": 1, "num_samples": 2500}

    def result(*values: float) -> dict[str, Any]:
        found = runs.result(dict(zip(names, values, strict=True)))
        return {**found, "protocols": {"aaaa1111": protocol}}

    bce = [result(7.0, 0.5, 0.95), result(6.0, 0.7, 0.97)]
    runs.write({BCE: bce, LSGAN: [result(3.0, 1.5, 0.5)] * 2})
    return runs.folder


def test_console_is_what_show_prints(run):
    shown = CliRunner().invoke(cli, ["show", str(run)]).stdout
    assert text(run) == text(run, "--format", "console") == shown
    assert BCE.split("/")[0] in shown


def test_formats_are_those_of_the_files(run):
    before = sorted(run.rglob("*"))
    assert text(run, "--format", "markdown").startswith("# bench\n\n| loss |")
    rows = list(csv.DictReader(io.StringIO(text(run, "--format", "csv"))))
    assert [row["label"] for row in rows] == [REAL, BCE, LSGAN]
    table = json.loads(text(run, "--format", "json"))
    assert [row["label"] for row in table["rows"]] == [REAL, BCE, LSGAN]
    assert sorted(run.rglob("*")) == before  # nothing is written into the run


@pytest.mark.parametrize("arguments", [[], ["--published"]])
@pytest.mark.parametrize(
    ("name", "start"), [("t.md", "# bench"), ("t.JSON", "{"), ("t.txt", "bench: q|ring: modes")]
)
def test_out_writes_a_file_in_the_format_of_its_ending(run, tmp_path, name, start, arguments):
    assert text(run, *arguments, "--out", tmp_path / name) == ""
    written = (tmp_path / name).read_text("utf-8")
    assert written.startswith(tuple(start.split("|")))


def test_json_is_a_format_too(run):
    assert text(run, "--json") == text(run, "--format", "json")
    with pytest.raises(ConfigError, match="--json and --format csv exclude each other"):
        text(run, "--json", "--format", "csv")


def test_format_wins_over_the_ending(run, tmp_path):
    text(run, "--format", "csv", "--out", tmp_path / "t.md")
    assert (tmp_path / "t.md").read_text("utf-8").startswith("label,")


def test_out_that_cannot_be_written_is_a_sentence(run, tmp_path):
    with pytest.raises(RunError, match=r"--out .*nowhere/t.md: cannot be written: no such file"):
        report(run, "--out", tmp_path / "nowhere" / "t.md")


def test_published_numbers_stand_beside_ours(run):
    pairs = json.loads(text(run, "--published", "--format", "json"))["published"]
    (gan,) = [
        p
        for p in pairs
        if (p["metric"], p["published_model"]) == (f"modes{RING8}", "GAN")
        and p["where"] == "Table 1, ring"
    ]
    assert (gan["row"], gan["mean"], gan["standard_error"], gan["n"]) == (BCE, 6.5, 0.5, 2)
    assert (gan["published_value"], gan["published_spread"], gan["published_n"]) == (6.3, 0.5, 10)
    assert gan["published_spread_kind"] == "standard error over training runs"
    assert (gan["authors"][0], gan["year"]) == ("Lin", 2018)
    assert gan["same_protocol"] is False
    assert "architecture mlp vs pacgan-mlp" in gan["differences"]
    assert not any(d.startswith(("samples", "definition")) for d in gan["differences"])
    models = {p["published_model"]: p["row"] for p in pairs if p["metric"] == f"modes{RING8}"}
    assert models["PacGAN2"] is None
    assert LSGAN not in models.values()  # nobody has published it on the ring


def test_comparison_names_no_winner(run):
    for style in ("console", "markdown", "csv", "json"):
        shown = text(run, "--published", "--format", style)
        assert [mark for mark in ("↑", "↓", "≈", "**", "better") if mark in shown] == []
        assert "6.3" in shown


def test_markdown_is_whole(run):
    shown = text(run, "--published", "--format", "markdown")
    assert shown.startswith("# bench beside published numbers\n\n## ring: modes[ring8/pacgan]")
    rows = [line for line in shown.splitlines() if line.startswith("|")]
    assert {row.count(" | ") for row in rows} == {7}
    (gan,) = [row for row in rows if "| 6.3 ± 0.5 |" in row]
    assert gan.startswith(
        f"| {BCE} | 6.50 ± 0.50 | 2 | GAN | 6.3 ± 0.5 | s.e., 10 runs | Lin et al., "
    )
    assert "differs: architecture mlp vs pacgan-mlp; budget in kimg 1 vs 40,000; " in gan
    assert "unknown: choice of weights" in gan
    assert "PacGAN: The Power of Two Samples" in shown
    assert "so no row has a winner" in shown


def test_console_says_below_what_differs(run):
    shown = text(run, "--published")
    assert max(map(len, shown.splitlines())) <= 140
    assert "│ differs (1)" in shown
    assert "(1) differs: architecture mlp vs pacgan-mlp" in shown
    assert "\x1b" not in shown


def test_csv_is_one_line_a_pair(run):
    rows = list(csv.DictReader(io.StringIO(text(run, "--published", "--format", "csv"))))
    pairs = json.loads(text(run, "--published", "--format", "json"))["published"]
    assert len(rows) == len(pairs)
    assert rows[0].keys() == pairs[0].keys()
    assert "; " in rows[0]["differences"]


def test_same_protocol_is_said(run, monkeypatch):
    from ganbench.reports.published.comparison import Pair

    monkeypatch.setattr(Pair, "same", True)
    assert "same protocol" in text(run, "--published")
    assert "differs" not in text(run, "--published").partition("Numbers of")[0]


def test_nothing_published_says_what_there_is(runs):
    runs.COLUMNS = runs.COLUMNS | {"odd": Column("odd")}
    runs.write({BCE: [runs.result({"odd": 1.0})], LSGAN: [runs.result({"odd": 2.0})]})
    with pytest.raises(NothingSelected) as found:
        report(runs.folder, "--published")
    message = str(found.value)
    assert "nothing published corresponds to it; it has ring with odd" in message
    assert "\n  ring: modes, high-quality, reverse-kl" in message
    assert "\n  mnist: " in message


def test_exit_codes(runs, run, tmp_path):
    missing = tiny.ganbench("report", "missing", cwd=tmp_path)
    assert (missing.returncode, "not a run of ganbench" in missing.stderr) == (2, True)
    assert report(run, "--format", "pdf").exit_code == 2
    for result in run.glob("trials/*/result.json"):
        result.unlink()
    nothing = tiny.ganbench("report", run, "--published", cwd=tmp_path)
    assert (nothing.returncode, nothing.stdout) == (5, "")
    assert nothing.stderr.startswith(f"error: {run}: nothing published corresponds to it")
