"""What trials took is kept, and adds up to what those to come will take."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from helpers.bench import OPEN

from ganbench.records.cells import Plan
from ganbench.records.results import TrainingCounts, TrialResult
from ganbench.records.run_folder import Trial, TrialOutcome
from ganbench.records.run_info import Execution
from ganbench.records.status import Status
from ganbench.records.windows import Timings, Window
from ganbench.runs.costs import (
    BEGINNING,
    BESIDE_OTHERS,
    FILE,
    MOST_BEGINNING,
    UNKNOWN_CLOSING,
    UNKNOWN_DRAWING,
    UNKNOWN_JUDGING,
    UNKNOWN_OPENING,
    UNKNOWN_START,
    UNKNOWN_WARM_UP,
    AtWork,
    Cost,
    Costs,
    Forecast,
    images_of,
)  # fmt: skip

START, WARM_UP, DRAWING = (
    share * BEGINNING for share in (UNKNOWN_START, UNKNOWN_WARM_UP, UNKNOWN_DRAWING)
)
MATRIX = """\
matrix: {loss: [bce, lsgan]}
training: {batch_size: 10, budget: {kimg: 1}}
evaluation: {num_samples: 100}
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("GANBENCH_CACHE", str(tmp_path))
    return tmp_path


@pytest.fixture
def trials(planned: Callable[..., Plan]) -> list[Trial]:
    """The reference, and a trial of each of two losses: a thousand images and a hundred samples."""
    plan = planned(OPEN + MATRIX)
    subjects = [{"reference": one, "cell": None} for one in plan.references]
    subjects += [{"reference": None, "cell": one} for one in plan.cells]
    return [
        Trial(**one, seed=0, device="cpu", threads=1, alone=True, plugins=()) for one in subjects
    ]


def outcome(trial: Trial, **changes: object) -> TrialOutcome:
    """Ten seconds of training, one of sampling, two of judging and one beside."""
    seconds = {"train": 10.0, "sample": 1.0, "evaluate": 2.0, "total": 14.0}
    if trial.cell is None:
        seconds = {"evaluate": 2.0, "total": 3.0}
    counts = TrainingCounts(1000) if trial.cell else None
    result = TrialResult(training=counts, seconds=seconds, timings=Timings())
    return TrialOutcome(trial, Path(), replace(result, **{"status": Status.OK, **changes}))


def forecast_of(jobs: int, costs: Costs | None = None) -> Forecast:
    """Of a run of which nothing but its trials takes time."""
    costs = Costs() if costs is None else costs
    costs.learn_opening("local", 0.0)
    costs.learn_closing(1, 0.0)
    return Forecast(Execution(jobs=jobs), 3, costs)


def guess_of_judging(trial: Trial) -> float:
    return UNKNOWN_JUDGING * len(trial.subject.metrics) * trial.subject.num_samples


def window(kimg: float, images_per_second: float) -> Window:
    return Window(kimg, 1, 1.0, images_per_second, 1.0, {}, {})


def test_what_a_trial_took_is_what_the_next_like_it_takes(trials: list[Trial]) -> None:
    _, bce, lsgan = trials
    costs = Costs()
    costs.learn(outcome(bce))
    assert costs.of(replace(bce, seed=1)) == Cost(1.0, 10.0, 1.0, 2.0)
    assert costs.of(bce).total == 14.0
    assert costs.of(lsgan) == Cost(1.0, None, None, 2.0)  # judged alike, trained otherwise
    assert costs.of(lsgan).total is None


def test_references_are_judged_by_other_metrics_and_tell_of_trials_until_one_has_ended(
    trials: list[Trial],
) -> None:
    reference, bce, _ = trials
    costs = Costs()
    costs.learn(outcome(reference))
    assert (costs.of(bce).judging, costs.of(bce).judging_is_timed) == (2.0, True)
    costs.learn(outcome(bce, seconds={"train": 10.0, "evaluate": 7.0, "total": 18.0}))
    assert (costs.of(reference).judging, costs.of(bce).judging) == (2.0, 7.0)


def test_budget_and_number_of_samples_scale_it(
    trials: list[Trial], planned: Callable[..., Plan]
) -> None:
    costs = Costs()
    seconds = {"train": 10.0, "sample": 5.0, "evaluate": 2.0, "total": 18.0}
    costs.learn(outcome(trials[1], seconds=seconds))
    longer = planned(OPEN + MATRIX.replace("kimg: 1", "kimg: 3").replace("100", "500"))
    cost = costs.of(replace(trials[1], cell=longer.cells[0]))
    assert (cost.training, cost.sampling, cost.judging_is_timed) == (30.0, 25.0, False)


def test_short_parts_tell_nothing_of_longer_ones(
    trials: list[Trial], planned: Callable[..., Plan]
) -> None:
    costs = Costs()
    costs.estimate(trials[1], per_image=0.001, per_sample=0.01)
    seconds = {"train": 3.0, "sample": 2.0, "evaluate": 2.0, "total": 8.0}
    costs.learn(outcome(trials[1], seconds=seconds))
    assert costs.was_timed(trials[1])
    cost = costs.of(trials[1])
    assert (cost.training, cost.sampling) == (3.0, 2.0)
    longer = planned(OPEN + MATRIX.replace("kimg: 1", "kimg: 3").replace("100", "500"))
    other = replace(trials[1], cell=longer.cells[0])
    assert not costs.was_timed(other)
    cost = costs.of(other)
    assert cost.training == pytest.approx(WARM_UP + 3.0)
    assert cost.sampling == pytest.approx(DRAWING + 5.0)


def test_samples_that_are_drawn_several_times_take_as_many_times_as_long(
    trials: list[Trial], planned: Callable[..., Plan]
) -> None:
    costs, text = Costs(), MATRIX.replace("100}", "100, sampling_seeds: 4}")
    often = replace(trials[1], cell=planned(OPEN + text).cells[0])
    assert costs.of(often).judging == 4 * guess_of_judging(often)
    costs.learn(outcome(trials[1]))
    assert costs.of(often) == Cost(1.0, 10.0, 4.0, 8.0)
    costs.learn(outcome(often, seconds={"train": 10.0, "sample": 8.0, "evaluate": 16.0}))
    assert costs.of(trials[1]) == Cost(0.0, 10.0, 2.0, 4.0)


@pytest.mark.parametrize("changed", [{"device": "cuda:0"}, {"threads": 2}, {"alone": False}])
def test_another_set_up_is_another_cost(trials: list[Trial], changed: dict[str, object]) -> None:
    costs = Costs()
    costs.learn(outcome(trials[1]))
    guess = guess_of_judging(trials[1])
    start = START if changed.get("alone", True) else BESIDE_OTHERS * START
    assert costs.of(replace(trials[1], **changed)) == Cost(start, None, None, guess, False)


@pytest.mark.parametrize(
    "changes",
    [
        {"status": Status.FAILED},
        {"resumed_at_kimg": 0.5},
        {"timings": Timings(alone=False)},
    ],
)
def test_trials_that_tell_nothing_are_not_learnt_from(
    trials: list[Trial], changes: dict[str, object]
) -> None:
    costs = Costs()
    costs.learn(outcome(trials[1], **changes))
    assert not costs.timed


def test_estimates_count_until_a_trial_was_timed_and_drift_as_others_do(
    trials: list[Trial],
) -> None:
    _, bce, lsgan = trials
    costs = Costs()
    for trial in (bce, lsgan):
        costs.estimate(trial, per_image=0.005, per_sample=0.01)
        assert not costs.was_timed(trial)
    assert costs.of(bce).training == costs.of(lsgan).training == 5.0 + WARM_UP
    costs.learn(outcome(bce))  # twice as long as estimated
    assert costs.was_timed(bce)
    assert (costs.of(bce).training, costs.of(lsgan).training) == (10.0, 10.0 + WARM_UP)


def test_cache_keeps_both_and_what_others_put_there(trials: list[Trial]) -> None:
    first, second = Costs(), Costs()
    first.learn(outcome(trials[1]))
    second.estimate(trials[2], 0.001, 0.01)
    first.keep()
    second.keep()
    found = Costs.kept()
    assert found.of(trials[1]).total == 14.0
    warm_up = UNKNOWN_WARM_UP * found.beginning
    assert found.of(trials[2]).training == pytest.approx(1.0 + warm_up)


def test_run_that_is_kept_later_leaves_what_another_learnt_meanwhile(trials: list[Trial]) -> None:
    def took(trial: Trial, train: float) -> TrialOutcome:
        return outcome(trial, seconds={"train": train, "total": train})

    before = Costs()
    before.learn(took(trials[1], 10.0))
    before.keep()
    long_run, short_run = Costs.kept(), Costs.kept()
    short_run.learn(took(trials[1], 30.0))
    short_run.keep()
    long_run.learn(took(trials[2], 7.0))
    long_run.keep()
    found = Costs.kept()
    assert (found.of(trials[1]).training, found.of(trials[2]).training) == (30.0, 7.0)


def test_guesses_follow_how_long_this_process_took_to_begin(
    monkeypatch: pytest.MonkeyPatch, trials: list[Trial]
) -> None:
    for took, counted in ((2.0, 2.0), (500.0, MOST_BEGINNING)):
        monkeypatch.setattr("time.process_time", lambda took=took: took)
        found = Costs.kept()
        assert found.beginning == counted
        assert found.opening("local") == pytest.approx(UNKNOWN_OPENING * counted)
        assert found.closing(3) == pytest.approx(UNKNOWN_CLOSING * counted * 3)
        assert found.of(trials[1]).start == pytest.approx(UNKNOWN_START * counted)


def test_what_real_images_decide_is_built_once_and_never_again(
    trials: list[Trial], planned: Callable[..., Plan]
) -> None:
    test, bce, lsgan = trials
    fewer = replace(bce, cell=planned(OPEN + MATRIX.replace("100}", "50}")).cells[0])
    costs = Costs()
    assert costs.building(trials) == 0.0
    assert not costs.is_judging_known(bce)
    costs.estimate_judging(bce, building=30.0, each=10.0)
    assert costs.is_judging_known(bce)
    assert costs.is_judging_known(lsgan)
    assert costs.is_judging_known(lsgan, of_its_kind=True)
    assert costs.is_judging_known(test)
    assert not costs.is_judging_known(test, of_its_kind=True)
    assert not costs.is_judging_known(fewer)
    assert costs.building(trials) == costs.building([fewer]) == 30.0  # whatever is judged by it
    assert costs.of(lsgan).judging == 10.0
    assert costs.of(lsgan).judging_is_timed
    costs.learn(outcome(bce, seconds={"train": 10.0, "evaluate": 60.0, "total": 71.0}))
    assert costs.building(trials) == costs.building([fewer]) == 0.0
    assert costs.of(lsgan).judging == 15.0  # of 60 s those that the next one takes, too
    costs.learn(outcome(lsgan, seconds={"train": 10.0, "evaluate": 12.0, "total": 23.0}))
    assert costs.of(bce).judging == 12.0


def test_who_pays_for_the_building_is_learnt_from_by_what_was_estimated_of_another_kind(
    trials: list[Trial],
) -> None:
    reference, bce, _ = trials
    costs = Costs()
    costs.estimate_judging(bce, building=30.0, each=10.0)
    costs.learn(outcome(reference, seconds={"evaluate": 60.0, "total": 61.0}))
    assert costs.of(reference).judging == 15.0
    costs.learn(outcome(reference, seconds={"evaluate": 12.0, "total": 13.0}))
    assert costs.of(reference).judging == 12.0


def test_half_of_the_real_images_is_built_by_itself(planned: Callable[..., Plan]) -> None:
    plan = planned(OPEN + MATRIX.replace("100}", "100, controls: [test, train-half]}"))
    test, half = (
        Trial(None, one, seed=0, device="cpu", threads=1, alone=True, plugins=())
        for one in plan.references
    )
    costs = Costs()
    costs.estimate_judging(test, building=30.0, each=10.0)
    assert not costs.is_judging_known(half)
    costs.estimate_judging(half, building=15.0, each=9.0)
    assert costs.building([test, half, half]) == 45.0
    assert costs.of(test).judging == 10.0


def test_forecast_waits_for_what_is_built_until_a_trial_was_judged(trials: list[Trial]) -> None:
    reference, bce, _ = trials
    costs = Costs()
    costs.learn(outcome(bce))
    known = forecast_of(1, replace(costs, timed=dict(costs.timed))).left([bce], {})
    costs.timed = {k: v for k, v in costs.timed.items() if not k.startswith("building")}
    costs.estimate_judging(reference, building=7.0, each=2.0)
    forecast = forecast_of(1, costs)
    assert forecast.left([bce], {}) == pytest.approx(known + 7.0)
    forecast.ended(outcome(reference, seconds={"evaluate": 9.0, "total": 10.0}))
    assert forecast.left([bce], {}) == pytest.approx(known)


@pytest.mark.parametrize("text", ["[1]", "{", '{"timed": {"a": "x", "b": -1}}', '{"timed": 3}'])
def test_damaged_file_is_none(cache: Path, trials: list[Trial], text: str) -> None:
    (cache / FILE).write_text(text)
    assert Costs.kept().timed == {}
    costs = Costs()
    costs.learn(outcome(trials[1]))
    costs.keep()
    assert Costs.kept().of(trials[1]).total == 14.0


def test_cache_that_cannot_be_written_is_told(
    cache: Path, trials: list[Trial], monkeypatch: pytest.MonkeyPatch, caplog
) -> None:
    (cache / "file").touch()
    monkeypatch.setenv("GANBENCH_CACHE", str(cache / "file"))
    costs = Costs()
    costs.learn(outcome(trials[1]))
    costs.keep()
    assert "what trials took is not kept" in caplog.text


def test_forecast_knows_nothing_before_a_training_has_a_pace(trials: list[Trial]) -> None:
    forecast = forecast_of(1)
    forecast.ended(outcome(trials[0]))
    assert forecast.left(trials[1:], {}) is None
    assert forecast.left(trials[1:], {trials[1].id: AtWork(None, 5.0)}) is None
    assert forecast.left([], {}) == 0.0


def test_forecast_adds_what_is_left_of_those_at_work_to_those_to_come(trials: list[Trial]) -> None:
    reference, bce, lsgan = trials
    forecast = forecast_of(1)
    forecast.ended(outcome(reference))  # a start of 1 s, judged for 2 s
    at_work = {bce.id: AtWork(window(0.2, 100.0), since=3.0)}
    rest = (1000 - 200) / 100 + 2.0 - 3.0  # of bce
    assert forecast.left([bce], at_work) == pytest.approx(rest)
    usual = 1.0 + 1000 / 100 + 2.0  # of lsgan, at the pace that is seen
    assert forecast.left([bce, lsgan], at_work) == pytest.approx(rest + usual)
    assert forecast_of(1).left([lsgan], {}) is None


def test_forecast_follows_what_was_timed(trials: list[Trial]) -> None:
    reference, bce, lsgan = trials
    forecast = forecast_of(1)
    for trial in (reference, bce):
        forecast.ended(outcome(trial))
    other_seed = replace(bce, seed=1)
    assert forecast.left([other_seed], {}) == pytest.approx(14.0)
    assert forecast.left([other_seed, lsgan], {}) == pytest.approx(14.0 + 1.0 + 10.0 + 2.0)


def test_forecast_of_trials_side_by_side_ends_with_the_longest(trials: list[Trial]) -> None:
    _, bce, lsgan = trials
    costs = Costs()
    costs.estimate(bce, 0.001, 0.0)
    costs.estimate(lsgan, 0.1, 0.0)
    both = [bce, lsgan]
    around = START + WARM_UP + DRAWING + guess_of_judging(bce)
    short, long = around + 1.0, around + 100.0
    assert forecast_of(1, costs).left(both, {}) == pytest.approx(short + long)
    assert forecast_of(2, costs).left(both, {}) == pytest.approx(long)
    assert forecast_of(2, costs).left([bce, replace(bce, seed=1)], {}) == pytest.approx(short)


def test_what_is_overdue_is_not_less_than_nothing(trials: list[Trial]) -> None:
    bce = trials[1]
    at_work = {bce.id: AtWork(window(1.0, 100.0), since=60.0)}
    assert forecast_of(1).left([bce], at_work) == 0.0
    assert images_of(trials[0]) == 0
    assert images_of(bce) == 1000


def test_a_run_opens_before_its_first_trial_and_closes_after_its_last(trials: list[Trial]) -> None:
    reference = trials[0]
    costs = Costs()
    costs.learn(outcome(reference))
    closing = 4 * UNKNOWN_CLOSING * BEGINNING
    forecast = Forecast(Execution(), 4, costs)
    left = forecast.left([reference], {})
    assert left == pytest.approx(UNKNOWN_OPENING * BEGINNING + 3.0 + closing, abs=0.5)
    assert Forecast(Execution(), 4, costs, opened=True).left([reference], {}) == 3.0 + closing
    forecast.ended(outcome(reference))
    assert forecast.left([reference], {}) == 3.0 + closing
    costs.learn_opening("local", 20.0)
    costs.learn_closing(10, 30.0)
    costs.keep()
    found = Costs.kept()
    assert found.opening("local") == 20.0
    assert found.opening("inline") == 0.0
    assert found.opening("dask") == UNKNOWN_OPENING * found.beginning
    assert found.closing(4) == 12.0


def test_tables_of_a_thousand_trials_take_no_hundred_times_those_of_ten() -> None:
    costs = Costs()
    costs.learn_closing(2, 3.0)
    assert [costs.closing(count) for count in (0, 2, 10)] == [0.0, 3.0, 15.0]
    assert costs.closing(1000) == pytest.approx(15.0 + 0.015 * 990)
    costs.learn_closing(1000, 29.85)
    assert costs.closing(2) == pytest.approx(3.0)
