"""Runs are read back as types, by `load_run` too; a damaged run is told by its file and place."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path

import pytest

import ganbench
from ganbench import Execution, Run, RunInfo, Status, Window
from ganbench.errors import RunError
from ganbench.records import run_folder, windows
from ganbench.testing.fixtures import trials


@pytest.fixture
def folder(tmp_path) -> Path:
    """A run with a trial that went well, one that was lost, and one without a result."""
    results = {"bce": [trials.finished(), trials.lost("failed", "why"), None]}
    trials.report(tmp_path, results)
    return tmp_path


def test_load_run_gives_info_plan_outcomes_table_and_frame(folder):
    run = ganbench.load_run(str(folder))
    assert (run.info.id, run.info.execution.threads, run.plan.name) == ("kit-0123456789", 1, "kit")
    assert [o.status for o in run.outcomes] == ["ok", "failed", "unfinished"]
    (row,) = run.table.rows
    assert (row.n, row.failed) == (1, 1)
    frame = run.frame()
    assert list(frame.columns) == list(run_folder.COLUMNS)
    assert set(frame["status"]) == {"ok", "failed", "unfinished"}
    frame["status"] = "changed"
    assert "changed" not in set(run.frame()["status"])


def test_info_of_an_older_ganbench_has_defaults_and_of_a_newer_is_understood(folder):
    path = folder / "run.json"
    path.write_text('{"schema_version": 1, "of tomorrow": [1]}')
    assert Run.read(folder).info == RunInfo()
    Run.read(folder).remember_data({})
    assert json.loads(path.read_text())["of tomorrow"] == [1]


@pytest.mark.parametrize(
    ("file", "change", "says"),
    [
        ("run.json", {"execution": {"jobs": "many"}}, r"run\.json.*execution\.jobs: "),
        ("run.json", {"machine": 7}, r"run\.json.*machine: .*found 7"),
        ("plan.json", {"seeds": "all"}, r"plan\.json.*seeds: .*found 'all'"),
    ],
)
def test_damage_of_the_run_is_told_by_file_and_place(folder, file, change, says):
    path = folder / file
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(RunError, match=says):
        ganbench.load_run(folder)


def test_damage_of_a_trial_costs_that_trial_alone(folder):
    first = ganbench.load_run(folder).outcomes[0]
    (first.directory / "result.json").write_text('{"status": 1}')
    damaged, lost, _ = ganbench.load_run(folder).outcomes
    assert damaged.status is Status.UNFINISHED
    assert f"{first.directory / 'result.json'}: status: " in damaged.reason
    assert lost.status is Status.FAILED


def test_trials_are_told_how_the_run_is_carried_out(folder):
    plan = Run.read(folder).plan
    run = Run(folder, RunInfo(execution=Execution(jobs=2, threads=3, checkpoint=60.0)), plan)
    trial = run.trials[0]
    assert (trial.threads, trial.alone, trial.checkpoint) == (3, False, 60.0)
    trial.write(folder / "trial.json")
    assert run_folder.Trial.read(folder / "trial.json") == trial
    (folder / "trial.json").write_text(json.dumps({**asdict(trial), "seed": 1.5}))
    with pytest.raises(RunError, match=r"trial\.json: seed: expected a whole number, found 1.5"):
        run_folder.Trial.read(folder / "trial.json")


def test_plan_in_which_a_name_was_changed_is_not_the_runs(folder):
    run_folder.write_plan(folder / "plan.json", Run.read(folder).plan)
    assert ganbench.load_run(folder)
    path = folder / "plan.json"
    plan = json.loads(path.read_text())
    plan["cells"][0]["axes"]["loss"] = "another"  # which no id counts
    path.write_text(json.dumps(plan))
    with pytest.raises(RunError, match=r"plan\.json is not the plan that the run was begun with"):
        ganbench.load_run(folder)


@pytest.mark.parametrize("change", [{"cells": []}, {"seeds": []}])
def test_plan_of_nothing_is_told(folder, change):
    path = folder / "plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(RunError, match=r"plan\.json.*expected one or more cells and seeds"):
        ganbench.load_run(folder)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("name: a\ndescription: two words\n", "two words"),
        ("description: [a]\n", ""),
        ("description: &a [x]\nb: &b [*a, *a]\nc: [*b, *b]\n", ""),
        ("[" * 20_000, ""),
        ("description: \x00", ""),
        ("name: a\ndescription: two\n  words\nseeds: [0]\nb: [", "two words"),
        ("description: 'it''s\n\n  two'\nname: a\n", "it's\ntwo"),
        ("description: " + "[" * 20_000, ""),
        ("description:\n  a: " + "[" * 20_000, ""),
        ("description: *a\n", ""),
        ("- description\n", ""),
        ("", ""),
    ],
    ids=range(12),
)
def test_description_is_text_or_nothing(folder, text, says):
    (folder / "config.resolved.yaml").write_text(text)
    assert Run.read(folder).description == says


def test_windows_are_those_that_are_whole(folder):
    outcome = ganbench.load_run(folder).outcomes[0]
    window = Window(1.0, 10, 1.0, 1000.0, 10.0, {"a": 1.0}, {})
    whole = json.dumps(asdict(window))
    path = outcome.directory / "metrics.jsonl"
    path.write_text("\n".join([whole, "7", whole.replace("1.0,", "NaN,"), whole, whole[:20]]))
    assert outcome.windows == (window, window)
    assert windows.last(path) == window
    path.unlink()
    assert (outcome.windows, windows.last(path)) == ((), None)


def test_window_with_another_number_than_was_written_is_left_out(folder):
    outcome = ganbench.load_run(folder).outcomes[0]
    path = outcome.directory / "metrics.jsonl"
    written = [Window(kimg, 10, 1.0, 1000.0, 10.0, {"a": 0.1 + 0.2}, {}) for kimg in (1.0, 2.0)]
    for window in written:
        windows.append(path, window)
    assert outcome.windows == tuple(written)
    path.write_text(path.read_text().replace('"kimg": 2.0', '"kimg": 9.0'))
    assert outcome.windows == (written[0],)
    assert windows.last(path) == written[0]
