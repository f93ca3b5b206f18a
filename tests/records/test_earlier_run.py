"""A run that ganbench 0.1.0 wrote before results had types, as its folder was.

One trial is ok, one diverged, one ran out of time, one was interrupted with a checkpoint.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import ganbench
from ganbench.cli import cli
from ganbench.records import run_folder

EARLIER = Path(__file__).parent / "earlier_run"


@pytest.fixture
def run(tmp_path) -> Path:
    """A copy that can be gone on with here."""
    shutil.copytree(EARLIER, tmp_path / "run")
    path = tmp_path / "run" / "run.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "cwd": str(tmp_path)}))
    return tmp_path / "run"


def invoke(*arguments: object) -> str:
    done = CliRunner().invoke(cli, [str(a) for a in arguments])
    assert done.exception is None, done.output
    return done.output


def test_it_is_read_whole():
    run = ganbench.load_run(EARLIER)
    assert [o.status for o in run.outcomes] == ["ok", "ok", "diverged", "unfinished", "timeout"]
    assert run.info.machine.device_name == "A Processor"
    assert run.info.execution.checkpoint == 1e-6
    assert run.info.data["ring"].num_images == 2000
    _, good, diverged, *_ = (outcome.result for outcome in run.outcomes)
    assert good.training == ganbench.TrainingCounts(1000, 20, 20, 20)
    assert good.timings is not None
    assert len(good.timings.images_per_second) == 4
    assert good.environment is not None
    assert good.environment.ganbench == "0.1.0"
    assert [finding.kind for finding in diverged.diagnosis] == ["divergence"]
    written = json.loads((run.outcomes[1].directory / "result.json").read_text())
    now = json.loads(json.dumps(good.plain()))
    now["timings"] = {key: now["timings"][key] for key in written["timings"]}
    assert {key: now[key] for key in written} == written  # what came later is at its default


def test_it_gives_the_records_that_it_gave():
    import pandas as pd

    recorded = pd.read_csv(EARLIER / "results.csv", keep_default_na=False)
    frame = ganbench.load_run(EARLIER).frame()
    ok = frame[frame["status"] == "ok"]
    then = recorded[recorded["label"].isin(ok["label"])]
    assert list(ok["metric"]) == list(then["metric"])
    for column in ("cell", "unit", "direction", "protocol"):
        assert list(ok[column]) == list(then[column])
    values = pd.to_numeric(then["value"]).to_numpy()
    assert ok["value"].to_numpy() == pytest.approx(values, nan_ok=True)


def test_commands_that_look_at_it_still_do(run):
    assert "1 failed" in invoke("show", run)
    (found,) = json.loads(invoke("list", run.parent, "--json"))
    assert found["trials"] == {"ok": 2, "diverged": 1, "unfinished": 1, "timeout": 1}
    compared = json.loads(invoke("compare", run, run, "--json", "--gate", "modes"))
    assert compared["conclusion"].endswith("6 unchanged")
    invoke("export", run, "--to", "openmetrics", "--out", run / "metrics.txt")
    assert "modes" in (run / "metrics.txt").read_text("utf-8")
    invoke("report", run, "--out", run / "page.html")
    assert "stopped after 60 s" in (run / "page.html").read_text("utf-8")


def test_its_model_still_draws_the_same(run):
    (trial,) = run.glob("trials/bce-none-mlp-g-lr-0.001-*")
    invoke("sample", trial, "-n", "4", "--out", run / "four.npz")
    assert (run / "four.npz").is_file()


def test_its_files_say_what_a_trial_of_today_is_told(run):
    for trial in ganbench.load_run(run).outcomes:
        before = (trial.directory / run_folder.TRIAL).read_text("utf-8")
        trial.trial.write(trial.directory / run_folder.TRIAL)
        assert (trial.directory / run_folder.TRIAL).read_text("utf-8") == before


def test_what_is_left_of_it_is_run(run):
    invoke("resume", run, "--quiet")
    found = ganbench.load_run(run)
    assert [o.status for o in found.outcomes] == ["ok", "ok", "diverged", "ok", "ok"]
    before = ganbench.load_run(EARLIER)
    assert found.outcomes[1].result == before.outcomes[1].result
    cells = [o.trial.id for o in found.outcomes]
    assert cells == [o.trial.id for o in before.outcomes]
    assert not list(run.glob(f"trials/*/{run_folder.END}"))
    environment = before.outcomes[1].result.environment
    assert environment is not None
    went_on = found.outcomes[3].result.resumed_at_kimg is not None
    now = (ganbench.__version__, torch.__version__)  # others begin anew
    assert went_on == ((environment.ganbench, environment.torch) == now)


@pytest.mark.parametrize("command", ["resume", "show"])
def test_a_plan_that_is_not_the_runs_is_not_taken_for_it(run, command):
    path = run / "plan.json"
    plan = json.loads(path.read_text())
    plan["cells"][0]["schedule"]["batch_size"] = -1
    path.write_text(json.dumps(plan))
    done = CliRunner().invoke(cli, [command, str(run)])
    assert "plan.json is not the plan that the run was begun with" in str(done.exception)
    assert (run / "trials").exists()
