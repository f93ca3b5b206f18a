"""What is common to executors of clusters, with light workers and an engine that loses jobs."""

from __future__ import annotations

import json
import os
import pickle
import sys
import threading
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from helpers.hanging import alive, wait_until

import ganbench
from ganbench import Cluster, ClusterExecutor, Errand, JobEnd, Resources, TrialRef
from ganbench.contracts import clusters
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.here import Here, WithoutEngine

WORKER = """\
import json, os, pathlib, sys, time

folder = pathlib.Path(sys.argv[1])
print("said by", folder.name, flush=True)
if "dies" in folder.name:
    sys.exit(7)
if "hangs" in folder.name:
    (folder / "pid").write_text(str(os.getpid()))
    time.sleep(60)
(folder / "result.json").write_text(json.dumps({**os.environ, "cwd": os.getcwd()}))
"""


@pytest.fixture(autouse=True)
def light(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers that import nothing."""
    package = tmp_path / "light" / "ganbench"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text(f"__path__.append({ganbench.__path__[0]!r})\n")
    (package / "worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", str(package.parent))
    monkeypatch.setattr(clusters, "LAG_SECONDS", 0.2)


@dataclass(kw_only=True)
class Losing(WithoutEngine, ClusterExecutor):
    """An executor that loses each job so many times."""

    name = "losing"
    times: int = 0
    reason: str = "its machine was lost"
    again: bool = True

    @contextmanager
    def opened(self, resources: Resources) -> Iterator[Cluster]:
        """Open no engine."""
        yield Loses(resources, self)


class Loses(Here):
    def __init__(self, resources: Resources, executor: Losing) -> None:
        super().__init__(resources)
        self.executor, self.lost, self.most = executor, Counter[str](), 0

    def send(self, errands: Sequence[Errand]) -> Sequence[str]:
        self.losing = [e for e in errands if self.lost[e.trial.label] < self.executor.times]
        if self.losing:
            (errand,) = errands
            self.lost[errand.trial.label] += 1
            return ["lost"]
        return super().send(errands)

    def ends(self, jobs: Collection[str]) -> Mapping[str, JobEnd]:
        self.most = max(self.most, len(jobs))
        assert self.most <= self.resources.jobs
        if "lost" not in jobs:
            return super().ends(jobs)
        return {"lost": JobEnd(self.executor.reason, again=self.executor.again)}

    def stop(self, jobs: Collection[str]) -> None:
        super().stop([job for job in jobs if job != "lost"])


@parametrize_with_checks(Losing)
def test_conformance(check):
    check()


def trials(folder: Path, *names: str) -> list[TrialRef]:
    for name in names:
        (folder / name).mkdir()
    return [TrialRef(folder / name, name) for name in names]


def end_of(trial: TrialRef) -> dict[str, str]:
    return json.loads((trial.directory / "end.json").read_text("utf-8"))


def test_workers_find_caches_plugins_threads_and_their_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("GANBENCH_LOAD_PLUGINS", "mine")
    monkeypatch.setenv("OTHER", "of this machine")
    (trial,) = trials(tmp_path, "a")
    errand = Errand.of(trial, Resources(threads=3, cwd=tmp_path))
    for name in ("GANBENCH_CACHE", "GANBENCH_LOAD_PLUGINS", "OTHER"):
        monkeypatch.delenv(name)
    pickle.loads(pickle.dumps(errand))()
    found = json.loads((trial.directory / "result.json").read_text())
    assert found["GANBENCH_CACHE"] == str(tmp_path / "cache")
    assert found["GANBENCH_DATA"] == str(tmp_path / "cache" / "data")
    assert found["GANBENCH_LOAD_PLUGINS"] == "mine"
    assert found["OMP_NUM_THREADS"] == found["MKL_NUM_THREADS"] == "3"
    assert "glibc.malloc" in found["GLIBC_TUNABLES"]
    assert found["cwd"] == str(tmp_path)
    assert "OTHER" not in found
    assert trial.log.read_text() == "said by a\n"


def test_errand_that_was_done_is_not_done_again(tmp_path: Path) -> None:
    (trial,) = trials(tmp_path, "a")
    (trial.directory / "result.json").write_text("{}")
    Errand.of(trial, Resources())()
    assert not trial.log.exists()


def test_trial_whose_machine_is_lost_goes_again_once(tmp_path: Path) -> None:
    given = trials(tmp_path, "a", "b", "c")
    assert set(Losing(times=1).run(given, Resources())) == set(given)
    assert all((trial.directory / "result.json").is_file() for trial in given)
    given = trials(tmp_path, "d")
    assert list(Losing(times=2).run(given, Resources())) == given
    assert end_of(given[0]) == {"status": "failed", "reason": "its machine was lost"}


def test_what_would_be_lost_again_is_a_row_at_once(tmp_path: Path) -> None:
    given = trials(tmp_path, "a")
    losing = Losing(times=1, reason="too little memory", again=False)
    assert list(losing.run(given, Resources())) == given
    assert end_of(given[0])["reason"] == "too little memory"


def test_folder_that_machines_do_not_share_is_told_of(tmp_path: Path) -> None:
    given = trials(tmp_path, "a")
    assert list(Losing(times=1, reason="").run(given, Resources())) == given
    assert "do all machines share it?" in end_of(given[0])["reason"]


def test_worker_that_dies_or_takes_too_long_is_a_row(tmp_path: Path) -> None:
    given = trials(tmp_path, "dies", "hangs")
    resources = Resources(jobs=2, timeout_seconds=1.5)
    assert list(Losing().run(given, resources)) == given
    assert (
        "exit code 7 and no result; its log ends with: said by dies" in end_of(given[0])["reason"]
    )
    assert end_of(given[1]) == {"status": "timeout", "reason": "stopped after 1.5 s"}
    assert not alive(int((given[1].directory / "pid").read_text()))


def test_worker_that_was_stopped_has_no_end(tmp_path: Path) -> None:
    (trial,) = trials(tmp_path, "hangs")
    errand = Errand.of(trial, Resources())
    thread = threading.Thread(target=errand)
    thread.start()
    wait_until(lambda: (trial.directory / "pid").is_file())
    assert errand.is_at_work
    began = time.monotonic()
    errand.ask_to_stop(patience=30.0)
    thread.join(20)
    assert time.monotonic() - began < 15  # it heeds no signal
    assert not errand.is_at_work
    assert not trial.has_ended
    assert not alive(int((trial.directory / "pid").read_text()))


@dataclass(kw_only=True)
class Attaching(Losing):
    """An executor whose jobs outlive the command, as the trial 0 has."""

    name = "attaching"
    attaches = True

    @contextmanager
    def opened(self, resources: Resources) -> Iterator[Cluster]:
        """Open no engine."""
        yield Attached(resources, self)


class Attached(Loses):
    taken: Mapping[str, TrialRef] = {}

    def attach(self, jobs: Mapping[str, TrialRef]) -> Collection[str]:
        self.taken = {job: trial for job, trial in jobs.items() if job == "0 of before"}
        return list(self.taken)

    def ends(self, jobs: Collection[str]) -> Mapping[str, JobEnd]:
        for trial in self.taken.values():
            (trial.directory / "result.json").write_text("{}")
        return {
            **{job: JobEnd() for job in jobs if job in self.taken},
            **super().ends([job for job in jobs if job not in self.taken]),
        }


def test_jobs_of_a_command_that_died_are_waited_for(tmp_path: Path) -> None:
    given = trials(tmp_path, "left", "gone", "another's", "new")
    said = ("0 of before", "attaching"), ("1 of before", "attaching"), ("0 of before", "other")
    for trial, (job, executor) in zip(given, said, strict=False):
        text = json.dumps({"executor": executor, "job": job})
        (trial.directory / "job.json").write_text(text)
    assert list(Attaching().still_at_work(given)) == given[:1]
    assert set(Attaching().run(given, Resources(jobs=2))) == set(given)
    assert not given[0].log.exists()  # it was begun no second time
    assert all(trial.log.exists() for trial in given[1:])
    assert not (given[1].directory / "job.json").exists()


def test_job_is_noted_while_it_is_at_work(tmp_path: Path) -> None:
    given = trials(tmp_path, "hangs", "a")
    running = Attaching().run(given, Resources(jobs=2))
    assert next(running) == given[1]
    assert json.loads((given[0].directory / "job.json").read_text()) == {
        "executor": "attaching", "job": "0",
    }  # fmt: skip
    assert not (given[1].directory / "job.json").exists()
    running.close()
    assert not (given[0].directory / "job.json").exists()


def test_worker_ends_with_the_process_of_its_errand(tmp_path: Path) -> None:
    (trial,) = trials(tmp_path, "a")
    assert trial.command()[0] == sys.executable
    assert trial.command()[-2:] == [os.fspath(trial.directory.resolve()), "--stop-with-parent"]
