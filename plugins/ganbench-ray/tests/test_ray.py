"""Options and ends of tasks, without Ray itself; test_ray_tasks.py has that."""

import sys
from dataclasses import dataclass
from types import SimpleNamespace

import pytest
from ganbench_ray import Ray, Tasks

from ganbench import Errand, GanbenchError, Resources, TrialRef
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.here import WithoutEngine


@dataclass(kw_only=True)
class Bare(WithoutEngine, Ray):
    """As it is without Ray."""


@parametrize_with_checks(Bare)
def test_conformance(check):
    check()


class RayError(Exception):
    """As Ray has it, and those below."""


class RayTaskError(RayError):
    """A task that raised."""


class OutOfMemoryError(RayError):
    """A task that took too much."""


class WorkerCrashedError(RayError):
    """A worker that died."""


class Engine:
    """Of the module `ray`, what a run calls."""

    exceptions = SimpleNamespace(
        RayError=RayError, RayTaskError=RayTaskError, OutOfMemoryError=OutOfMemoryError
    )

    def __init__(self, *errors):
        self.errors, self.asked, self.cancelled = list(errors), {}, []

    def remote(self, **options):
        self.asked = options
        return lambda function: SimpleNamespace(remote=self.sent)

    def sent(self, errand):
        return SimpleNamespace(hex=lambda: errand.trial.label)

    def wait(self, refs, num_returns, timeout):
        ready = [ref for ref in refs if self.errors or ref in self.cancelled]
        return ready, [ref for ref in refs if ref not in ready]

    def get(self, ref):
        if (error := self.errors.pop(0)) is not None:
            raise error

    def cancel(self, ref, force):
        self.cancelled.append(ref)


def sent(tmp_path, engine, **options):
    tasks = Tasks(Ray(**options), Resources(threads=2), engine)
    return tasks, tasks.send([Errand.of(TrialRef(tmp_path, "a"), tasks.resources)])


def test_tasks_ask_for_their_place(tmp_path):
    engine = Engine(None)
    tasks, jobs = sent(tmp_path, engine, gpus=0.5, memory_gb=2, extra={"a100": 1})
    assert engine.asked == {
        "num_cpus": 2, "num_gpus": 0.5, "memory": 2**31, "resources": {"a100": 1}, "max_retries": 0,
    }  # fmt: skip
    assert tasks.ends(jobs)["a"].reason == ""


@pytest.mark.parametrize(
    ("error", "again", "said"),
    [
        (RayTaskError("trace\nOSError: no such folder"), False, "raised: OSError: no such folder"),
        (OutOfMemoryError("much"), False, "give the executor memory_gb"),
        (WorkerCrashedError("it died\nmore"), True, "WorkerCrashedError: it died"),
    ],
)
def test_ends_of_tasks_have_reasons(error, again, said, tmp_path):
    tasks, jobs = sent(tmp_path, Engine(error))
    end = tasks.ends(jobs)["a"]
    assert end.again == again
    assert end.reason.endswith(said)


def test_tasks_that_run_are_cancelled(tmp_path):
    engine = Engine()
    tasks, jobs = sent(tmp_path, engine)
    assert not tasks.ends(jobs)
    tasks.stop(jobs)
    assert len(engine.cancelled) == 1


@pytest.mark.parametrize("options", [{"gpus": -1.0}, {"memory_gb": 0.0}])
def test_numbers_out_of_range_are_refused(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        Ray(**options)


def test_where_there_is_no_engine_it_says_so(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(GanbenchError, match="pip install ray"):
        list(Ray().run([TrialRef(tmp_path, "a")], Resources()))
