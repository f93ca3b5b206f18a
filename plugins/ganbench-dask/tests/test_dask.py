"""Options and ends of tasks, without Dask itself; test_dask_tasks.py has that."""

import sys
from dataclasses import dataclass
from types import SimpleNamespace

import ganbench_dask
import pytest
from ganbench_dask import Dask, Tasks

from ganbench import Errand, GanbenchError, Resources, TrialRef
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.here import WithoutEngine


@dataclass(kw_only=True)
class Bare(WithoutEngine, Dask):
    """As it is without Dask."""


@parametrize_with_checks(Bare)
def test_conformance(check):
    check()


class Client:
    """Of Dask's client, what a run calls."""

    def __init__(self):
        self.submitted, self.cancelled, self.ran = [], [], []

    def submit(self, function, errand, name, **options):
        self.submitted.append((errand, options))
        return SimpleNamespace(done=lambda: True, status="finished")

    def cancel(self, futures):
        self.cancelled += futures

    def run(self, function, errands, on_error):
        self.ran.append((function, errands))


def test_tasks_ask_for_what_workers_declare(tmp_path):
    client = Client()
    executor = Dask(gpus=1, extra={"MEMORY": 16e9})
    tasks = Tasks(executor, Resources(timeout_seconds=7.0), client)
    (job,) = tasks.send([Errand.of(TrialRef(tmp_path, "a"), tasks.resources)])
    ((errand, options),) = client.submitted
    assert options["resources"] == {"GPU": 1, "MEMORY": 16e9}
    assert options["key"] == job
    assert errand.timeout_seconds == 7.0
    assert tasks.ends([job])[job].reason == ""
    tasks.stop([job])
    assert client.ran == [(Errand.all_stopped, [errand])]
    assert len(client.cancelled) == 1


class KilledWorker(Exception):
    """As Dask calls it."""


@pytest.mark.parametrize(
    ("status", "error", "said"),
    [
        ("error", KilledWorker("2 workers"), "its workers died, one after the other: 2 workers"),
        ("error", OSError("no such folder"), "its task raised OSError: no such folder"),
        ("cancelled", None, "Dask gave its task up: cancelled"),
    ],
)
def test_ends_of_tasks_have_reasons(status, error, said):
    future = SimpleNamespace(status=status, exception=lambda: error)
    assert ganbench_dask._end(future).reason == said


def test_what_cannot_be_is_told(monkeypatch, tmp_path):
    with pytest.raises(ValueError, match="gpus must be 0 or more"):
        Dask(gpus=-1)
    monkeypatch.setitem(sys.modules, "dask", None)
    with pytest.raises(GanbenchError, match="pip install distributed"):
        list(Dask().run([TrialRef(tmp_path, "a")], Resources()))
