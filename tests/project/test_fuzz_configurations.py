"""A few damaged benchmark files, as benchmarks/fuzz/configurations.py makes them by thousands."""

from __future__ import annotations

import time
from types import ModuleType

import pytest
from helpers import scripts

from ganbench.registry import registry


@pytest.fixture(scope="module")
def fuzz() -> ModuleType:
    return scripts.script("fuzz", "configurations")


def test_damaged_benchmark_files_are_planned_or_refused(fuzz: ModuleType) -> None:
    counts, wrong = fuzz.run(range(60), 0, registry.load())
    assert not wrong, "\n".join(wrong)
    assert counts.keys() == {"planned", "accepted", "refused"}


def test_the_script_sees_tracebacks_and_hangs(fuzz: ModuleType) -> None:
    assert fuzz.outcome(lambda: "planned") == ("planned", "")
    word, told = fuzz.outcome(lambda: {}["a key"])
    assert word == "traceback"
    assert "KeyError: 'a key'" in told
    assert fuzz.outcome(lambda: time.sleep(60) or "planned", limit=0.1)[0] == "hang"


def test_cases_are_the_same_each_time(fuzz: ModuleType) -> None:
    assert fuzz.case(3, 14) == fuzz.case(3, 14)
    assert len({fuzz.case(3, number).text for number in range(10)}) > 5
