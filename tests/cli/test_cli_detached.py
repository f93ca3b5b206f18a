"""Runs that end after a time, are ended from elsewhere, or go on without the command."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from helpers import tiny
from helpers.hanging import start_hanging, wait_until

from ganbench.cli import cli
from ganbench.errors import RunError
from ganbench.runs.holding import HOLDER, holder

HANGING = tiny.UNCONTROLLED.replace("[bce, lsgan]", "[bce, {name: trouble, does: hang}]")


def test_run_ends_after_its_time_and_can_be_resumed(tmp_path: Path) -> None:
    text = HANGING.replace("execution: {", "execution: {checkpoint: null, ")
    benchmark, plugin = tiny.write(tmp_path, text), tiny.write_trouble(tmp_path)
    plan = ("run", benchmark, "--plugin", plugin, "--out", tmp_path / "run")
    done = tiny.ganbench(*plan, "--max-time", "8s", cwd=tmp_path)
    assert done.returncode == 143, done.stderr
    assert "--max-time of 8 s is over" in done.stderr
    assert f"to finish: ganbench resume {tmp_path / 'run'}" in done.stderr
    assert holder(tmp_path / "run") is None
    again = tiny.ganbench("resume", tmp_path / "run", cwd=tmp_path, NO_MORE_TROUBLE="1")
    assert again.returncode == 0, again.stderr


@pytest.mark.parametrize("said", ["8x", "-1s", "0", "", "h"])
def test_time_that_is_none_is_told(tmp_path: Path, said: str) -> None:
    done = CliRunner().invoke(cli, ["run", "x.yaml", "--max-time", said])
    assert done.exit_code == 2
    assert f"'{said}': expected a duration like 90s, 30m or 8h" in done.output


def test_run_is_ended_from_another_terminal(tmp_path: Path) -> None:
    run = tmp_path / "run"
    process = start_hanging(tmp_path, run)
    wait_until(lambda: list(run.glob("trials/trouble*/worker.log")), process)
    done = tiny.ganbench("cancel", run, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert f"ended; to finish: ganbench resume {run}" in done.stdout
    process.communicate(timeout=60)
    assert process.returncode == 143
    nobody = tiny.ganbench("cancel", run, cwd=tmp_path)
    assert nobody.returncode == 2
    assert "nobody is at work in it" in nobody.stderr
    said = {"host": "elsewhere.example", "pid": 1, "since": "2026-01-01"}
    (run / HOLDER).write_text(json.dumps(said), "utf-8")
    elsewhere = tiny.ganbench("cancel", run, cwd=tmp_path)
    assert elsewhere.returncode == 2
    assert "process 1 on elsewhere.example, since 2026-01-01; cancel it there" in elsewhere.stderr


def test_detached_run_prints_no_table(tmp_path: Path) -> None:
    done = CliRunner().invoke(cli, ["run", "x.yaml", "--detach", "--json"])
    assert done.exit_code == 2
    assert "--json and --columns are for `show`" in done.output


@pytest.mark.integration
def test_detached_run_goes_on_by_itself(tmp_path: Path) -> None:
    benchmark, plugin = tiny.write(tmp_path, HANGING), tiny.write_trouble(tmp_path)
    run = tmp_path / "run"
    plan = ("run", benchmark, "--plugin", plugin, "--out", run, "--detach")
    begun = tiny.cold_ganbench(*plan, cwd=tmp_path)
    assert begun.returncode == 0, begun.stderr
    by = holder(run)
    assert by is not None
    assert f"as process {by.pid}; what it says is in {run / 'detached.log'}" in begun.stdout
    assert f"ganbench cancel {run}" in begun.stdout
    wait_until(lambda: any("bce" in name for name in tiny.results(run)))
    assert tiny.cold_ganbench("cancel", run, cwd=tmp_path).returncode == 0
    assert holder(run) is None
    again = tiny.cold_ganbench(*plan, cwd=tmp_path, NO_MORE_TROUBLE="1")
    assert again.returncode == 0, again.stderr
    wait_until(lambda: len(tiny.results(run)) == 2)
    wait_until(lambda: holder(run) is None)


@pytest.mark.integration
def test_detached_run_that_cannot_begin_is_told(tmp_path: Path) -> None:
    from ganbench.cli import detached

    with pytest.raises(RunError, match=r"ended with exit code 2: .*not a run of ganbench"):
        detached.leave(tmp_path, fail_fast=False, max_time=None)
