"""Tasks of Dask itself, on workers of this machine and on those of a scheduler."""

import os
import signal
import subprocess

import pytest
from helpers import engines
from helpers.hanging import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.install]


@pytest.fixture(scope="module")
def python():
    return engines.python_with("distributed>=2024.5")


@pytest.fixture
def scheduler(python, tmp_path):
    """A scheduler and two workers that know nothing of the run's command."""
    file, log = tmp_path / "dask.json", tmp_path / "dask.log"
    dask = [python, "-m", "dask"]
    commands = [
        [*dask, "scheduler", "--scheduler-file", file, "--port", "0", "--no-dashboard"],
        *2 * [[*dask, "worker", "--scheduler-file", file, "--nthreads", "1", "--no-dashboard"]],
    ]
    path = {**os.environ, "PYTHONPATH": str(engines.ROOT)}
    with log.open("wb") as output:
        started = [
            subprocess.Popen(command, stdout=output, stderr=output, env=path, cwd=tmp_path)
            for command in commands
        ]
    try:
        yield str(file)
    finally:
        for process in reversed(started):
            process.terminate()
        for process in started:
            process.wait(60)


def made(folder, python, **options):
    execution = {"jobs": 2, "threads": 1, "executor": {"name": "dask", **options}}
    return engines.Many(folder, python, "ganbench-dask", execution, {})


def test_kit(python, tmp_path):
    engines.passes_the_kit(python, "ganbench-dask", "Dask()", tmp_path)


def test_nothing_is_lost(python, tmp_path):
    engines.nothing_is_lost_or_done_twice(made(tmp_path, python))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_end_of_the_command_ends_its_trials(number, python, scheduler, tmp_path):
    many = made(tmp_path, python, scheduler=scheduler)
    process = many.begin(3, 5000)
    wait_until(lambda: list(many.run.glob("trials/*/metrics.jsonl")), process, seconds=300)
    process.send_signal(number)
    process.wait(120)
    wait_until(lambda: not engines.processes_with("ganbench.worker", str(many.run)))
    assert not list(many.run.glob("trials/*/end.json"))
    assert list(many.run.glob("trials/*/checkpoint.pt"))


def test_trial_under_which_workers_die_is_a_row(python, tmp_path):
    reason = "its workers died, one after the other"
    engines.a_trial_under_which_workers_die_is_a_row(made(tmp_path, python), reason)
