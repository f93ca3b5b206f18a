"""Parts of a trial, timed: by a clock of the test's own."""

from __future__ import annotations

from contextlib import suppress

import pytest

from ganbench.runs.clock import Clock


@pytest.fixture
def at(monkeypatch):
    """Set what time it is."""
    now = [0.0]
    monkeypatch.setattr("ganbench.runs.clock.time.perf_counter", lambda: now[0])

    def set_to(seconds: float) -> None:
        now[0] = seconds

    return set_to


def test_parts_are_added_up_also_those_that_still_run_or_raise(at):
    clock = Clock()
    with clock.part("total"):
        at(1)
        with clock.part("train"):
            at(3)
            assert clock.seconds() == {"total": 3, "train": 2}
        at(4)
        with suppress(RuntimeError), clock.part("train"):
            at(9)
            raise RuntimeError
    at(20)
    assert clock.seconds() == {"total": 9, "train": 7}


def test_what_was_before_is_added(at):
    clock = Clock()
    with clock.part("train"):
        at(2)
        clock.add({"train": 10, "total": 11})
        assert clock.seconds() == {"train": 12, "total": 11}
        at(5)
    assert clock.seconds() == {"train": 15, "total": 11}
