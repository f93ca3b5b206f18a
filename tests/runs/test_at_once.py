"""How many trials run at once: as is asked, else by a rule of what is planned and the machine."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from helpers import tiny

import ganbench
from ganbench.config import benchmark_file
from ganbench.config import plan as plans
from ganbench.config.schema import Execution
from ganbench.config.yaml_document import Document
from ganbench.records.cells import Plan
from ganbench.records.run_folder import Run
from ganbench.records.run_info import Execution as Recorded
from ganbench.registry.registry import Registry
from ganbench.runs import at_once, beginning, expected
from ganbench.runs.at_once import GIB, AtOnce
from ganbench.runs.costs import Costs
from ganbench.util import gpus, machine

QUIET = tiny.TINY.replace(", throughput]", "]")  # neither time nor speed: three trials
FASTER = "trials of one thread each are faster in sum"


@pytest.fixture
def cores(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Say how many cores the machine has, and how much memory."""

    def cores(count: int, memory: float | None = 64.0) -> None:
        monkeypatch.setattr(machine, "cores", lambda: count)
        monkeypatch.setattr(machine, "memory_bytes", lambda: memory and int(memory * GIB))

    cores(2)
    return cores


@pytest.fixture
def chosen(planned: Any, plugins: Registry) -> Any:
    """What is chosen for a benchmark file's text."""

    def chosen(
        text: str = QUIET, command: at_once.Jobs | None = None, device: str = "cpu", **how: Any
    ) -> AtOnce:
        named = how.pop("named", False)
        overrides = how.pop("overrides", ())
        plan = planned(text, device=device, overrides=overrides)
        return at_once.chosen(plan, plugins, Execution(**how), command, named=named)

    return chosen


def test_where_nothing_is_timed_each_core_has_a_trial(chosen: Any, cores: Any) -> None:
    assert chosen() == AtOnce(2, 1, False, FASTER)
    assert chosen(command="auto") == chosen(jobs="auto") == AtOnce(2, 1, False, FASTER)


def test_where_speed_is_a_column_trials_run_alone_unless_auto_is_asked_for(
    chosen: Any, cores: Any
) -> None:
    found = chosen(tiny.TINY)
    assert (found.jobs, found.threads) == (1, 2)
    assert found.reason == "train-images-per-s is asked for, which other trials would change"
    assert chosen(tiny.TINY, command="auto") == AtOnce(2, 1, False, FASTER)
    assert chosen(tiny.TINY, jobs="auto") == AtOnce(2, 1, False, FASTER)


def test_what_is_asked_for_needs_no_reason(chosen: Any, cores: Any) -> None:
    assert chosen(jobs=1) == chosen(command=1, jobs=3) == AtOnce(1, 2, False)
    assert chosen(tiny.TINY, jobs=5, threads=3) == AtOnce(5, 3, False)


@pytest.mark.parametrize(
    ("how", "jobs", "threads", "reason"),
    [
        ({}, 3, 2, "there are 3 trials"),
        ({"threads": 4}, 2, 4, "each has 4 of 8 cores"),
        ({"threads": 8}, 1, 8, "a trial takes all cores"),
        ({"executor": {"name": "inline"}}, 1, 8, ""),
        ({"overrides": ("evaluation.controls=[]", "matrix.loss=[bce]")}, 1, 8, "there is one tri"),
    ],
)
def test_threads_and_trials_are_in_the_rule(
    chosen: Any, cores: Any, how: dict[str, Any], jobs: int, threads: int, reason: str
) -> None:
    cores(8)
    found = chosen(**how)
    assert (found.jobs, found.threads) == (jobs, threads)
    assert found.reason.startswith(reason)
    assert bool(found.reason) == bool(reason)


def test_cells_that_cannot_be_built_are_no_trials(chosen: Any, cores: Any) -> None:
    text = QUIET.replace("seeds: [0]", "seeds: [0]\non_incompatible: skip").replace(
        "loss: [bce, lsgan]", "loss: [bce]\n  architecture: [{name: mlp, width: 16}, dcgan]"
    )
    text = text.replace("architecture: {name: mlp, width: 16, depth: 1}\n", "")
    assert chosen(text, overrides=("evaluation.controls=[]",)).reason == "there is one trial"


def test_memory_bounds_what_runs_at_once(chosen: Any, cores: Any) -> None:
    cores(2, memory=1.5)
    found = chosen()
    assert (found.jobs, found.threads) == (1, 2)
    assert found.reason == "one may take 1.0 of 1.5 GiB"
    cores(2, memory=None)  # as where no system tells it
    assert chosen().jobs == 2


def test_larger_networks_batches_and_images_may_take_more(planned: Any, plugins: Registry) -> None:
    def most(*overrides: str) -> int:
        return at_once.most_bytes(planned(QUIET, overrides=overrides), plugins)

    assert GIB < most() < 1.01 * GIB
    assert most("architecture.width=2000", "architecture.depth=3") > 1.1 * GIB
    assert most("training.batch_size=2000") > most("training.batch_size=1000") > most()
    halved = most("training.batch_size=2000", "training.micro_batch=1000")
    assert halved == most("training.batch_size=1000")
    images = ("dataset={name: mnist}", "architecture={name: dcgan, width: 8}")
    assert 1.2 * GIB < most(*images) < 1.6 * GIB


@pytest.mark.parametrize(
    ("device", "how", "jobs", "own", "reason"),
    [
        ("cuda:0", {}, 3, True, "3 of 4 GPUs are free"),
        ("cuda:0", {"named": True}, 1, False, "all run on cuda:0"),
        ("cuda:1", {}, 1, False, "all run on cuda:1"),
        ("mps", {}, 1, False, "all run on mps"),
    ],
)
def test_each_free_gpu_has_a_trial(
    chosen: Any,
    cores: Any,
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    how: dict[str, Any],
    jobs: int,
    own: bool,
    reason: str,
) -> None:
    monkeypatch.setattr(machine, "devices", lambda: ["cpu", *(f"cuda:{i}" for i in range(4))])
    monkeypatch.setattr(machine, "has_fast_bfloat16", lambda device: False)
    monkeypatch.setattr(gpus, "is_busy", lambda device: device == "cuda:2")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    cores(6)
    found = chosen(device=device, overrides=("seeds=[0, 1, 2]",), **how)
    assert found == AtOnce(jobs, 6 // jobs, own, reason)


def test_where_every_gpu_is_busy_one_trial_runs(
    chosen: Any, cores: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "devices", lambda: ["cpu", "cuda:0", "cuda:1"])
    monkeypatch.setattr(machine, "has_fast_bfloat16", lambda device: False)
    monkeypatch.setattr(gpus, "is_busy", lambda device: True)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert chosen(device="cuda:0") == AtOnce(1, 2, False, "0 of 2 GPUs are free")


def test_the_choice_is_recorded_and_kept(
    tmp_path: Path, cores: Any, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ganbench.runs.runner._run_trials", lambda *given: iter(()))
    file, out = tiny.write(tmp_path, QUIET.replace("{threads: 1}", "{}")), tmp_path / "run"
    ganbench.run(file, out=out)
    about = json.loads((out / "run.json").read_text("utf-8"))["execution"]
    assert (about["jobs"], about["threads"], about["jobs_reason"]) == (2, 1, FASTER)
    assert not any(trial.alone for trial in Run.read(out).trials)
    cores(8)
    for jobs in (None, "auto", 2):
        ganbench.run(file, out=out, jobs=jobs)
    assert json.loads((out / "run.json").read_text("utf-8"))["execution"] == about
    assert "goes on with its jobs" not in caplog.text
    ganbench.run(file, out=out, jobs=3)
    assert "goes on with its jobs as it was begun" in caplog.text


@pytest.mark.parametrize(
    ("execution", "alone"),
    [
        (Recorded(jobs=2), False),
        (Recorded(jobs=1), True),
        (Recorded(jobs=2, own_gpus=True), True),  # each on a GPU of its own
    ],
)
def test_what_is_expected_is_of_trials_as_alone_as_they_will_be(
    planned: Any,
    plugins: Registry,
    monkeypatch: pytest.MonkeyPatch,
    execution: Recorded,
    alone: bool,
) -> None:
    seen = set()

    def of(costs: Costs, trial: Any) -> Any:
        seen.add((trial.alone, trial.threads))
        raise KeyError  # enough is seen

    monkeypatch.setattr(Costs, "was_timed", of)
    plan: Plan = planned(QUIET)
    with pytest.raises(KeyError):
        expected.expected(plan, plugins, execution)
    assert seen == {(alone, 1)}


def test_a_run_lasts_as_long_as_its_longest_trial(planned: Any, plugins: Registry) -> None:
    cost = expected.Expected(expected.Cost(0.0, 30.0, 0.0, 2.0, False))
    short = expected.Expected(expected.Cost(0.0, 0.0, 0.0, 4.0))
    found = expected.ExpectedRun([cost], [short], 5.0)
    assert found.seconds(1, jobs=1) == 41.0
    assert found.seconds(1, jobs=16) == 37.0
    assert found.seconds(2, jobs=2) == 39.0
    assert found.guessed(2, jobs=2) == 2.0


def test_a_plan_says_how_many_run_at_once_and_why(tmp_path: Path) -> None:
    file = tiny.write(tmp_path)
    done = tiny.ganbench("plan", file, "--no-estimate", cwd=tmp_path)
    assert "2 trials on cpu; one by one, as train-images-per-s is asked for" in done.stdout
    found = tiny.ganbench("plan", file, "--no-estimate", "--json", cwd=tmp_path)
    about = json.loads(found.stdout)
    assert (about["jobs"], about["threads"]) == (1, 1)
    assert about["jobs_reason"].startswith("train-images-per-s")
    asked = tiny.ganbench("plan", file, "--no-estimate", "--set", "execution.jobs=2", cwd=tmp_path)
    assert asked.stdout.splitlines()[-2].endswith("2 trials on cpu; 2 at once")


def test_jobs_are_a_number_or_auto(tmp_path: Path) -> None:
    file = tiny.write(tmp_path)
    for arguments, said in (
        (("--jobs", "many"), "'many': expected a whole number of at least 1, or auto"),
        (("--jobs", "-1"), "-1 is not in the range"),
        (("--set", "execution.jobs=all"), "jobs: expected "),
    ):
        done = tiny.ganbench("run", file, *arguments, cwd=tmp_path)
        assert done.returncode == 2
        assert said in done.stderr
    assert "'auto', found 'all'" in done.stderr


def test_orders_of_a_command_and_of_a_file_are_the_same(
    tmp_path: Path, plugins: Registry, cores: Any
) -> None:
    from ganbench.runs import benchmark

    found = []
    for overrides, jobs in ((("execution.jobs=auto",), None), ((), "auto")):
        arguments = benchmark.BenchmarkArguments(tiny.write(tmp_path), overrides=overrides)
        prepared = benchmark.prepare(arguments)
        order = benchmark.ordered(prepared, arguments, jobs)
        found.append(beginning.execution(order, prepared.plan, plugins))
    assert found[0] == found[1]
    assert (found[0].jobs, found[0].threads) == (2, 1)


def test_what_is_measured_on_the_way_is_expected_too(
    planned: Any, plugins: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten evaluations of 2,000 samples, each after a calibration, at a millisecond a sample."""
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(expected.judging_time, "estimate", lambda *_, **__: (0.0, 30.0))
    estimated = SimpleNamespace(per_image=1e-3, per_sample=1e-3, bound=None)
    monkeypatch.setattr(expected.Estimator, "estimate", lambda self, cell: estimated)
    time_to = "{name: time-to, targets: {fid@pixels: 1}, num_samples: 2000, points: 10}"
    training = []
    for metrics in ("fid@pixels", f"fid@pixels, {time_to}"):
        text = QUIET.replace("200, metrics: [mode-coverage, fid]", f"4000, metrics: [{metrics}]")
        assert metrics in text
        cell, _ = expected.expected(planned(text), plugins, Recorded(jobs=1)).cells
        training.append(cell.cost.training)
    looks = 10 * (7.120 + 30.0 / 2 / 2)  # one of two metrics, of half of the samples
    assert training[1] - training[0] == pytest.approx(looks, abs=0.5)  # of a clock of this process


def test_a_mapping_network_is_seen_before_others_of_its_metrics_count_by_it(
    with_packages: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A plan with ppl says what it takes of the cells, and of the references nothing of it."""
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path))
    monkeypatch.setattr(
        expected.judging_time, "estimate", lambda *_, mapped, **__: (0.0, 50.0 if mapped else 2.0)
    )
    monkeypatch.setattr(expected.Estimator, "estimate", lambda self, cell: None)
    text = """\
version: 1
name: paths
dataset: mnist
loss: bce
conditioning: none
matrix: {architecture: [mlp, {name: stylegan2, width: 2, max_width: 4}]}
training: {budget: {kimg: 1}}
evaluation: {num_samples: 200, metrics: [ppl@pixels]}
"""
    asked = benchmark_file.parse(Document.parse(text, "b.yaml"), with_packages)
    made = plans.make(asked, with_packages, device="cpu")
    found = expected.expected(made, with_packages, Recorded(jobs=1))
    assert [one.cost.judging for one in found.cells] == [50.0, 50.0]
    assert [one.cost.judging for one in found.references] == [2.0]
