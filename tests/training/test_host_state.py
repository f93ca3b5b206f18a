"""What changes on the host, or is looked at there, is noticed."""

from __future__ import annotations

import random
from collections import deque
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from ganbench.training import host_state

CPU, META = torch.device("cpu"), torch.device("meta")


def held(thing: object, device: torch.device = CPU) -> host_state.Held:
    return host_state.held({"it": thing}, device)


def grow(thing: Any) -> None:
    thing.counts.append(1)


CHANGES = [
    (lambda: SimpleNamespace(counts=[1]), grow, "it.counts.1"),
    (lambda: SimpleNamespace(counts=deque([1])), grow, "it.counts.1"),
    (lambda: {"a": {"b": 1}}, lambda it: it["a"].update(b=2), "it.a.b"),
    (lambda: {"a": 1}, lambda it: it.clear(), "it.a"),
    (lambda: [torch.ones(2)], lambda it: it.__setitem__(0, torch.ones(2)), "it.0"),
    (nn.BatchNorm1d(2).train, lambda it: it.eval(), "it.training"),
    (lambda: {torch.ones(1): {"step": 1}}, lambda it: next(iter(it.values())).update(step=2),
     "it.0.step"),
]  # fmt: skip


@pytest.mark.parametrize(("make", "change", "place"), CHANGES)
def test_changes_are_found_however_deep(make: Any, change: Any, place: str) -> None:
    thing = make()
    before = held(thing)
    assert host_state.changed(before, held(thing)) == ""
    change(thing)
    assert host_state.changed(before, held(thing)) == place


def test_of_a_device_s_tensors_it_counts_which_they_are_and_of_the_host_s_what_they_hold() -> None:
    thing = SimpleNamespace(average=torch.ones(2), itself=None)
    thing.itself = thing  # and a circle is no trouble
    before, on_meta = held(thing), held(thing, META)
    thing.average.add_(1)
    assert host_state.changed(before, held(thing)) == ""
    assert host_state.changed(on_meta, held(thing, META)) == "it.average"


def test_modules_keep_their_tensors() -> None:
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2))
    before = held(net)
    net(torch.randn(4, 2)).sum().backward()
    torch.optim.SGD(net.parameters(), 0.1).step()
    assert host_state.changed(before, held(net)) == ""
    net[1].running_mean = torch.zeros(2)
    assert "running_mean" in host_state.changed(before, held(net))


@pytest.mark.parametrize(
    ("draw", "device", "name"),
    [
        (random.random, CPU, "Python's generator"),
        (np.random.rand, CPU, "NumPy's generator"),
        (lambda: torch.rand(1), META, "torch's generator of the CPU"),
        (lambda: torch.rand(1), CPU, ""),  # which is its own
        (lambda: None, META, ""),
    ],
)
def test_draws_of_the_host_are_noticed(draw: Any, device: torch.device, name: str) -> None:
    before = host_state.drawn(device)
    draw()
    assert host_state.changed(before, host_state.drawn(device)) == name


@pytest.mark.parametrize(
    "use",
    [
        lambda n: n % 2,
        lambda n: 2 * n,
        lambda n: n > 1,
        lambda n: f"{n}",
        lambda n: bool(n),
        lambda n: float(n),
        lambda n: torch.ones(2) * n,
        lambda n: n - torch.ones(2),
        lambda n: torch.lerp(torch.ones(2), torch.zeros(2), torch.ones(2) * n),
    ],
)
@pytest.mark.parametrize("number", [3, 0.25])
def test_a_watched_number_is_that_number_and_tells_of_its_use(use: Any, number: float) -> None:
    told: list[float] = []
    found = host_state.watched(number, told.append)
    assert isinstance(found, type(number))
    assert told == []
    made = use(found)
    assert told
    expected = use(number)
    same = torch.equal(made, expected) if isinstance(made, torch.Tensor) else made == expected
    assert same


def test_a_number_that_is_handed_on_tells_nothing() -> None:
    told: list[float] = []
    found = host_state.watched(3, told.append)
    assert [found, {"a": found}]
    assert told == []
