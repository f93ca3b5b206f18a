"""Baselines are banked only of runs that can be trusted, and read only where they are whole."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers import tiny

from ganbench.cli import cli
from ganbench.errors import BaselineError, RunError
from ganbench.gate import baseline
from ganbench.gate.measurements import Measurements
from ganbench.records.run_folder import Run
from ganbench.records.run_info import GitState
from ganbench.util import files

SHORT = tiny.TINY.replace("execution: {threads: 1}", "execution: {threads: 1, executor: inline}")


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A run of two cells and three seeds."""
    folder = tmp_path_factory.mktemp("finished")
    out = folder / "run"
    arguments = ["run", tiny.write(folder, SHORT), "--quiet", "--seeds", "0-2", "--out", out]
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exit_code == 0, done.output
    return out


@pytest.fixture
def run(finished, tmp_path) -> Run:
    """A copy of it, measured by a clean tree."""
    import shutil

    copy = tmp_path / "run"
    shutil.copytree(finished, copy)
    about = json.loads((copy / "run.json").read_text())
    state = {"commit": "a" * 40, "dirty": False}
    about["provenance"]["git"] = {"ganbench": state, "benchmark": None}
    files.write_json(copy / "run.json", about)
    return Run.read(copy)


@pytest.fixture
def banked(run, tmp_path) -> Path:
    path = tmp_path / "tiny.json"
    baseline.of(run, "the first", min_seeds=3).write(path)
    return path


def invoke(*arguments: object):
    return CliRunner().invoke(cli, [str(a) for a in arguments])


def test_what_is_banked_is_read_back(run, banked):
    found = baseline.read(banked)
    assert found.measurements == Measurements.of(run)
    assert (found.reason, found.source["git"]["ganbench"]["commit"]) == ("the first", "a" * 40)


def test_run_is_unchanged_against_itself(run, banked):
    done = invoke("compare", banked, run.directory, "--gate", "modes")
    assert done.exit_code == 0, done.output
    assert "unchanged" in done.output
    assert "regressed" not in done.output


def test_uncommitted_changes_are_refused(run):
    run.info.provenance.git["ganbench"] = GitState("a" * 40, dirty=True)
    with pytest.raises(BaselineError, match=r"changes \(ganbench\).*commit, and run it"):
        baseline.of(run, "why", min_seeds=3)


def test_failed_trials_are_refused(run):
    (path,) = run.directory.glob("trials/lsgan*-s1/result.json")
    path.write_text('{"status": "failed", "reason": "out of ideas"}')
    with pytest.raises(BaselineError, match=r"not every trial is ok: lsgan.*1 failed.*resume"):
        baseline.of(run, "why", min_seeds=3)


def test_few_seeds_are_refused(run):
    with pytest.raises(BaselineError, match="has 3 seeds, and a baseline needs 10"):
        baseline.of(run, "why")


def test_reason_is_asked_for(run):
    with pytest.raises(BaselineError, match="needs a reason"):
        baseline.of(run, "  ", min_seeds=3)


def spoilt(text: str, how: str) -> str:
    data = json.loads(text)
    cells = data["measurements"]["cells"]
    first = next(iter(cells))
    if how == "cut off":
        return text[: len(text) // 2]
    if how == "NaN":
        return text.replace('"schema_version": 1', '"schema_version": 1, "x": NaN', 1)
    if how == "twice":
        return text.replace('"schema_version": 1', '"schema_version": 1, "schema_version": 1', 1)
    if how == "version":
        data["schema_version"] = 99
    if how == "list":
        data = [data]
    if how == "no cells":
        cells.clear()
    if how == "word for a number":
        next(iter(cells[first]["series"].values()))["values"]["0"] = "many"
    if how == "text for a NaN":
        next(iter(cells[first]["series"].values()))["values"]["0"] = "NaN"
    if how == "too large":
        next(iter(cells[first]["series"].values()))["values"]["0"] = 12345.5
        return json.dumps(data).replace("12345.5", "1e999")
    if how == "too deep":
        return "[" * 100_000
    if how == "a key less":
        del cells[first]["series"]
    return json.dumps(data)


@pytest.mark.parametrize(
    ("how", "says"),
    [
        ("cut off", "not a whole baseline"),
        ("NaN", "NaN is no number of JSON"),
        ("twice", "'schema_version' stands twice"),
        ("version", "of schema version 99, and this ganbench reads 1"),
        ("list", "of schema version null"),
        ("no cells", "it holds no cell"),
        ("word for a number", "edited by hand or cut short"),
        ("a key less", "edited by hand or cut short"),
        ("text for a NaN", "edited by hand or cut short"),
        ("too large", "is no number of JSON"),
        ("too deep", "not a whole baseline"),
    ],
)
def test_damaged_baseline_is_a_sentence_and_exit_code_4(banked, run, how, says):
    banked.write_text(spoilt(banked.read_text(), how))
    with pytest.raises(BaselineError, match=says):
        baseline.read(banked)
    assert tiny.ganbench("compare", banked, run.directory, cwd=banked.parent).returncode == 4


def test_no_baseline_at_all(tmp_path):
    with pytest.raises(BaselineError, match="`ganbench baseline update RUN` writes baselines"):
        baseline.read(tmp_path / "none.json")


def test_file_of_something_else_is_no_baseline(tmp_path):
    (tmp_path / "none.json").write_bytes(b"\xff\xfe")
    with pytest.raises(BaselineError, match="not a whole baseline"):
        baseline.read(tmp_path / "none.json")


def test_baseline_that_was_changed_is_refused_and_one_of_before_is_read(banked):
    data = json.loads(banked.read_text())
    banked.write_text(json.dumps({**data, "reason": "another"}))
    with pytest.raises(BaselineError, match="not as it was banked"):
        baseline.read(banked)
    del data["sha256"]
    banked.write_text(json.dumps({**data, "reason": "another"}))
    assert baseline.read(banked).reason == "another"


def test_directory_that_is_no_run_is_refused(tmp_path, banked):
    with pytest.raises(RunError):
        Run.read(tmp_path)
    done = invoke("compare", banked, tmp_path)
    assert isinstance(done.exception, RunError)


def test_run_without_a_finished_trial_is_never_fine(run, banked):
    for path in run.directory.glob("trials/*/result.json"):
        path.unlink()
    done = tiny.ganbench("compare", banked, run.directory, "--fail-on", "none", cwd=banked.parent)
    assert done.returncode == 3, done.stdout + done.stderr


def test_regression_ends_with_1_and_json_says_why(run, banked):
    def worse(result: dict[str, Any]) -> None:
        for number in result["metrics"]:
            if number["name"] == "fid@pixels":
                number["value"] += 5

    for path in run.directory.glob("trials/*-s*/result.json"):
        tiny.change_result(path, worse)
    data = json.loads(banked.read_text())
    for cell in data["measurements"]["cells"].values():
        values = cell["series"]["fid@pixels"]["values"]
        values |= {str(seed): values["0"] for seed in range(10, 22)}
    del data["sha256"]
    banked.write_text(json.dumps(data))
    done = tiny.ganbench(
        "compare", banked, run.directory, "--gate", "fid@pixels", "--json", cwd=banked.parent
    )
    assert done.returncode == 1, done.stdout
    said = json.loads(done.stdout)
    assert said["exit_code"] == 1
    assert [v["verdict"] for v in said["verdicts"] if v["metric"] == "fid@pixels"] == (
        ["regressed"] * 2
    )


@pytest.mark.parametrize(
    ("arguments", "code", "says"),
    [
        (["--gate", "mods"], 5, "did you mean 'modes'"),
        (["--fail-on", "worse"], 2, "expected verdicts of regressed"),
        (["--fail-on", ""], 2, "expected verdicts of regressed"),
        (["--tolerance", "modes"], 2, "expected METRIC=PART"),
        (["--tolerance", "modes=nan"], 2, "as in modes=0.1, with a number of at least 0"),
        (["--tolerance", "mods=0.1"], 5, "did you mean 'modes'"),
        (["--alpha", "2"], 2, "--alpha"),
    ],
)
def test_senseless_options_are_sentences(run, banked, arguments, code, says):
    done = tiny.ganbench("compare", banked, run.directory, *arguments, cwd=banked.parent)
    assert (done.returncode, says in done.stderr) == (code, True), done.stderr


def test_gate_that_was_edited_by_hand_is_a_sentence_and_exit_code_4(run, banked):
    files.write_json(run.directory / "run.json", {**asdict(run.info), "gate": {"alpha": 7}})
    done = tiny.ganbench("compare", banked, run.directory, cwd=banked.parent)
    assert (done.returncode, "gate cannot be used: alpha: " in done.stderr) == (4, True)


def test_candidate_that_is_not_there_is_no_baseline(banked):
    done = invoke("compare", banked, banked.parent / "none")
    assert isinstance(done.exception, RunError)
    assert "none: there is no such run" in str(done.exception)


def test_baseline_without_its_origin_is_shown(banked):
    data = json.loads(banked.read_text())
    banked.write_text(json.dumps({**data, "source": {}, "sha256": ""}))
    shown = invoke("baseline", "show", banked)
    assert shown.exit_code == 0
    assert "commits unknown" in shown.output


def test_update_and_show(run, tmp_path):
    path = tmp_path / "deep" / "b.json"
    done = invoke(
        "baseline", "update", run.directory, "--reason", "why", "--min-seeds", 3, "--out", path
    )
    assert done.exit_code == 0, done.output
    assert "2 cells, 3 seeds; commit it" in done.output
    shown = invoke("baseline", "show", path)
    assert "why" in shown.output
    assert "modes: median" in shown.output
