"""Crashes and interruptions, for real: processes are killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from pathlib import Path

import pytest
from helpers import tiny, warm
from helpers.hanging import alive, start_hanging, wait_until, worker_of

TROUBLED = tiny.UNCONTROLLED.replace("[bce, lsgan]", "[{name: trouble, does: DOES}, bce]")


def run_with_trouble(tmp_path: Path, does: str, *more: str) -> subprocess.CompletedProcess[str]:
    benchmark = tiny.write(tmp_path, TROUBLED.replace("DOES", does))
    plugin = tiny.write_trouble(tmp_path)
    return tiny.ganbench(
        "run", benchmark, "--plugin", plugin, "--out", tmp_path / "run", *more, cwd=tmp_path
    )


def statuses(run: Path) -> dict[str, str]:
    table = json.loads((run / "table.json").read_text("utf-8"))
    return {row["label"]: row["status"] for row in table["rows"] if not row["reference"]}


@pytest.mark.parametrize(
    ("does", "status", "reason"),
    [
        ("raise", "failed", "RuntimeError: out of ideas (while training cell trouble/none/mlp"),
        ("nan", "diverged", "the discriminator's term 'adversarial' became nan"),
        ("kill", "failed", "the worker was ended by SIGKILL"),
        ("exit", "failed", "the worker ended with exit code 7 and no result"),
        ("hang", "timeout", "stopped after 8 s"),
    ],
)
def test_trial_that_dies_is_a_row_with_a_reason_and_the_rest_goes_on(
    tmp_path: Path, does: str, status: str, reason: str
) -> None:
    limit = ("--set", "execution.timeout=8s") if does == "hang" else ()
    done = run_with_trouble(tmp_path, does, *limit)
    assert done.returncode == 3, done.stderr
    assert statuses(tmp_path / "run") == {"trouble/none/mlp": status, "bce/none/mlp": "ok"}
    assert reason in (tmp_path / "run" / "table.md").read_text("utf-8")
    assert f"{status}: " in done.stderr


def test_fail_fast_stops_at_the_first_failure(tmp_path: Path) -> None:
    done = run_with_trouble(tmp_path, "raise", "--fail-fast")
    assert done.returncode == 3
    assert statuses(tmp_path / "run")["bce/none/mlp"] == "unfinished"


def test_ctrl_c_keeps_what_is_finished_and_resume_does_the_rest(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start_hanging(tmp_path, run)
    wait_until(lambda: any("bce" in name for name in tiny.results(run)), process)
    wait_until(lambda: list(run.glob("trials/trouble*/worker.log")), process)
    before = tiny.results(run)
    worker = worker_of(run, process)
    os.killpg(process.pid, signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert f"to finish: ganbench resume {run}" in error
    assert not alive(worker)
    finish(tmp_path, run, before)


def test_sigterm_ends_with_143_and_the_workers_too(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start_hanging(tmp_path, run)
    wait_until(lambda: list(run.glob("trials/trouble*/metrics.jsonl")), process)
    worker = worker_of(run, process)
    process.terminate()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert not alive(worker)


def test_training_that_is_asked_to_end_goes_on_from_there(tmp_path: Path) -> None:
    text = tiny.UNCONTROLLED.replace("[bce, lsgan]", "[bce]").replace("{kimg: 1}", "{kimg: 30}")
    run, benchmark = tmp_path / "run", tiny.write(tmp_path, text)
    process = warm.start(
        "ganbench", "run", benchmark, "--out", run,
        cwd=tmp_path, environment=tiny.surroundings(), stderr=subprocess.PIPE,
    )  # fmt: skip
    wait_until(lambda: list(run.glob("trials/bce*/metrics.jsonl")), process)
    process.send_signal(signal.SIGUSR1)  # as batch systems announce the end of a job's time
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert list(run.glob("trials/bce*/checkpoint.pt"))  # none is due before ten minutes
    done = tiny.ganbench("resume", run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (result,) = tiny.results(run).values()
    assert 0 < result["resumed_at_kimg"] < 30


def test_kill_9_of_the_whole_run_loses_no_finished_trial(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start_hanging(tmp_path, run)
    wait_until(lambda: list(run.glob("trials/trouble*/metrics.jsonl")), process)
    before = tiny.results(run)
    worker = worker_of(run, process)
    process.kill()
    process.communicate(timeout=60)
    wait_until(lambda: not alive(worker))  # nobody is left behind to write into the folder
    finish(tmp_path, run, before)


def test_two_runs_at_once_in_one_folder_are_refused(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start_hanging(tmp_path, run)
    wait_until(lambda: list(run.glob("trials/trouble*/worker.log")), process)
    second = tiny.ganbench("resume", run, cwd=tmp_path)
    assert second.returncode == 2
    assert "another ganbench is at work in it" in second.stderr
    process.terminate()
    process.communicate(timeout=60)


def finish(tmp_path: Path, run: Path, before: dict[str, dict[str, object]]) -> None:
    """Resume without trouble, and see that all is there and nothing was done twice."""
    done = tiny.ganbench("resume", run, cwd=tmp_path, NO_MORE_TROUBLE="1")
    assert done.returncode == 0, done.stderr
    after = tiny.results(run)
    assert before
    assert {name: after[name] for name in before} == before
    assert set(statuses(run).values()) == {"ok"}
    assert "1 trial to run" in done.stderr
