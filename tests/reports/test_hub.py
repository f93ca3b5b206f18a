"""Results for the Hugging Face Hub, in the files that its library reads; nothing is uploaded."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from click.testing import CliRunner, Result
from helpers.many_runs import FID, finished, write

from ganbench.cli import cli
from ganbench.errors import ConfigError
from ganbench.records.run_folder import Run
from ganbench.reports import hub
from ganbench.testing.fixtures import trials

BENCHMARK = "my-lab/gan-benchmark"
FIELDS = {"dataset", "value", "date", "notes"}


@pytest.fixture
def run(tmp_path) -> Run:
    without = finished("too few samples")
    return write(tmp_path / "run", {"bce": {0: 1.0, 1: 1.5}, "lsgan": {0: without, 1: 3.0}})


def results(found: hub.Exported) -> dict[str, list[dict]]:
    return {
        place.parts[-3]: yaml.safe_load(text)
        for place, text in found.texts.items()
        if place.name == "ganbench.yaml"
    }


def test_each_trained_model_has_its_own_results(run):
    found = hub.export(run, BENCHMARK, Path("out"))
    by_trial = results(found)
    assert set(by_trial) == {trial.id for trial in run.trials}
    (first,) = [entries for name, entries in by_trial.items() if "bce" in name and "-s0" in name]
    assert [entry["value"] for entry in first] == [1.0, trials.GOOD[1], trials.GOOD[2]]  # no speeds
    for entry in first:
        assert set(entry) == FIELDS
        assert entry["dataset"]["id"] == BENCHMARK
        assert entry["date"] == run.info.created
    protocol = run.outcomes()[0].result.metrics[0].protocol
    told = f"bce/none/mlp, seed 0; {FID}, lower is better; protocol {protocol}; ganbench 0.2"
    assert first[0]["notes"] == told
    assert f"left out 1 number without a value: lsgan/none/mlp/{FID}" in found.notes


def test_the_benchmark_lists_the_tasks_that_entries_name(run):
    found = hub.export(run, BENCHMARK, Path("out"))
    about = yaml.safe_load(found.texts[Path("out", "eval.yaml")])
    assert set(about) == {"name", "description", "evaluation_framework", "tasks"}
    named = {entry["dataset"]["task_id"] for one in results(found).values() for entry in one}
    listed = [task["id"] for task in about["tasks"]]
    assert set(listed) == named
    assert len(listed) == len(named) == 3
    assert all(set(id) <= set("abcdefghijklmnopqrstuvwxyz0123456789-") for id in listed)


def test_its_own_library_reads_them(run):
    library = pytest.importorskip("huggingface_hub", minversion="1.4")
    for entries in results(hub.export(run, BENCHMARK, Path("out"))).values():
        read = library.parse_eval_result_entries(entries)
        assert [one.value for one in read] == [entry["value"] for entry in entries]
        assert {one.dataset_id for one in read} == {BENCHMARK}
        assert library.eval_result_entries_to_yaml(read) == entries
    library.utils.validate_repo_id(BENCHMARK)


@pytest.mark.parametrize(
    "name", ["", "mnist", "a/b/c", "../x", "a/..", "a b/c", "/b", "a/", "a/b--c", f"a/{'b' * 96}"]
)
def test_what_cannot_be_a_repository_is_refused(run, name):
    with pytest.raises(ConfigError, match="expected OWNER/NAME"):
        hub.export(run, name, Path("out"))


def test_hostile_names_stay_text_in_one_line(tmp_path):
    hostile = "x'; rm -rf ~ #\n- value: 99\u202e: &a *b"
    run = write(tmp_path / "run", {hostile: {0: 1.0}}, dataset=hostile, name=hostile)
    found = hub.export(run, BENCHMARK, Path("out"))
    (entries,) = results(found).values()
    assert [entry["value"] for entry in entries] == [1.0, *trials.GOOD[1:3]]
    assert all("\n" not in entry["notes"] for entry in entries)
    assert all(place.is_relative_to("out") and ".." not in place.parts for place in found.texts)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(
        cli, [*map(str, arguments)], catch_exceptions=False, standalone_mode=False
    )


def test_export_writes_them_and_prints_what_to_type(run, tmp_path):
    out = tmp_path / "a folder"
    words = ("export", run.directory, "--to", "hf-results", "--benchmark", BENCHMARK, "--out", out)
    done = invoke(*words)
    assert done.return_value == 0, done.output
    first = f"'{out}/{run.trials[0].id}/.eval_results'"
    assert f"hf upload USER/MODEL {first} .eval_results\n" in done.stdout
    last = f"hf upload {BENCHMARK} '{out}/eval.yaml' eval.yaml --repo-type dataset\n"
    assert done.stdout.endswith(last)
    assert len(list(out.rglob("*.yaml"))) == 5
    document = json.loads(invoke(*words, "--json").stdout)
    assert (document["numbers"], len(document["files"])) == (11, 5)


def test_a_run_without_a_number_writes_nothing(tmp_path):
    run = write(tmp_path / "run", {"bce": {0: trials.lost("failed", "why")}})
    words = ("--to", "hf-results", "--benchmark", BENCHMARK, "--out", tmp_path / "out")
    done = invoke("export", run.directory, *words)
    assert done.return_value == 3
    assert "no trial has given a number" in done.stderr
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--to", "hf-results"), "name the benchmark on the Hub"),
        (("--to", "dvc", "--benchmark", BENCHMARK), "is for --to hf-results"),
    ],
)
def test_the_benchmark_is_of_this_format(run, words, why):
    with pytest.raises(ConfigError, match=why):
        invoke("export", run.directory, *words)
