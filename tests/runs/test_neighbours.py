"""Other programs on a trial's cores: noticed, yielded to, and told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch
from helpers import tiny

from ganbench.cli.progress import summary
from ganbench.records.run_folder import Run
from ganbench.runs import benchmark, neighbours
from ganbench.util import machine

counted = pytest.mark.skipif(
    neighbours.waited_seconds() is None, reason="this system counts no waiting"
)
gcc = pytest.mark.skipif(neighbours._gcc_openmp() is None, reason="not GCC's OpenMP")


@contextmanager
def crowded_core() -> Iterator[None]:
    """This thread and a process that computes, on one core."""
    before = os.sched_getaffinity(0)
    core = min(before)
    os.sched_setaffinity(0, {core})  # the child takes it over
    loop = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        time.sleep(0.2)
        yield
    finally:
        loop.kill()
        loop.wait()
        os.sched_setaffinity(0, before)


@counted
def test_waiting_beside_a_busy_process_is_half_of_the_time() -> None:
    with crowded_core():
        waiting = neighbours.Waiting(1)
        until = time.perf_counter() + 1
        while time.perf_counter() < until:
            pass
        share = waiting.share()
    assert share is not None
    assert 0.25 < share < 2


@counted
def test_sleeping_is_not_waiting() -> None:
    waiting = neighbours.Waiting(1)
    time.sleep(0.5)
    assert waiting.share() == pytest.approx(0, abs=0.2)


def test_nothing_is_known_of_others_where_own_threads_are_too_many() -> None:
    assert neighbours.Waiting(machine.cores() + 1).share() is None


def threads() -> int:
    return len(os.listdir("/proc/self/task"))


def settled() -> int:
    """How many there are once those of earlier tests have ended."""
    found = threads()
    for _ in range(100):
        time.sleep(0.3)
        before, found = found, threads()
        if found == before:
            break
    return found


def comes_true(condition: Callable[[], bool]) -> bool:
    until = time.monotonic() + 20
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    return condition()


@counted
@gcc
def test_crowd_stands_while_others_are_at_work_and_changes_no_bit(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    share = 0.0
    monkeypatch.setattr(neighbours, "LOOK_SECONDS", 0.02)
    monkeypatch.setattr(neighbours, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(neighbours.Waiting, "share", lambda self: share)
    monkeypatch.setattr(machine, "cores", lambda: 2)
    images, kernels = torch.randn(16, 8, 32, 32), torch.randn(8, 8, 3, 3)
    of_operations = torch.get_num_threads()
    plain = torch.nn.functional.conv2d(images, kernels)
    before = settled()
    with neighbours.yielding(2):
        alone = threads()
        share = 0.5
        assert comes_true(lambda: threads() == alone + 3)  # cores, and one more
        assert torch.equal(torch.nn.functional.conv2d(images, kernels), plain)
        assert torch.get_num_threads() == of_operations
        share = 0.0
        assert comes_true(lambda: threads() == alone)
        share = 0.5
        assert comes_true(lambda: threads() == alone + 3)
    assert comes_true(lambda: threads() == before)


@pytest.mark.parametrize("count", [1, 10_000])
def test_nobody_watches_for_single_threads_or_too_many(count: int) -> None:
    before = settled()
    with neighbours.yielding(count):
        assert threads() == before


def test_other_runtimes_are_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_gcc_openmp", lambda: None)
    before = settled()
    with neighbours.yielding(2):
        assert threads() == before


@pytest.mark.parametrize(("share", "is_marked"), [(0.5, True), (0.01, False), (None, False)])
def test_timings_taken_beside_others_are_marked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, share: float | None, is_marked: bool
) -> None:
    monkeypatch.setattr(neighbours.Waiting, "share", lambda self: share)
    text = tiny.INLINE.replace("num_samples: 200,", "num_samples: 200, controls: [],")
    path = tiny.write(tmp_path, text)
    found = benchmark.run(path, only=["loss=bce"], out=tmp_path / "run", device="cpu")
    (outcome,) = Run.read(tmp_path / "run").outcomes()
    assert outcome.result.timings
    assert outcome.result.timings.kept_waiting == share
    assert outcome.result.timings.alone != is_marked
    (note,) = [n for n in found.table.notes if n.startswith("*")] or [""]
    assert note == is_marked * "*: measured while other trials or programs shared the cores."
    assert ("other programs took its cores" in summary(outcome)) == is_marked
    lines = (outcome.directory / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["kept_waiting"] for line in lines] == [share] * len(lines)
