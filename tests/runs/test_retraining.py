"""A trial of a submission, trained again for real."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from helpers import tiny

from ganbench.archive import repository, submission
from ganbench.cli import cli
from ganbench.errors import ConfigError
from ganbench.records.run_folder import Run
from ganbench.records.run_info import PluginChoice
from ganbench.runs import retraining
from ganbench.runs.retraining import How, retrain

TEXT = tiny.INLINE.replace("num_samples: 200,", "num_samples: 200, controls: [],").replace(
    "fid, throughput", "fid"
)


def invoke(*arguments: object) -> Result:
    return CliRunner().invoke(
        cli, [*map(str, arguments)], catch_exceptions=False, standalone_mode=False
    )


def submitted(folder: Path, *arguments: object, text: str = TEXT) -> Path:
    """Train a benchmark, and submit it."""
    tiny.write(folder, text)
    run = folder / "run"
    assert (
        invoke("run", folder / "tiny.yaml", "--quiet", "--out", run, *arguments).return_value == 0
    )
    return submission.write(submission.prepared(Run.read(run)), folder / "shared")


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    return submitted(tmp_path_factory.mktemp("submitted"))


@pytest.fixture(autouse=True)
def inline(monkeypatch) -> None:
    monkeypatch.setattr(retraining, "EXECUTOR", PluginChoice("inline"))


def falsified(place: Path, column: str, value: float) -> None:
    """Write another number into each result, sealed as if it had been measured."""

    def change(result: dict) -> None:
        for metric in result["metrics"]:
            if metric["name"] == column:
                metric["value"] = value

    for path in place.glob("trials/*/result.json"):
        tiny.change_result(path, change)


def test_a_submitted_trial_is_confirmed_to_the_bit_and_a_false_number_found(shared):
    done = invoke("results", "retrain", shared, "--draw", "1")
    assert done.return_value == 0, done.output
    assert "confirmed to the bit, on the same platform, " in done.stdout
    assert "drawn by: --draw 1" in done.stdout
    falsified(shared, "modes", 7.5)
    assert repository.check(shared.parents[1])[1] == []  # which a seal cannot tell
    done = invoke("results", "retrain", shared, "--draw", "1", "--json")
    assert done.return_value == 1
    (trial,) = json.loads(done.stdout)["trials"]
    assert [n["column"] for n in trial["numbers"] if not n["confirmed"]] == ["modes"]


def test_on_another_platform_the_first_number_may_differ(shared, tmp_path):
    copy = tmp_path / "shared" / "tiny" / "copy"
    shutil.copytree(shared, copy)
    about = json.loads((copy / "run.json").read_text("utf-8"))
    about["machine"]["device_name"] = "Another Processor"
    (copy / "run.json").write_text(json.dumps(about), "utf-8")
    falsified(copy, "fid@pixels", 0.0)  # of which no share allows any
    falsified(copy, "reverse-kl", 99.0)
    run = Run.read(copy)
    submitted = next(o for o in run.outcomes() if o.status.value == "ok")
    found = retrain(run, submitted, How(), tmp_path / "again")
    assert not found.to_the_bit
    assert len(found.numbers) == 1  # by which boards rank


PLUGIN = f"{tiny.TROUBLE}\n\nprint('it was run')\n"


def test_code_that_came_along_runs_where_that_is_said_alone(tmp_path, capsys):
    (tmp_path / "trouble.py").write_text(PLUGIN, "utf-8")
    text = TEXT.replace("loss: [bce, lsgan]", "loss: [trouble]")
    place = submitted(tmp_path, "--plugin", tmp_path / "trouble.py", text=text)
    assert repository.check(place.parents[1])[1] == []
    (tmp_path / "trouble.py").unlink()
    capsys.readouterr()
    refused = invoke("results", "retrain", place)
    assert refused.return_value == 3
    assert "came with it" in refused.stderr
    assert "--run-plugins where you trust it" in refused.stderr
    assert "it was run" not in refused.output
    done = invoke("results", "retrain", place, "--run-plugins")
    assert done.return_value == 0, done.output
    assert "it was run" in done.output
    assert "confirmed to the bit" in done.stdout


def test_a_plugin_of_another_source_is_not_trained_with(tmp_path):
    (tmp_path / "trouble.py").write_text(tiny.TROUBLE, "utf-8")
    text = TEXT.replace("loss: [bce, lsgan]", "loss: [trouble]")
    place = submitted(tmp_path, "--plugin", tmp_path / "trouble.py", text=text)
    (place / "plugins" / "trouble.py").write_text(tiny.TROUBLE + "# changed\n", "utf-8")
    assert "is no source of its cells" in repository.check(place.parents[1])[1][0]
    done = invoke("results", "retrain", place, "--run-plugins")
    assert done.return_value == 3
    other = invoke("results", "retrain", place, "--plugin", place / "plugins" / "trouble.py")
    assert other.return_value == 3
    assert "was planned with trouble.py sha256:" in other.stderr


def test_nothing_new_is_nothing_to_train(tmp_path):
    (tmp_path / "changed").write_text("README.md\0", "utf-8")
    done = invoke("results", "retrain", "--changed", tmp_path / "changed")
    assert (done.return_value, done.stderr) == (0, "no submission to train again\n")


def test_a_trial_that_is_none_of_the_runs_is_named(shared):
    with pytest.raises(ConfigError, match="has no such trial; it has bce-none-mlp-"):
        invoke("results", "retrain", shared, "--trial", "x")
