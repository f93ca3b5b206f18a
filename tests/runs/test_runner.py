"""From a plan to results, in this process."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
from helpers import tiny

from ganbench import Executor, Resources, TrialRef
from ganbench.config import benchmark_file, plan
from ganbench.errors import RunError
from ganbench.records import run_folder
from ganbench.records.results import TrainingCounts
from ganbench.records.run_folder import Run, Trial, TrialOutcome
from ganbench.registry.registry import Registry
from ganbench.runs import beginning, dealing, runner
from ganbench.runs.costs import Costs
from ganbench.util import machine
from ganbench.util.allocator import KEEP_MEMORY


def started(tmp_path: Path, plugins: Registry, text: str = tiny.INLINE, **order: Any) -> Run:
    path = tiny.write(tmp_path, text)
    found = benchmark_file.load(path, plugins)
    planned = plan.make(found, plugins, device="cpu")
    asked = beginning.Order(found, path, None, (), (), order.get("jobs", 1))
    return beginning.create(tmp_path / "run", planned, asked, plugins)


def test_run_with_the_inline_executor_gives_every_trial_a_result(
    tmp_path: Path, plugins: Registry
) -> None:
    run = started(tmp_path, plugins)
    outcomes = runner.execute(run, plugins)
    assert [o.status for o in outcomes] == ["ok"] * 3
    training = outcomes[1].result.training
    assert training == TrainingCounts(images=1000, iterations=20, g_updates=20, d_updates=20)
    assert (run.directory / "results.csv").exists()


def test_observer_hears_of_every_trial_once(tmp_path: Path, plugins: Registry) -> None:
    heard: list[str] = []

    class Ear(runner.Observer):
        def began(self, run: Run, waiting: Sequence[Trial], done: int) -> None:
            heard.append(f"began {len(waiting)} {done}")

        def finished(self, outcome: TrialOutcome) -> None:
            heard.append(outcome.status)

        def ended(self) -> None:
            heard.append("ended")

    run = started(tmp_path, plugins)
    runner.execute(run, plugins, Ear())
    assert heard == ["began 3 0", "ok", "ok", "ok", "ended"]
    heard.clear()
    runner.execute(run, plugins, Ear())
    assert heard == ["began 0 3", "ended"]


def test_only_trials_without_a_final_result_run_again(tmp_path: Path, plugins: Registry) -> None:
    run = started(tmp_path, plugins)
    first, second, third = runner.execute(run, plugins)
    (second.directory / "result.json").write_text('{"status": "ok", "metr')  # cut short
    (third.directory / "result.json").write_text('{"status": "failed", "reason": "power cut"}')
    kept = (first.directory / "result.json").stat().st_mtime_ns
    assert [o.status for o in runner.execute(run, plugins)] == ["ok"] * 3
    assert (first.directory / "result.json").stat().st_mtime_ns == kept
    path = second.directory / "result.json"
    before = tiny.without_clock(json.loads(path.read_text("utf-8")))
    path.write_text(path.read_text("utf-8").replace('"images": 1000', '"images": 1001'), "utf-8")
    assert [o.status for o in run.outcomes()] == ["ok", "unfinished", "ok"]
    assert [o.status for o in runner.execute(run, plugins)] == ["ok"] * 3
    assert tiny.without_clock(json.loads(path.read_text("utf-8"))) == before


def test_diverged_trial_is_a_finding_and_not_run_again(tmp_path: Path, plugins: Registry) -> None:
    text = tiny.INLINE.replace("log_every: 5", "log_every: 5, g_lr: 1e30, d_lr: 1e30")
    run = started(tmp_path, plugins, text)
    outcomes = runner.execute(run, plugins)
    assert {o.status for o in outcomes[1:]} == {"diverged"}
    assert "became nan" in outcomes[1].reason or "became inf" in outcomes[1].reason
    before = [(o.directory / "result.json").stat().st_mtime_ns for o in outcomes]
    again = runner.execute(run, plugins)
    assert [(o.directory / "result.json").stat().st_mtime_ns for o in again] == before


def test_full_disk_loses_nothing_that_was_there(
    tmp_path: Path, plugins: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = started(tmp_path, plugins)
    runner.execute(run, plugins)
    before = (run.directory / "results.csv").read_bytes()

    def full(*args: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    kept = "no space left on device; what is finished is kept: once there is room, `ganbench resum"
    with pytest.raises(RunError, match=kept):
        runner.execute(run, plugins)
    assert (run.directory / "results.csv").read_bytes() == before
    assert not list(run.directory.glob(".results*"))


def handed_over(run: Run, plugins: Registry) -> tuple[Sequence[TrialRef], Resources]:
    """Execute a run with an executor that does nothing; return what it is given."""
    seen: list[tuple[Sequence[TrialRef], Resources]] = []

    @dataclass(kw_only=True)
    class Cluster(Executor):
        """Somewhere else."""

        name = "cluster"

        def run(self, trials: Sequence[TrialRef], resources: Resources) -> Iterator[TrialRef]:
            seen.append((trials, resources))
            return iter(())

    local = plugins.lookup("executor", "local")
    plugins._entries["executor", "local"] = type(local)("executor", Cluster, local.source)
    try:
        outcomes = runner.execute(run, plugins)
    finally:
        plugins._entries["executor", "local"] = local
    assert {o.status for o in outcomes} == {"unfinished"}
    (given,) = seen
    return given


def test_executor_gets_paths_and_resources_alone(
    tmp_path: Path, plugins: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    run = started(tmp_path, plugins, tiny.TINY, jobs=4)
    trials, resources = handed_over(run, plugins)
    assert [t.directory.name for t in trials] == [t.id for t in run.trials]
    assert all(json.loads((t.directory / "trial.json").read_text()) for t in trials)
    assert (resources.jobs, resources.threads, resources.devices) == (4, 1, ())
    assert not run.trials[0].alone


def test_a_long_trial_does_not_begin_last_where_several_run_at_once(
    tmp_path: Path, plugins: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    text = tiny.TINY.replace("[bce, lsgan]", "[bce, lsgan, wgan-gp]")
    run = started(tmp_path, plugins, text, jobs=2)
    real, first, second, long = run.trials
    costs = Costs()
    for trial, per_image in ((first, 1.0), (second, 1.0), (long, 2.0)):
        costs.estimate(trial, per_image, 1e-6)
    costs.keep()
    trials, _ = handed_over(run, plugins)
    begun = [trial.id for trial in trials]
    assert sorted(begun) == sorted([real.id, first.id, second.id, long.id])
    assert begun[0] == real.id
    assert begun[-1] != long.id


@pytest.mark.parametrize(
    ("jobs", "gpus", "named", "alone"),
    [(1, 1, False, True), (2, 2, False, True), (3, 2, False, False), (2, 2, True, False)],
)
def test_a_trial_is_alone_that_has_its_gpu_to_itself(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    plugins: Registry,
    jobs: int,
    gpus: int,
    named: bool,
    alone: bool,
) -> None:
    there = ["cpu", *(f"cuda:{i}" for i in range(gpus))]
    monkeypatch.setattr(machine, "devices", lambda: there)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    run = started(tmp_path, plugins, tiny.TINY, jobs=jobs)
    own_gpus = dealing.own_gpus("cuda:0", jobs, named=named)
    execution = replace(run.info.execution, own_gpus=own_gpus)
    assert {
        trial.alone for trial in replace(run, info=replace(run.info, execution=execution)).trials
    } == {alone}


def test_threads_are_the_trial_s_share_of_cores(
    tmp_path: Path, plugins: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(machine, "cores", lambda: 8)
    text = tiny.TINY.replace("execution: {threads: 1}\n", "")
    assert started(tmp_path, plugins, text, jobs=3).info.execution.threads == 2


def test_directory_that_is_no_run_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"not a run of ganbench: run\.json is missing"):
        Run.read(tmp_path)


def test_default_directory_is_counted_on_where_it_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("ganbench.runs.provenance.now", lambda: "2026-01-02T03:04:05+00:00")
    first = beginning.default_directory("x")
    assert str(first) == "results/x/2026-01-02-030405"
    assert first.is_dir()
    assert beginning.default_directory("x").name == "2026-01-02-030405-2"


def test_run_directory_reads_back_as_it_was_planned(tmp_path: Path, plugins: Registry) -> None:
    run = started(tmp_path, plugins)
    again = Run.read(run.directory)
    assert again.plan == run.plan
    assert again.plan.id == run.plan.id
    assert [t.id for t in again.trials] == [t.id for t in run.trials]
    assert run_folder.Run.read(run.directory).info.config.endswith("tiny.yaml")


@pytest.mark.parametrize("own", [None, "glibc.malloc.check=0"])
def test_workers_keep_the_memory_they_free_unless_told_otherwise(
    tmp_path: Path, own: str | None
) -> None:
    tiny.write(tmp_path, tiny.UNCONTROLLED)
    changes = {} if own is None else {"GLIBC_TUNABLES": own}
    done = tiny.ganbench("run", "tiny.yaml", "--out", "out", cwd=tmp_path, **changes)
    assert done.returncode == 0, done.stderr
    results = tiny.results(tmp_path / "out").values()
    assert {found["environment"]["allocator"] for found in results} == {own or KEEP_MEMORY}
