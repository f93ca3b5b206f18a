"""Options, states and signals, without submitit itself; test_submitit_jobs.py has that."""

import json
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import ganbench_submitit
import pytest
from ganbench_submitit import Jobs, Submitit, Task, job_end

from ganbench import Errand, GanbenchError, Resources, TrialRef
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.here import WithoutEngine


@dataclass(kw_only=True)
class Bare(WithoutEngine, Submitit):
    """As it is without submitit."""


@parametrize_with_checks(Bare)
def test_conformance(check):
    check()


def told(resources=None, **options):
    return Submitit(**options).parameters(resources or Resources(jobs=8, threads=4))


def test_options_are_those_of_jobs():
    found = told(partition="gpu", gpus=2, memory_gb=16, minutes=90, extra={"qos": "long"})
    assert found == {
        "name": "ganbench",
        "timeout_min": 90,
        "cpus_per_task": 4,
        "mem_gb": 16,
        "gpus_per_node": 2,
        "slurm_partition": "gpu",
        "slurm_array_parallelism": 8,
        "slurm_signal_delay_s": 120,
        "slurm_setup": None,
        "slurm_additional_parameters": {"qos": "long"},
    }
    assert not [key for key in told(cluster="local", partition="gpu") if key.startswith("slurm")]


@pytest.mark.parametrize(
    ("minutes", "timeout", "job", "notice"),
    [(None, None, 60, 120), (None, 90.0, 4, 120), (None, 3600.0, 62, 120), (2, 3600.0, 2, 60)],
)
def test_timeout_of_a_trial_is_wall_time(minutes, timeout, job, notice):
    found = told(Resources(timeout_seconds=timeout), minutes=minutes)
    assert (found["timeout_min"], found["slurm_signal_delay_s"]) == (job, notice)


@pytest.mark.parametrize(
    "options", [{"gpus": -1}, {"minutes": 0}, {"memory_gb": 0.0}, {"notice": 5}]
)
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Submitit(**options)


@pytest.mark.parametrize(
    ("state", "status", "again", "said"),
    [
        ("TIMEOUT", "timeout", False, "more minutes"),
        ("OUT_OF_MEMORY", "failed", False, "memory_gb, 2 now"),
        ("CANCELLED", "failed", False, "job 7_1 was cancelled"),
        ("NODE_FAIL", "failed", True, "as NODE_FAIL"),
        ("FAILED", "failed", True, "as FAILED"),
    ],
)
def test_states_without_an_answer_are_ends(state, status, again, said):
    end = job_end("7_1", state, Submitit(memory_gb=2))
    assert (end.status, end.again) == (status, again)
    assert said in end.reason


def test_arrays_are_as_long_as_slurm_takes_them():
    resources = Resources(jobs=3)
    assert Jobs(Submitit(), resources).room(10) == 990
    assert Jobs(Submitit(cluster="local"), resources).room(1) == 2


def test_variables_of_a_job_around_are_hidden(monkeypatch):
    for name in ("SLURM_JOB_ID", "SLURM_CONF", "SBATCH_ACCOUNT"):
        monkeypatch.setenv(name, "x")
    with ganbench_submitit.outside_of_jobs():
        assert "SLURM_JOB_ID" not in os.environ
        assert os.environ["SLURM_CONF"] == os.environ["SBATCH_ACCOUNT"] == "x"
    assert os.environ["SLURM_JOB_ID"] == "x"


def test_where_there_is_no_engine_it_says_so(monkeypatch, tmp_path):
    trial = TrialRef(tmp_path, "a")
    monkeypatch.setitem(sys.modules, "submitit", None)
    with pytest.raises(GanbenchError, match="pip install submitit"):
        list(Submitit().run([trial], Resources()))
    monkeypatch.setitem(sys.modules, "submitit", os)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(GanbenchError, match="no sbatch here"):
        list(Submitit().run([trial], Resources()))


@dataclass(frozen=True)
class Told(Errand):
    """An errand that is told of its job's end while it runs."""

    number: int = 0
    keeps: bool = True

    def __call__(self, is_wanted) -> None:
        assert is_wanted()
        os.kill(os.getpid(), self.number)
        if self.keeps:
            (self.trial.directory / "checkpoint.pt").touch()


@pytest.fixture
def handled():
    """What submitit's handlers would be called with; handlers are put back afterwards."""
    found = []
    numbers = (signal.SIGTERM, signal.SIGUSR2)
    before = {n: signal.signal(n, lambda number, frame: found.append(number)) for n in numbers}
    yield found
    for number, handler in before.items():
        signal.signal(number, handler)


def test_job_that_is_told_of_its_end_goes_on_in_another(tmp_path, handled):
    Task(Told(TrialRef(tmp_path, "a"), number=signal.SIGUSR2), 5.0, 1)()
    assert handled == [signal.SIGUSR2]
    with pytest.raises(SystemExit, match="143"):
        Task(Told(TrialRef(tmp_path, "a"), number=signal.SIGTERM), 5.0, 1)()
    assert handled == [signal.SIGUSR2]
    assert not (tmp_path / "end.json").exists()


def test_training_without_a_checkpoint_does_not_begin_for_ever(tmp_path, handled):
    told = Told(TrialRef(tmp_path, "a"), number=signal.SIGUSR2, keeps=False)
    task = Task(told, 5.0, 3, command=os.getpid())
    task()
    assert task.checkpoint() is None
    end = json.loads((Path(tmp_path) / "end.json").read_text())
    assert end["status"] == "timeout"
    assert "the end of its 3 minutes" in end["reason"]
