"""Draws of torch are told apart from others; what cannot be copied is explained."""

from __future__ import annotations

import random
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from ganbench.testing.fixtures.copies import copies
from ganbench.testing.fixtures.seeding import seeded


def draws() -> tuple[float, float, float]:
    return float(torch.rand(())), random.random(), float(np.random.rand())


def test_torch_has_one_seed_and_the_others_another() -> None:
    with seeded(1, others=1):
        first = draws()
    with seeded(1, others=2):
        second = draws()
    with seeded(1, others=1):
        again = draws()
    assert first == again
    assert first[0] == second[0]
    assert first[1:] != second[1:]


def test_others_go_on_as_if_nothing_had_been_drawn() -> None:
    states = random.getstate(), np.random.get_state()[1].tolist()
    with seeded(1):
        draws()
    assert (random.getstate(), np.random.get_state()[1].tolist()) == states


@dataclass
class Plain:
    value: int = 3


@dataclass
class Locked:
    held: object = field(default_factory=lambda: iter(lambda: 0, 1))


def test_copies_are_made_in_both_ways() -> None:
    assert [*copies(Plain())] == [("deepcopy", Plain()), ("pickle", Plain())]


def test_what_cannot_be_copied_is_told_what_to_change() -> None:
    with pytest.raises(AssertionError, match=r"fails with .*keep no function, file, lock"):
        [*copies(Locked())]
