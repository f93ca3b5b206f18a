"""Ranks: closed forms, ties that are said, and values of every kind."""

from __future__ import annotations

import math

import pytest
from helpers.many_runs import finished, write

from ganbench import Column, Report
from ganbench.archive import merge, told
from ganbench.archive.profiles import profiles
from ganbench.archive.ranks import rank
from ganbench.archive.scores import Scores, scores, time_to_target
from ganbench.errors import ConfigError, NothingSelected
from ganbench.gate.significance import holm, larger_p, stratified_p
from ganbench.testing.fixtures import trials

FID = Column("fid", direction="min")


def made(values: dict[str, list[list[float]]], column: Column = FID) -> Scores:
    """Of each variant the values on each task; the smaller the better."""
    tasks = tuple(f"t{number}" for number in range(len(next(iter(values.values())))))
    losses = {
        (variant, task): tuple(found)
        for variant, by_task in values.items()
        for task, found in zip(tasks, by_task, strict=True)
    }
    return Scores(column, ("dataset",), tasks, tuple(values), losses)


def test_a_mean_rank_is_one_and_the_chances_that_others_are_better():
    found = rank(made({"a": [[1, 2]], "b": [[1, 3]], "c": [[9, 9]]}))
    ranks = {one.variant: one.mean_rank for one in found.standings}
    # a against b: wins (1,3), (2,3), loses (2,1), ties (1,1): 2.5 of 4
    assert ranks == pytest.approx({"a": 1 + 1.5 / 4, "b": 1 + 2.5 / 4, "c": 3})
    assert [one.variant for one in found.standings] == ["a", "b", "c"]


def test_equal_variants_share_the_middle_rank_and_are_said_to_tie():
    found = rank(made({v: [[5.0] * 8] * 3 for v in "abc"}))
    assert {one.mean_rank for one in found.standings} == {2.0}
    assert found.ties == (("a", "b", "c"),)
    assert "Tied, as no test tells any two of them apart: a, b, c." in told.sentences(found)
    assert not [pair for pair in found.pairings if pair.decided]


def test_stratified_p_of_one_stratum_is_the_gates_and_of_several_their_convolution():
    high, low = [4.0, 5.0, 6.0], [1.0, 2.0, 3.0]
    assert stratified_p([(high, low)]) == larger_p(high, low) == pytest.approx(1 / 20)
    assert stratified_p([(high, low)] * 2) == pytest.approx(1 / 400)
    assert stratified_p([(low, high)]) == pytest.approx(1)
    assert stratified_p([(high, low), (low, high)]) > 0.5
    tied = ([1.0, 2.0, 2.0], [2.0, 3.0, 1.0])
    assert stratified_p([tied]) == pytest.approx(larger_p(*tied))
    assert stratified_p([]) == 1.0


def test_who_beats_whom_is_by_exact_tests_corrected_for_all_pairs():
    apart = {"a": [[1, 2, 3, 4, 5]], "b": [[11, 12, 13, 14, 15]], "c": [[1.5, 2.5, 3.5, 4.5, 12.5]]}
    found = rank(made(apart))
    beaten = {(p.better, p.worse): p for p in found.pairings}
    assert beaten["a", "b"].p == pytest.approx(3 * 2 / math.comb(10, 5))
    assert beaten["a", "b"].decided
    assert not beaten["a", "c"].decided
    p_cb = 2 * larger_p(apart["b"][0], apart["c"][0])
    assert beaten["c", "b"].p == pytest.approx(
        holm([6 / 3 / math.comb(10, 5), p_cb, beaten["a", "c"].p])[1]
    )
    assert found.ties == (("a", "c"),) if beaten["c", "b"].decided else (("a", "c"), ("c", "b"))


def test_more_tasks_decide_what_one_cannot():
    one = {"a": [[1.0, 2.0, 3.0]], "b": [[4.0, 5.0, 6.0]]}
    assert not rank(made(one)).pairings[0].decided  # p 0.1
    assert any("can never fall below 0.1" in note for note in rank(made(one)).notes)
    three = {variant: found * 3 for variant, found in one.items()}
    assert rank(made(three)).pairings[0].p == pytest.approx(2 / 20**3)


def test_one_seed_has_no_interval_and_says_so():
    found = rank(made({"a": [[1.0]], "b": [[2.0]]}))
    assert found.standings[0].rank_interval is None
    assert any(note.startswith("One seed") for note in found.notes)


def test_intervals_hold_the_rank_and_narrow_with_seeds():
    few = {"a": [[1.0, 4.0, 2.0]], "b": [[3.0, 2.5, 5.0]]}
    many = {variant: [[x + 0.01 * i for i in range(8) for x in v[0]]] for variant, v in few.items()}
    widths = []
    for values in (few, many):
        one = rank(made(values)).standings[0]
        low, high = one.rank_interval
        assert low <= one.mean_rank <= high
        widths.append(high - low)
    assert widths[1] < widths[0]
    assert rank(made(few)) == rank(made(few))  # resampled the same each time


def test_iqm_is_the_middle_half_in_parts_of_each_tasks_median():
    values = {"a": [[1.0, 2.0, 3.0, 100.0]], "b": [[10.0, 10.0, 10.0, 10.0]]}
    assert rank(made(values)).standings[0].iqm == pytest.approx(2.5)
    scaled = {v: [found[0], [10 * x for x in found[0]]] for v, found in values.items()}
    once, twice = rank(made(values)), rank(made(scaled))
    assert {s.variant: s.iqm for s in twice.standings}["b"] == pytest.approx(1.0)
    assert once.standings[0].iqm is not None
    best = Column("modes", direction="max")
    largest = rank(made({"a": [[-8.0] * 4], "b": [[-2.0] * 4]}, best))
    assert {s.variant: s.iqm for s in largest.standings} == {"a": 8.0, "b": 2.0}
    below = rank(made({"a": [[-1.0], [0.0]], "b": [[-2.0], [1.0]]}))
    assert below.standings[0].iqm is None
    assert any(note.startswith("No IQM") for note in below.notes)


def test_a_training_that_diverged_has_lost_and_one_that_failed_is_not_counted(tmp_path):
    run = write(
        tmp_path / "a",
        {
            "bce": {0: 1.0, 1: trials.lost("diverged", "nan"), 2: 2.0},
            "lsgan": {0: 5.0, 1: 6.0, 2: trials.lost("failed", "out of memory")},
        },
    )
    found = rank(scores(Report.of(run)))
    by_name = {one.variant: one for one in found.standings}
    assert (by_name["bce"].n, by_name["bce"].lost, by_name["lsgan"].n) == (3, 1, 2)
    assert by_name["bce"].mean_rank == pytest.approx(1 + 1 / 3)
    notes = " ".join(found.notes)
    assert "Diverged, and counted as worse than all that did not: bce/none/mlp seed 1." in notes
    assert "Failed, and not counted: lsgan/none/mlp seed 2." in notes


def test_data_sets_of_several_runs_are_tasks(tmp_path):
    runs = [
        write(tmp_path / name, {"bce": {0: 1.0, 1: 2.0}, "lsgan": {0: 3.0, 1: 4.0}}, dataset=name)
        for name in ("ring", "grid")
    ]
    found = scores(Report.of(merge.merged(runs)))
    assert (found.tasks, found.variants) == (("ring", "grid"), ("bce", "lsgan"))
    assert rank(found).standings[0].mean_rank == 1.0


def test_what_is_trained_otherwise_from_task_to_task_is_said(tmp_path):
    runs = [
        write(tmp_path / name, {v: {0: 1.0} for v in ("bce", "lsgan")}, dataset=name, kimg=kimg)
        for name, kimg in (("ring", 4.0), ("grid", 8.0))
    ]
    notes = scores(Report.of(merge.merged(runs))).notes
    assert notes == ("trained otherwise from task to task (kimg 4.0 on ring, 8.0 on grid): all",)


def test_a_variant_that_lacks_a_task_is_not_ranked_and_told(tmp_path):
    runs = [
        write(tmp_path / "ring", {v: {0: 1.0} for v in ("bce", "lsgan", "wgan")}),
        write(tmp_path / "grid", {v: {0: 1.0} for v in ("bce", "lsgan")}, dataset="grid"),
    ]
    report = Report.of(merge.merged(runs))
    found = scores(report)
    assert found.variants == ("bce", "lsgan")
    assert "not ranked, as it has no value on grid: wgan" in found.notes
    assert scores(report, only={"dataset": ["ring"]}).variants == ("bce", "lsgan", "wgan")


def test_what_cannot_be_ranked_is_refused_with_what_there_is(tmp_path):
    report = Report.of(write(tmp_path / "a", {"bce": {0: 1.0}, "lsgan": {0: 2.0}}))
    with pytest.raises(ConfigError, match="no axis 'datset'; did you mean 'dataset'"):
        scores(report, over=["datset"])
    with pytest.raises(NothingSelected, match="--only loss=bc: no cell has it; did you mean"):
        scores(report, only={"loss": ["bc"]})
    with pytest.raises(NothingSelected, match="there is one variant: bce"):
        scores(report, only={"loss": ["bce"]})
    with pytest.raises(ConfigError, match="neither way is the better one"):
        scores(report, "seconds")
    with pytest.raises(ConfigError, match="no column 'fud'"):
        scores(report, "fud")


def test_numbers_of_several_protocols_are_not_ranked(tmp_path):
    other = finished(2.0, {"metric": "frechet", "version": 2})
    report = Report.of(write(tmp_path / "a", {"bce": {0: 1.0}, "lsgan": {0: other}}))
    with pytest.raises(ConfigError, match="measured by 2 protocols"):
        scores(report)


def test_speeds_of_two_machines_are_no_rivals(tmp_path):
    runs = [
        write(tmp_path / "a", {"bce": {0: 1.0}}),
        write(tmp_path / "b", {"lsgan": {0: 2.0}}, device="B Processor"),
    ]
    report = Report.of(merge.merged(runs))
    with pytest.raises(ConfigError, match="several platforms, which are no rivals"):
        scores(report, "train-images-per-s")
    assert scores(report).variants == ("bce", "lsgan")


def timed(seconds: float | str) -> dict:
    """A trial that reached its target after so many seconds; a text is why it did not."""
    found = finished(1.0)
    value = None if isinstance(seconds, str) else seconds
    reason = seconds if isinstance(seconds, str) else ""
    column = {"name": "time-to-modes=8", "unit": "s", "direction": "min"}
    found["metrics"].append({**column, "value": value, "reason": reason, "protocol": "t"})
    return found


def test_profiles_are_shares_within_a_multiple_of_the_fastest(tmp_path):
    never = "modes did not reach 8"
    run = write(
        tmp_path / "a",
        {"bce": {0: timed(1.0), 1: timed(1.0)}, "lsgan": {0: timed(2.0), 1: timed(never)}},
    )
    times = time_to_target(Report.of(run), ["dataset"], {})
    found = profiles(times)
    assert found.steps == {"bce": ((1.0, 1.0),), "lsgan": ((2.0, 0.5),)}
    assert found.score == pytest.approx({"bce": 1.0, "lsgan": 0.5 * 2 / 3})
    standings = rank(times)
    assert {s.variant: s.lost for s in standings.standings} == {"bce": 0, "lsgan": 1}
    assert told.plain(standings, found)["variants"][1]["iqm"] is None  # half of it is never
    assert "| lsgan | 2.00 [" in told.markdown(standings, found, "kit")


def test_without_a_time_to_a_target_there_is_no_profile(tmp_path):
    report = Report.of(write(tmp_path / "a", {"bce": {0: 1.0}, "lsgan": {0: 2.0}}))
    assert time_to_target(report, ["dataset"], {}) is None
    assert profiles(made({"a": [[math.inf]], "b": [[math.inf]]})) is None
