"""What reporters write can be read back, and nothing in it is taken for markup or a formula."""

from __future__ import annotations

import csv
import json
import re
from dataclasses import replace

import pandas as pd
import pytest

from ganbench import Column, Note, Report
from ganbench.default_plugins import reporters
from ganbench.default_plugins.reporters import CSV, JSON, Console, Markdown, markdown
from ganbench.errors import ConfigError
from ganbench.records.run_folder import COLUMNS

FID = "fid@mnist-cnn-v1"
BCE, LSGAN, REAL = "bce/none/mlp", "lsgan/none/mlp", "real test set (ring)"


@pytest.fixture
def report(runs) -> Report:
    good = {FID: 1.0, "modes": 8.0, "cond-accuracy": "the generator is not told a class"}
    worse = {**good, FID: 2.0}
    return Report.of(
        runs.write(
            {
                REAL: [runs.reference({FID: 0.001, "modes": 8.0})],
                BCE: [runs.result(good), runs.result({**good, FID: 1.5})],
                LSGAN: [runs.result(worse), runs.lost("failed", "a | b <script>\nline two")],
            }
        )
    )


def lines_of(text: str) -> list[list[str]]:
    """The cells of each line of a Markdown table."""
    rows = [line for line in text.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in row.strip("|").split(" | ")] for row in rows]


def test_markdown_is_a_table_with_the_reference_first(report, tmp_path):
    Markdown().write(report, tmp_path)
    text = (tmp_path / "table.md").read_text("utf-8")
    assert text.startswith("# bench\n")
    head, rules, *rows = lines_of(text)
    assert {len(line) for line in (head, rules, *rows)} == {len(head)}
    assert head[:6] == ["loss", "conditioning", "architecture", "n", f"{FID} ↓", "modes ↑"]
    assert head[-1] == "status"
    assert rows[0][0] == REAL
    assert rows[1][:6] == ["bce", "none", "mlp", "2", "**1.250 ± 0.250**", "8.0 ± 0.0"]
    assert rows[2][:5] == ["lsgan", "none", "mlp", "1 (1 failed)", "2.000"]
    assert rows[2][-1] == "ok, failed"


def test_markdown_escapes_what_would_break_it(report):
    text = markdown(report.table)
    assert "- lsgan/none/mlp: ok, failed: a \\| b &lt;script> line two\n" in text
    hostile = replace(report.table.rows[1], axes={"loss": "a|b", "conditioning": "<b>"})
    table = replace(report.table, rows=(hostile,), axes=("loss", "x|y"))
    head, _, row = [line for line in markdown(table).splitlines() if line.startswith("|")]
    assert "| x\\|y |" in head
    assert row.startswith("| a\\|b |")


def test_markdown_marks_ties(runs):
    results = {
        BCE: [runs.result({FID: v}) for v in (1.0, 2.0)],
        LSGAN: [runs.result({FID: v}) for v in (1.1, 2.1)],
        "wgan-gp/none/mlp": [runs.result({FID: v}) for v in (8.0, 9.0)],
    }
    run = runs.write(results, runs.TEXT.replace("lsgan", "lsgan, wgan-gp"))
    text = markdown(Report.of(run).table)
    assert text.count("| ≈ ") == 2
    assert "- ≈: tied with the best" in text


def test_csv_has_numbers_in_full(report, tmp_path):
    CSV().write(report, tmp_path)
    frame = pd.read_csv(tmp_path / "table.csv").set_index("label")
    assert list(frame.index) == [REAL, BCE, LSGAN]
    assert frame.loc[BCE, FID] == pytest.approx(1.25)
    assert frame.loc[BCE, f"{FID} standard error"] == pytest.approx(0.25)
    assert pd.isna(frame.loc[LSGAN, f"{FID} standard error"])
    assert (frame.loc[LSGAN, "n"], frame.loc[LSGAN, "failed"]) == (1, 1)


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_csv_defuses_formulas_and_leaves_negative_numbers(report, tmp_path, start):
    values = dict(report.table.rows[1].values)
    values[FID] = replace(values[FID], mean=-0.5, error=None)
    hostile = replace(report.table.rows[1], label=f"{start}SUM(A1)", values=values)
    table = replace(report.table, rows=(hostile,))
    CSV().write(replace(report, table=table), tmp_path)
    with (tmp_path / "table.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row["label"] == f"'{start}SUM(A1)"
    assert float(row[FID]) == -0.5


def test_json_is_strict_and_whole(report, tmp_path):
    JSON().write(report, tmp_path)

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    found = json.loads((tmp_path / "table.json").read_text("utf-8"), parse_constant=refuse)
    reference, bce, lsgan = found["rows"]
    assert (reference["reference"], bce["reference"]) == (True, False)
    assert bce["values"][FID] == {
        "mean": 1.25,
        "standard_error": 0.25,
        "n": 2,
        "protocols": ["aaaa1111"],
        "mark": "best",
        "reason": "",
    }
    assert lsgan["reasons"] == ["a | b <script>\nline two"]
    assert found["notes"] == list(report.table.notes)


def test_json_refuses_nan(report, tmp_path):
    values = {
        name: replace(s, mean=float("nan")) for name, s in report.table.rows[1].values.items()
    }
    table = replace(report.table, rows=(replace(report.table.rows[1], values=values),))
    with pytest.raises(ValueError, match="not JSON compliant"):
        JSON().write(replace(report, table=table), tmp_path)
    assert not (tmp_path / "table.json").exists()


def test_console_shows_quality_then_cost_then_notes(report, tmp_path, capsys):
    Console().write(report, tmp_path)
    shown = capsys.readouterr().out
    assert shown.index("quality") < shown.index(FID) < shown.index("cost") < shown.index("G params")
    assert "1.250 ± 0.250" in shown
    assert "a | b <script>" in shown
    assert "\x1b" not in shown
    assert "\0" not in shown


WIDE = [f"metric-{i}@mnist-cnn-v1" for i in range(12)]


def wide(runs) -> Report:
    """Four reference rows with long names, and more columns than a line holds."""
    runs.COLUMNS = runs.COLUMNS | {name: Column(name, "", "min", 3) for name in WIDE}
    values = {name: float(i) for i, name in enumerate(WIDE)}
    text = f"{runs.TEXT}evaluation: {{controls: [test, train-half, drop-class, memorised]}}\n"
    references = [r.label for r in runs.planned(text).references]
    results = {label: [runs.reference(values)] for label in references}
    results |= {BCE: [runs.result(values)], LSGAN: [runs.result(values)]}
    return Report.of(runs.write(results, text))


def grids(shown: str) -> list[str]:
    """The tables of a terminal."""
    return ["┏" + grid.partition("└")[0] for grid in shown.split("┏")[1:]]


def test_console_has_as_many_tables_as_its_width_takes(runs, tmp_path, capsys):
    Console(columns=["all"]).write(wide(runs), tmp_path)
    shown = capsys.readouterr().out
    *quality, cost = grids(shown)
    assert len(quality) > 1
    assert shown.count("quality (all") == len(quality)
    assert shown.count(", continued") == len(quality) - 1
    assert max(map(len, shown.splitlines())) <= 140
    heads = [re.search(r"metric-\d+(?!\d)", grid) for grid in quality]
    assert all(heads)
    assert [n for grid in quality for n in re.findall(r"metric-\d+", grid)] == [
        name.partition("@")[0] for name in WIDE
    ]
    for grid in quality:
        assert "@mnist-cnn-v1 ↓" in grid
        assert all(word in grid for word in ("bce", "lsgan", "real test set"))
    assert "G params" in cost


def test_console_shows_the_first_columns_that_fit_and_names_the_others(runs, tmp_path, capsys):
    Console().write(wide(runs), tmp_path)
    shown = capsys.readouterr().out
    quality, cost = grids(shown)
    fitting = len(re.findall(r"metric-\d+", quality))
    assert 1 < fitting < len(WIDE)
    told = " ".join(shown.split())
    assert f"… and {len(WIDE) - fitting} columns more: {', '.join(WIDE[fitting:])};" in told
    assert "G params" in cost


@pytest.mark.parametrize("names", [["metric-7", "metric-1@mnist-cnn-v1"], ["G params"]])
def test_console_shows_the_columns_that_are_asked_for(runs, tmp_path, capsys, names):
    Console(columns=names).write(wide(runs), tmp_path)
    (grid,) = grids(capsys.readouterr().out)
    found = re.findall(r"metric-\d+|[GD] params", grid)
    assert found == [name.partition("@")[0] for name in names]


@pytest.mark.parametrize(("names", "told"), [(["fid"], True), (["modes"], False)])
def test_console_tells_of_ties_where_it_shows_some(runs, tmp_path, capsys, names, told):
    results = {
        BCE: [runs.result({"fid@mnist-cnn-v1": 1.0, "modes": 8.0})],
        LSGAN: [runs.result({"fid@mnist-cnn-v1": 1.0, "modes": 7.0})],
    }
    report = Report.of(runs.write(results))
    row = report.table.rows[-1]
    row.values["fid@mnist-cnn-v1"] = replace(row.values["fid@mnist-cnn-v1"], mark="tied")
    table = replace(report.table, notes=(Note("ties", "≈: tied"), "another"))
    Console(columns=names).write(replace(report, table=table), tmp_path)
    shown = capsys.readouterr().out
    assert ("≈: tied" in shown) == told
    assert "another" in shown


def test_column_that_there_is_not_is_told(runs, tmp_path):
    with pytest.raises(ConfigError, match="no column 'metrik-7'; did you mean 'metric-7'"):
        Console(columns=["metric-1", "metrik-7"]).write(wide(runs), tmp_path)


def test_console_rules_off_the_references_once(runs, tmp_path, capsys):
    Console(columns=["all"]).write(wide(runs), tmp_path)
    *quality, _ = grids(capsys.readouterr().out)
    for grid in quality:
        assert grid.count("├") == 1
        above, below = grid.split("├")
        assert "1,000 training images repeated" in above
        assert "bce" not in above
        assert "bce" in below
        assert "lsgan" in below


def test_console_keeps_columns_of_the_same_title_apart(runs, tmp_path, capsys):
    runs.COLUMNS = runs.COLUMNS | {name: Column(name, title="score") for name in ("a", "b")}
    values = {"a": 1.25, "b": 2.5}
    results = {BCE: [runs.result(values)], LSGAN: [runs.result(values)]}
    Console().write(Report.of(runs.write(results)), tmp_path)
    quality, _ = grids(capsys.readouterr().out)
    assert quality.count("score") == 2
    assert "1.25" in quality
    assert "2.50" in quality


def test_console_of_a_narrow_terminal_shows_a_column_at_least(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reporters.console, "PIPE_WIDTH", 20)
    Console(columns=["all"]).write(wide(runs), tmp_path)
    assert len(grids(capsys.readouterr().out)) > len(WIDE)


def test_console_tells_the_status_where_any_is_not_ok(runs, tmp_path, capsys):
    report = wide(runs)
    Console().write(report, tmp_path)
    assert "status" not in capsys.readouterr().out
    *others, last = report.table.rows
    failed = replace(last, status="failed")
    Console().write(replace(report, table=replace(report.table, rows=(*others, failed))), tmp_path)
    shown = capsys.readouterr().out
    assert shown.count(" status ") == 2
    assert shown.count(" failed ") == 2


def test_console_of_a_usual_terminal_shows_several_numbers(runs, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(reporters.console, "PIPE_WIDTH", 80)
    Console().write(wide(runs), tmp_path)
    quality, *_ = grids(capsys.readouterr().out)
    assert max(map(len, quality.splitlines())) <= 80
    assert quality.count("@mnist-cnn-v1") == 3


def test_console_leaves_markup_alone(report, tmp_path, capsys):
    column = replace(report.table.columns[0], title="[red]title[/red]")
    table = replace(report.table, columns=(column,), notes=("note [bold]x[/bold] :smile:",))
    Console().write(replace(report, table=table), tmp_path)
    shown = capsys.readouterr().out
    assert "[red]title[/red]" in shown
    assert "note [bold]x[/bold] :smile:" in shown


def test_nowhere_is_a_bare_fid(report, tmp_path, capsys):
    for reporter in (Console(), Markdown(), CSV(), JSON()):
        reporter.write(report, tmp_path)
    with (tmp_path / "table.csv").open(encoding="utf-8") as file:
        heads = next(csv.reader(file))
    heads += lines_of((tmp_path / "table.md").read_text("utf-8"))[0]
    heads += [c["title"] for c in json.loads((tmp_path / "table.json").read_text())["columns"]]
    distances = [head for head in heads if "fid" in head.lower()]
    assert len(distances) == 4  # two in CSV, with the standard error
    assert all("fid@mnist-cnn-v1" in head for head in distances)
    shown = capsys.readouterr().out.lower()
    comparable = shown.count("inception fid")
    assert shown.count("fid") == shown.count("fid@mnist-cnn-v1") + comparable


def test_records_are_one_line_per_trial_and_number(report):
    frame = report.records
    assert tuple(frame.columns) == COLUMNS
    fid = frame[frame.metric == FID]
    assert list(fid.label) == [REAL, BCE, BCE, LSGAN]
    assert list(fid.value) == [0.001, 1.0, 1.5, 2.0]
    assert set(fid.direction) == {"min"}
    assert list(fid.protocol) == ["bbbb2222", "aaaa1111", "aaaa1111", "aaaa1111"]
    assert not frame.duplicated(["cell", "seed", "metric"]).any()
    kimg = frame[(frame.metric == "kimg") & (frame.label == BCE)]
    assert list(kimg.value) == [1.0, 1.0]


def test_records_of_a_lost_trial_are_one_line_with_the_reason(report):
    frame = report.records
    (lost,) = frame[frame.status == "failed"].to_dict("records")
    assert (lost["label"], lost["seed"], lost["metric"]) == (LSGAN, 1, "")
    assert lost["reason"] == "a | b <script>\nline two"
    assert pd.isna(lost["value"])


def test_records_keep_the_reason_of_a_missing_value(report):
    frame = report.records
    missing = frame[frame.metric == "cond-accuracy"]
    assert missing.value.isna().all()
    assert set(missing.reason) == {"the generator is not told a class"}


def test_console_stops_where_no_one_reads_on(report, tmp_path, capsys):
    *_, last = report.table.rows
    rows = (*report.table.rows, *[last] * 198)
    Console().write(replace(report, table=replace(report.table, rows=rows)), tmp_path)
    assert "… and 1 more: " in capsys.readouterr().out
    Console().write(replace(report, table=replace(report.table, rows=rows[:200])), tmp_path)
    assert " more: " not in capsys.readouterr().out
    assert markdown(replace(report.table, rows=rows)).count("\n| lsgan") == 199
