"""Whoever observes a loop hears how far it has come; nobody need."""

from __future__ import annotations

import pytest

from ganbench import tracked
from ganbench.util import progress


@pytest.fixture
def told(monkeypatch):
    monkeypatch.setattr(progress, "INTERVAL", 0)
    heard: list[tuple[str, int, int]] = []
    with progress.observing(lambda *what: heard.append(what)):
        yield heard


def test_nobody_observes():
    assert list(tracked("abc", "reading", 3)) == ["a", "b", "c"]


def test_observer_hears_of_the_first_and_the_last(monkeypatch):
    heard = []
    with progress.observing(lambda *what: heard.append(what)):
        assert list(tracked(range(5000), "reading", 5000)) == list(range(5000))
    assert (heard[0], heard[-1]) == (("reading", 0, 5000), ("reading", 5000, 5000))
    assert len(heard) < 20  # not of each: an observer may be slow


def test_item_is_done_when_the_next_is_asked_for(told):
    items = tracked("ab", "reading", 2)
    next(items)
    assert told == [("reading", 0, 2)]
    next(items)
    assert told[-1] == ("reading", 1, 2)


def test_nothing_is_told_after_the_end(told):
    list(tracked([], "reading", 0))
    assert told == [("reading", 0, 0)] * 2
    with progress.observing(lambda *what: told.clear()):
        pass
    list(tracked("a", "again", 1))
    assert told[-1] == ("again", 1, 1)
