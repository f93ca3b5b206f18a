"""Which GPUs trials are dealt: decided by numbers alone, so that none is needed here."""

from __future__ import annotations

import pytest

from ganbench.errors import RunError
from ganbench.runs import dealing
from ganbench.util import gpus, machine


@pytest.fixture(autouse=True)
def busy(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The GPUs that other programs use: none, unless the test adds some."""
    found: set[str] = set()
    monkeypatch.setattr(gpus, "is_busy", found.__contains__)
    return found


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


@pytest.mark.parametrize(
    ("jobs", "each", "chosen", "dealt"),
    [
        (3, 1, True, ("1", "3", "0", "2")),
        (2, 2, False, ("1,3", "0,2")),
        (1, 1, False, ()),  # as was asked: on the first
        (1, 1, True, ("1", "3", "0", "2")),
    ],
)
def test_gpus_that_others_use_come_last(
    monkeypatch: pytest.MonkeyPatch,
    busy: set[str],
    jobs: int,
    each: int,
    chosen: bool,
    dealt: tuple[str, ...],
) -> None:
    monkeypatch.setattr(machine, "devices", lambda: ["cpu", *(f"cuda:{i}" for i in range(4))])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    busy |= {"cuda:0", "cuda:2"}
    assert dealing.gpus("cuda:0", jobs, each, chosen=chosen) == dealt
    assert dealing.free("cuda:0", each) == (2 // each, 4 // each)
    busy.clear()
    assert dealing.gpus("cuda:0", 1, chosen=True) == ()


def test_gpus_of_which_there_is_one_are_not_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(device: str) -> bool:
        raise AssertionError(device)

    monkeypatch.setattr(gpus, "is_busy", never)
    monkeypatch.setattr(machine, "devices", lambda: ["cpu", "cuda:0"])
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    assert dealing.free("cuda:0") == (1, 1)
    assert dealing.free("cpu") == dealing.free("mps") == (0, 0)
    assert dealing.gpus("cuda:0", 2, chosen=True) == ()
