"""New columns of a finished run: of the same samples, and beside what was measured."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import outside as made

import ganbench
from ganbench.cli import cli
from ganbench.errors import ConfigError, GanbenchError, RunError
from ganbench.util import sealed

BENCHMARK = """\
version: 1
name: small
dataset:
  name: tensor
  path: {path}
  images: images
  labels: labels
  test_images: test_images
  test_labels: test_labels
matrix: {{conditioning: [embed-mul, none]}}
loss: bce
architecture: {{name: dcgan, width: 4, latent_dim: 6, init_std: null}}
training: {{batch_size: 20, budget: {{kimg: 0.4}}, precision: float32, channels_last: true}}
evaluation:
  num_samples: 60
  metrics: [{metrics}]
  labels: uniform
  samplers: [plain, {{name: truncation, psi: 0.7}}, {{name: rejection, burn_in: 60}}]
execution: {{threads: 1, executor: inline}}
reporters: [json]
"""
FEATURES = "random-conv(depth=2,width=4)"
COVERAGE = f"density-coverage@{FEATURES}"
ADDED = f"intra-fid@{FEATURES},density-coverage@{FEATURES}"


def call(*arguments: object, code: int = 0) -> str:
    done = CliRunner().invoke(cli, list(map(str, arguments)), catch_exceptions=False)
    assert done.exit_code == code, done.output
    return done.output


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two runs of the same cells: `all` measures at once what is added to `few`."""
    place = tmp_path_factory.mktemp("runs")
    path = made.write_data(place, side=28)
    few = f"'fid@{FEATURES}', throughput"
    every = f"{few}, 'intra-fid@{FEATURES}', 'density-coverage@{FEATURES}'"
    for name, metrics in (("few", few), ("all", every)):
        file = place / f"{name}.yaml"
        file.write_text(BENCHMARK.format(path=path, metrics=metrics))
        call("run", file, "--out", place / name, "--quiet")
    return place


@pytest.fixture
def run(finished: Path, tmp_path: Path) -> Path:
    shutil.copytree(finished / "few", tmp_path / "few")
    return tmp_path / "few"


def numbers(path: Path) -> dict[tuple[str, str, str], float | None]:
    frame = ganbench.load_run(path).frame()
    frame = frame[~frame["unit"].isin(["s", "1/s", "MB"]) & (frame["metric"] != "")]
    keys = zip(frame["label"], frame["sampler"].fillna(""), frame["metric"], strict=True)
    return dict(zip(keys, zip(frame["value"], frame["protocol"], strict=True), strict=True))


def test_what_is_added_is_what_had_been_measured_at_once(run, finished):
    """Of every cell, reference row and sampler, to the last bit and by the same protocols."""
    before = {path: path.read_bytes() for path in run.glob("trials/*/*.json")}
    call("evaluate", run, "--metrics", ADDED, "--quiet")
    assert before == {path: path.read_bytes() for path in before}
    found, wanted = numbers(run), numbers(finished / "all")
    names = {key[2] for key in found}
    assert {f"{name}@{FEATURES}" for name in ("fid", "intra-fid", "coverage")} <= names
    assert {k: v for k, v in found.items() if v[0] == v[0]} == {
        k: v for k, v in wanted.items() if v[0] == v[0]
    }
    told = [note for note in ganbench.load_run(run).table.notes if note.kind == "added"]
    assert len(told) == 1
    assert "identical to those that were judged before" in told[0]
    assert f"with ganbench {ganbench.__version__}" in told[0]


def test_the_run_keeps_who_added_what_and_with_which_versions(run):
    call("evaluate", run, "--metrics", COVERAGE, "--quiet")
    paths = sorted(run.glob("trials/*/added.json"))
    assert len(paths) == 3
    for path in paths:
        (one,) = json.loads(path.read_text())["additions"]
        assert one["about"]["redrawn"] == "identical"
        assert one["about"]["argv"]
        assert one["result"]["environment"]["ganbench"] == ganbench.__version__
        assert {m["name"] for m in one["result"]["metrics"]} == {
            f"density@{FEATURES}",
            f"coverage@{FEATURES}",
        }
    assert f"coverage@{FEATURES}" in (run / "results.csv").read_text()


def test_what_has_no_value_in_a_row_leaves_no_note_of_it(run):
    call("evaluate", run, "--metrics", "ppl@pixels", "--quiet")
    assert "added on" not in (run / "table.json").read_text()
    call("evaluate", run, "--metrics", COVERAGE, "--quiet")
    (told,) = {n for n in ganbench.load_run(run).table.notes if "added on" in n}
    assert told.startswith(f"density@{FEATURES}, coverage@{FEATURES}: added on")


def test_nothing_is_measured_twice(run):
    with pytest.raises(RunError, match="all of these columns were measured before"):
        call("evaluate", run, "--metrics", f"fid@{FEATURES}")
    call("evaluate", run, "--metrics", f"fid@{FEATURES},ndb", "--quiet")
    with pytest.raises(RunError, match="nothing was added"):
        call("evaluate", run, "--metrics", "ndb")
    call("evaluate", run, "--metrics", COVERAGE, "--quiet")
    for path in run.glob("trials/*/added.json"):
        assert len(json.loads(path.read_text())["additions"]) == 2


def test_samples_that_are_not_the_same_are_told_of(run):
    for path in run.glob("trials/*/result.json"):
        found = json.loads(path.read_text())
        sealed.write_json(path, {**found, "drawn": "0" * 64})
    call("evaluate", run, "--metrics", COVERAGE, "--quiet")
    (told,) = (note for note in ganbench.load_run(run).table.notes if note.kind == "added")
    assert "not to the bit those that were judged before" in told


def test_what_was_added_to_another_result_does_not_count(run):
    call("evaluate", run, "--metrics", COVERAGE, "--quiet")
    for path in run.glob("trials/*/result.json"):
        found = json.loads(path.read_text())
        sealed.write_json(path, {**found, "drawn": "0" * 64})
    assert not any(f"coverage@{FEATURES}" in key for key in numbers(run))


def test_a_damaged_file_costs_what_was_added_alone(run, caplog):
    call("evaluate", run, "--metrics", COVERAGE, "--quiet")
    for path in run.glob("trials/*/added.json"):
        path.write_text(path.read_text().replace("density", "dentistry"))
    found = numbers(run)
    assert not any(f"coverage@{FEATURES}" in key for key in found)
    assert any(f"fid@{FEATURES}" in key for key in found)
    assert "damaged, and what was added to the trial is left out" in caplog.text


def test_a_run_without_models_is_a_sentence(run):
    for path in run.glob("trials/*/config.json"):
        path.unlink()
    shutil.rmtree(next(run.glob("trials/real-*")))
    with pytest.raises(RunError, match=r"nothing was added: .*its model was not kept"):
        call("evaluate", run, "--metrics", COVERAGE)


def test_other_data_are_refused(run, finished):
    path = finished / "real.npz"
    before = path.read_bytes()
    try:
        made.write_data(finished, train=117, side=28)
        with pytest.raises(GanbenchError, match=r"is not what the trial was judged|changed after"):
            call("evaluate", run, "--metrics", COVERAGE)
    finally:
        path.write_bytes(before)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ([], "which columns are to be added"),
        (["--metrics", "ndb", "--data", "mnist"], "--data: not of a run"),
        (["--metrics", "nothing"], "unknown metric 'nothing'"),
    ],
)
def test_what_cannot_be_added_is_a_sentence(arguments, told, run):
    with pytest.raises(ConfigError, match=told):
        call("evaluate", run, *arguments)
    assert not list(run.glob("trials/*/added.json"))
