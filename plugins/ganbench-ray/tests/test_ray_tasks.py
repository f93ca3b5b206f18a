"""Tasks of Ray itself, on this machine."""

import signal

import pytest
from helpers import engines
from helpers.hanging import wait_until

SURROUNDINGS = {"RAY_ADDRESS": "", "RAY_raylet_start_wait_time_s": "300"}  # on a busy machine
pytestmark = [pytest.mark.integration, pytest.mark.install]


@pytest.fixture(scope="module")
def python():
    return engines.python_with("ray>=2.9")


def made(folder, python):
    execution = {"jobs": 2, "threads": 1, "executor": "ray"}
    return engines.Many(folder, python, "ganbench-ray", execution, SURROUNDINGS)


def test_kit(python, tmp_path):
    engines.passes_the_kit(python, "ganbench-ray", "Ray()", tmp_path, **SURROUNDINGS)


def test_nothing_is_lost(python, tmp_path):
    engines.nothing_is_lost_or_done_twice(made(tmp_path, python))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_end_of_the_command_ends_its_trials(number, python, tmp_path):
    many = made(tmp_path, python)
    process = many.begin(3, 5000)
    wait_until(lambda: list(many.run.glob("trials/*/metrics.jsonl")), process, seconds=300)
    process.send_signal(number)
    process.wait(120)
    wait_until(lambda: not engines.processes_with("ganbench.worker", str(many.run)))
    assert not list(many.run.glob("trials/*/end.json"))


def test_trial_under_which_workers_die_is_a_row(python, tmp_path):
    reason = "Ray lost its worker: WorkerCrashedError"
    engines.a_trial_under_which_workers_die_is_a_row(made(tmp_path, python), reason)
