"""submitit's own jobs: processes of this machine, and those of a Slurm of one node."""

import os
import signal
import subprocess

import pytest
from helpers import engines
from helpers.hanging import wait_until

pytestmark = [pytest.mark.integration, pytest.mark.install]
JOBS = {"jobs": 2, "threads": 1}


@pytest.fixture(scope="module")
def python():
    return engines.python_with("submitit>=1.5")


@pytest.fixture(scope="module")
def slurm():
    with engines.slurm() as found:
        yield found


def made(folder, python, surroundings=None, **options):
    execution = {**JOBS, "executor": {"name": "submitit", **options}}
    return engines.Many(folder, python, "ganbench-submitit", execution, surroundings or {})


def queued(surroundings):
    command = ["squeue", "--noheader", "--format=%i"]
    found = subprocess.run(command, env={**os.environ, **surroundings}, stdout=subprocess.PIPE)
    return found.stdout.decode().split()


def test_kit_with_local_jobs(python, tmp_path):
    plugin = 'Submitit(cluster="local", minutes=5)'
    engines.passes_the_kit(python, "ganbench-submitit", plugin, tmp_path)


def test_local_jobs_lose_nothing(python, tmp_path):
    many = made(tmp_path, python, cluster="local", minutes=30)
    engines.nothing_is_lost_or_done_twice(many)
    assert "it is sent once more" in many.log


def test_slurm_loses_nothing(python, slurm, tmp_path):
    many = made(tmp_path, python, slurm, minutes=30, memory_gb=0.5)
    engines.nothing_is_lost_or_done_twice(many)
    assert "it is sent once more" in many.log


@pytest.mark.parametrize("cluster", ["local", "slurm"])
def test_interrupted_run_leaves_no_job(cluster, python, tmp_path, request):
    surroundings = request.getfixturevalue("slurm") if cluster == "slurm" else {}
    many = made(tmp_path, python, surroundings, cluster=cluster, minutes=30)
    process = many.begin(3, 5000)
    wait_until(lambda: list(many.run.glob("trials/*/metrics.jsonl")), process, seconds=300)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 143, many.log
    assert not engines.processes_with("ganbench.worker", str(many.run))
    assert cluster == "local" or not queued(surroundings)
    assert list(many.run.glob("trials/*/checkpoint.pt"))
    assert not list(many.run.glob("trials/*/end.json"))


def test_training_longer_than_a_job_goes_on_in_the_next(python, slurm, tmp_path):
    many = made(tmp_path, python, slurm, minutes=3, notice=60)
    process = many.begin(1, 100_000)
    wait_until(lambda: list(many.run.glob("trials/*/checkpoint.pt")), process, seconds=300)
    wait_until(lambda: sum(many.begun().values()) >= 2, process, seconds=600)
    process.send_signal(signal.SIGTERM)
    assert process.wait(120) == 143, many.log


def test_job_that_is_cancelled_is_a_row(python, slurm, tmp_path):
    many = made(tmp_path, python, slurm, minutes=30)
    process = many.begin(1, 100_000)
    wait_until(lambda: list(many.run.glob("trials/*/metrics.jsonl")), process, seconds=300)
    subprocess.run(["scancel", *queued(slurm)], env={**os.environ, **slurm}, check=True)
    assert process.wait(180) == 3, many.log
    (end,) = many.run.glob("trials/*/end.json")
    assert "was cancelled" in end.read_text("utf-8")


def test_resume_takes_over_the_jobs_of_a_command_that_died(python, slurm, tmp_path):
    many = made(tmp_path, python, slurm, minutes=30)
    process = many.begin(4, 20)
    wait_until(lambda: list(many.run.glob("trials/*/metrics.jsonl")), process, seconds=300)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert queued(slurm)
    assert many.command("resume", many.run).wait(600) == 0, many.log
    assert "still at work and now waited for" in many.log
    assert {result["status"] for result in many.results().values()} == {"ok"}
    assert many.begun() == {str(seed): 1 for seed in range(4)}
