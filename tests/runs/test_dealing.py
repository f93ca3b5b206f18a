"""Which GPUs trials are dealt: decided by numbers alone, so that none is needed here."""

from __future__ import annotations

import pytest

from ganbench.errors import RunError
from ganbench.runs import dealing
from ganbench.util import machine


@pytest.mark.parametrize(
    ("device", "jobs", "visible", "dealt"),
    [
        ("cpu", 2, None, ()),
        ("cuda:0", 1, None, ()),
        ("cuda:0", 2, None, ("0", "1")),
        ("cuda:0", 2, "4,7", ("4", "7")),
        ("cuda:0", 2, "4", ()),
        ("cuda:1", 2, None, ()),  # one GPU was asked for by name
    ],
)
def test_gpus_are_dealt_out_where_trials_run_side_by_side(
    monkeypatch: pytest.MonkeyPatch, device: str, jobs: int, visible: str | None, dealt: tuple
) -> None:
    monkeypatch.setattr(machine, "devices", lambda: ["cpu", "cuda:0", "cuda:1"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    if visible:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert dealing.gpus(device, jobs) == dealt


@pytest.mark.parametrize(
    ("visible", "jobs", "dealt"),
    [("0,1,2,3", 2, ("0,1", "2,3")), ("4,5,6", 2, ()), ("0,1", 1, ())],
)
def test_processes_of_a_trial_have_a_gpu_each(
    monkeypatch: pytest.MonkeyPatch, visible: str, jobs: int, dealt: tuple
) -> None:
    monkeypatch.setattr(machine, "devices", lambda: ["cpu", *(f"cuda:{i}" for i in range(4))])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", visible)
    assert dealing.gpus("cuda:0", jobs, each=2) == dealt
    with pytest.raises(RunError, match=r"^execution.processes: 5 asks for GPUs 0 to 4, and there"):
        dealing.gpus("cuda:0", jobs, each=5)


def test_a_gpu_that_was_named_has_all_trials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "devices", lambda: ["cpu", "cuda:0", "cuda:1"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert dealing.gpus("cuda:0", 2) == ("0", "1")
    assert dealing.gpus("cuda:0", 2, named=True) == ()


def test_gpus_that_are_not_there_are_not_dealt_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "devices", lambda: ["cpu", "cuda:0"])
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,7")
    with pytest.raises(RunError, match=r"^CUDA_VISIBLE_DEVICES=0,7: names 2 GPUs, and torch finds"):
        dealing.gpus("cuda:0", 2)
    assert dealing.gpus("cpu", 2) == ()
