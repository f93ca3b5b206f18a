"""In which order trials begin, where several run at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.bench import OPEN

from ganbench.records.cells import Plan
from ganbench.records.results import TrialResult
from ganbench.records.run_folder import Trial, TrialOutcome
from ganbench.runs import ordering
from ganbench.runs.costs import Costs
from ganbench.runs.ordering import LAST

KIMG = (0.64, 0.704, 6.4, 3.2)  # of each cell
WGAN, BCE, LSGAN = (150, 142, 133), (105, 101, 96), (106, 102, 97)  # seconds of cgan_mnist.yaml's


@pytest.fixture
def plan(planned: Callable[..., Plan], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path))
    return planned(OPEN + f"loss: bce\nmatrix: {{training.budget.kimg: {list(KIMG)}}}\n")


@pytest.fixture
def trials(plan: Plan) -> list[Trial]:
    """Eight seeds of four cells, cell by cell."""
    return [
        Trial(cell, None, seed, "cpu", 1, alone=False, plugins=())
        for cell in plan.cells
        for seed in range(8)
    ]


def kimg_of(trials: Sequence[Trial]) -> list[float]:
    return [trial.cell.schedule.images / 1000 for trial in trials if trial.cell]


def known(trials: Sequence[Trial]) -> Costs:
    """A second for each thousand images, and next to nothing for all else."""
    costs = Costs(beginning=1e-3)
    for trial in trials:
        costs.estimate(trial, 1e-3, 1e-9)
        costs.estimate_judging(trial, 0.0, 1e-9)
    return costs


def ordered(trials: Sequence[Trial], costs: Costs, jobs: int) -> list[Trial]:
    waiting = [TrialOutcome(trial, Path(), TrialResult()) for trial in trials]
    return [outcome.trial for outcome in ordering.soonest_done(waiting, costs, jobs)]


def ends(order: Sequence[float], jobs: int = 2) -> float:
    return max(ordering._added([0.0] * jobs, order))


def test_all_end_as_soon_as_they_can() -> None:
    seconds = [14, *BCE, *LSGAN, *WGAN]
    assert ends(seconds) == 586
    order = ordering._best([14, 0], seconds[1:])
    assert sorted(order) == list(range(9))
    assert ends([14, *(seconds[1 + index] for index in order)]) < 1.01 * sum(seconds) / 2
    for jobs, least in ((3, 363), (4, 294), (9, 150)):
        order = ordering._best([0.0] * jobs, seconds[1:])
        assert ends([seconds[1 + index] for index in order], jobs) <= least


def test_the_last_trials_alone_leave_the_plans_order(trials: list[Trial]) -> None:
    waiting = [*trials[16:24], *trials[:8], *trials[24:], trials[16]]  # a long one at the end
    found = ordered(waiting, known(trials), 2)
    assert found[: -2 * LAST] == waiting[: -2 * LAST]
    assert sorted(found, key=waiting.index) == sorted(waiting, key=waiting.index)
    assert ends(kimg_of(found)) < 0.99 * ends(kimg_of(waiting))


def test_an_order_that_is_as_good_stays(trials: list[Trial]) -> None:
    alike = trials[:16]
    assert ordered(alike, known(alike), 4) == alike
    longest_first = sorted(trials[4:20], key=lambda trial: -kimg_of([trial])[0])
    assert ordered(longest_first, known(trials), 4) == longest_first


def test_references_stay_in_front(plan: Plan, trials: list[Trial]) -> None:
    reference = replace(trials[0], cell=None, reference=plan.references[0])
    waiting = [reference, trials[0], trials[1], trials[-1]]
    costs = known([*trials, reference])
    assert ordered(waiting, costs, 2) == [reference, trials[-1], trials[0], trials[1]]


def test_one_at_a_time_and_trials_of_unknown_cost_keep_the_plans_order(
    trials: list[Trial],
) -> None:
    assert ordered(trials, known(trials), 1) == trials
    assert ordered(trials, Costs(), 2) == trials
    with_another = [*trials, replace(trials[0], threads=2)]
    assert ordered(with_another, known(trials), 2) == with_another
    assert ordered([], Costs(), 2) == []


def test_pairs_of_many_trials_are_not_tried(
    trials: list[Trial], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ordering, "_swapped", None)  # is not called
    found = ordered(trials * 16, known(trials), 60)
    dearest_first = sorted(kimg_of((trials * 16)[-60 * LAST :]), reverse=True)
    assert kimg_of(found[-60 * LAST :]) == dearest_first
