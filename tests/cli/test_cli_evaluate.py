"""`ganbench evaluate`, and `ganbench run --with`: samples from elsewhere in a table."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from helpers import outside as made

import ganbench
from ganbench.cli import cli
from ganbench.errors import BaselineError, ConfigError, DataError, RunError

BENCHMARK = (
    made.DATA
    + """\
version: 1
name: small
loss: bce
conditioning: embed-mul
architecture: {{name: mlp, width: 8, depth: 1}}
training: {{batch_size: 20, budget: {{kimg: 0.4}}, precision: float32}}
evaluation: {{num_samples: 60, metrics: [fid, intra-fid]}}
execution: {{threads: 1, executor: inline}}
reporters: [json]
"""
)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    path = made.write_data(tmp_path)
    (tmp_path / "data.yaml").write_text(made.DATA.format(path=path))
    (tmp_path / "small.yaml").write_text(BENCHMARK.format(path=path))
    made.write_folder(tmp_path / "theirs")
    return tmp_path


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.stdout


def evaluate(*arguments: object, out: str = "out") -> ganbench.Report:
    call("evaluate", *arguments, "--out", out, "--quiet")
    return ganbench.load_run(out)


def values(report: ganbench.Report, label: str) -> dict[str, Any]:
    (row,) = (row for row in report.table.rows if row.label.startswith(label))
    return {name: summary.mean for name, summary in row.values.items()}


def test_a_folder_of_pictures_becomes_a_row_of_a_run(place):
    report = evaluate("theirs", "--data", "data.yaml", "--metrics", "fid,intra-fid")
    test, theirs = report.table.rows
    assert test.label == "real test set (real)"  # as the file is called
    assert theirs.label == "theirs (not trained here)"
    assert theirs.is_outside
    assert not test.is_outside
    assert theirs.values["fid@pixels"].mean > test.values["fid@pixels"].mean > 0
    assert theirs.values["intra-fid@pixels"].mean is not None
    (told,) = (note for note in report.table.notes if note.kind == "samples")
    assert "60 images from theirs; what made them is not known here" in told


def test_own_data_is_called_by_its_title(place):
    text = (place / "data.yaml").read_text().replace("tensor", "tensor\n  title: Thirds")
    (place / "titled.yaml").write_text(text)
    test, _ = evaluate("theirs", "--data", "titled.yaml", "--metrics", "fid").table.rows
    assert test.label == "real test set (Thirds)"
    assert "title: Thirds" in (place / "out" / "config.source.yaml").read_text("utf-8")


def test_what_was_written_is_a_run_for_other_commands(place):
    evaluate("theirs", "--data", "data.yaml", "--metrics", "fid", "--name", "ours")
    for command in (["show"], ["report"], ["report", "--format", "html"], ["resume"]):
        assert "ours (not trained here)" in call(command[0], "out", *command[1:])
    assert "ours" in call("list", ".")
    for command in (["compare", "out", "out"], ["export", "out", "--to", "dvc"]):
        with pytest.raises(BaselineError, match="trained nothing, so that it has no seeds"):
            call(*command)
    assert json.loads(call("show", "out", "--json"))["rows"][1]["outside"] is True


def test_the_protocol_says_how_they_were_read_and_differs_in_that_alone(place):
    report = evaluate("theirs", "--data", "data.yaml", "--metrics", "fid")
    own, other = (
        next(iter(outcome.result.protocols.values())) for outcome in reversed(report.outcomes)
    )
    assert own["sampler"]["name"] == "elsewhere"
    assert own["sampler"]["files"] == [".png"]
    assert {**own, "sampler": 0} == {**other, "sampler": 0}


def test_arrays_and_a_model_are_judged_alike(place):
    """What `ganbench sample` writes of a model has the numbers of the model itself."""
    call("run", "small.yaml", "--out", "run", "--quiet")
    own = values(ganbench.load_run("run"), "bce")
    (trial,) = (path for path in Path("run/trials").iterdir() if "bce" in path.name)
    direct = evaluate(trial, "--metrics", "fid,intra-fid", out="a")
    call("sample", trial, "-n", 60, "--out", "drawn.npz")
    arrays = evaluate(
        "drawn.npz", "--data", "data.yaml", "--metrics", "fid,intra-fid", "--name", "b", out="b"
    )
    for column in ("fid@pixels", "intra-fid@pixels"):
        assert values(direct, trial.name)[column] == values(arrays, "b")[column] == own[column]


def test_samples_stand_beside_trained_rows_and_are_not_ranked(place):
    made.write_arrays(place / "more.npz", seed=5)
    call("run", "small.yaml", "--with", "theirs", "--with", "more=more.npz", "--out", "run", "-q")
    report = ganbench.load_run("run")
    labels = [row.label for row in report.table.rows]
    assert [label for label in labels if "not trained" in label] == [
        "theirs (not trained here)",
        "more (not trained here)",
    ]
    assert {row.values["fid@pixels"].mark for row in report.table.rows} == {""}
    alone = evaluate("theirs", "--data", "data.yaml", "--metrics", "fid", out="alone")
    assert values(report, "theirs")["fid@pixels"] == values(alone, "theirs")["fid@pixels"]
    with pytest.raises(RunError, match="holds another run"):
        call("run", "small.yaml", "--with", "theirs", "--out", "run")


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (["--set", "evaluation.num_samples=70"], DataError, "60 samples, and 70 are judged"),
        (["--set", "dataset.resolution=9"], DataError, "8×8, and images .* are 9×9"),
        (["--with", "theirs"], ConfigError, "two rows would be called 'theirs"),
        (["--with", "gone"], DataError, "gone: there is no such file or folder"),
    ],
)
def test_samples_that_differ_are_refused_before_anything_is_trained(place, arguments, error, told):
    with pytest.raises(error, match=told):
        call("run", "small.yaml", "--with", "theirs", *arguments, "--out", "run")
    assert not Path("run").exists()


@pytest.mark.parametrize(
    ("arguments", "error", "told"),
    [
        (["theirs"], ConfigError, "theirs: which images are real ones"),
        (["theirs", "--data", "nowhere"], ConfigError, "unknown dataset 'nowhere'"),
        (["theirs", "--data", "data.yaml", "--metrics", "fd"], ConfigError, "unknown metric 'fd'"),
        (["theirs", "--data", "data.yaml", "--metrics", ""], ConfigError, "expected names"),
        (["theirs", "--data", "data.yaml", "-n", "99"], DataError, "60 samples, and 99"),
        (["theirs", "--data", "ring"], DataError, "is of points"),
    ],
)
def test_what_cannot_be_judged_is_a_sentence(place, arguments, error, told):
    with pytest.raises(error, match=told):
        call("evaluate", *arguments, "--out", "out")
    assert not Path("out").exists()


def test_nothing_that_exists_is_overwritten(place):
    evaluate("theirs", "--data", "data.yaml", "--metrics", "fid")
    before = (place / "out" / "results.csv").read_bytes()
    with pytest.raises(RunError, match="holds another run"):
        call("evaluate", "theirs", "--data", "data.yaml", "--metrics", "is", "--out", "out")
    assert (place / "out" / "results.csv").read_bytes() == before


def test_a_reason_without_a_number_is_told(place):
    shutil.rmtree(place / "theirs" / "2")
    report = evaluate("theirs", "--data", "data.yaml", "--metrics", "fid,intra-fid,mode-coverage")
    told = [note for note in report.table.notes if note.kind == "missing"]
    assert any("intra-fid@pixels" in note and "have fewer: 2" in note for note in told)
    assert any("no judge of classes" in note for note in told)
