"""Verdicts: each outcome from data that earns it, with its evidence, and exit codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from ganbench.gate import verdicts
from ganbench.gate.compare import compare
from ganbench.gate.comparison import Comparison, Policy, Tolerance
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.records.columns import Column

FID = Column("fid@x", "", "min", gated=True)
MODES = Column("modes", "", "max", gated=True, abs_tol=0.5, rel_tol=0.0)
SPEED = Column("speed", "1/s", "max", kind="timing", gated=True, rel_tol=0.05)
SECONDS = Column("seconds", "s", kind="timing")
SIZE = Column("g-parameters", kind="count", gated=True)
LOSS = Column("d-loss", kind="numerics", abs_tol=1e-5, rel_tol=0.0)
TEN = [1.00, 1.01, 0.99, 1.02, 0.98, 1.03, 0.97, 1.04, 0.96, 1.005]
DEFAULT = ("regressed", "failed", "missing")


def cell(
    values: Mapping[Column, Sequence[float]],
    *,
    id: str = "c0",
    label: str = "bce/concat",
    settings: dict | None = None,
    statuses: dict[str, int] | None = None,
    protocol: str = "p0",
    data: str = "d0",
    first_seed: int = 0,
) -> Measured:
    series = {
        column.name: Series(column, dict(enumerate(numbers, start=first_seed)), protocol)
        for column, numbers in values.items()
    }
    count = max((len(v) for v in values.values()), default=0)
    return Measured(id, label, "ring", settings or {}, statuses or {"ok": count}, series, data)


def side(*cells: Measured, **more) -> Measurements:
    return Measurements("bench", {c.id: c for c in cells}, **more)


def only(found: Comparison):
    (verdict,) = found.verdicts
    return verdict


def judged(column: Column, before: Sequence[float], after: Sequence[float], **policy):
    then, now = cell({column: before}), cell({column: after}, first_seed=100)
    return only(compare(side(then), side(now), Policy(**policy)))


@pytest.mark.parametrize(
    ("column", "before", "after", "outcome"),
    [
        (FID, TEN, [1.5, 1.6, 1.7], "regressed"),
        (FID, TEN, [0.5, 0.6, 0.55], "improved"),
        (FID, TEN, [1.001, 0.99, 1.01], "unchanged"),
        (FID, TEN, [1.041, 1.042, 1.043], "unchanged"),  # significant, and too small to matter
        (FID, TEN, [0.9, 1.3, 1.2], "inconclusive"),  # large, and not significant
        (FID, TEN[:3], [1.5, 1.6, 1.7], "inconclusive"),  # 3 against 3 can say nothing
        (FID, TEN[:3], TEN[3:6], "inconclusive"),
        (MODES, [8] * 10, [6, 6, 7], "regressed"),
        (MODES, [6, 7, 6, 7, 6, 7, 6, 7, 6, 6], [8, 8, 8], "improved"),
        (MODES, [8] * 10, [8, 8, 8], "unchanged"),
        (SIZE, [100, 100], [100], "unchanged"),
        (SIZE, [100, 100], [101], "regressed"),
    ],
)
def test_outcome_is_what_the_data_earn(column, before, after, outcome):
    verdict = judged(column, before, after)
    assert verdict.word == outcome, verdict.evidence


def test_evidence_is_in_one_line():
    verdict = judged(FID, TEN, [1.5, 1.6, 1.7])
    assert verdict.evidence == (
        "n 3 against 10: median 1.6, was 1.002, ratio 1.596, tolerance 0.1, p 0.0035 for the worse"
    )
    assert judged(FID, TEN, [0.5] * 3).evidence.endswith("p 0.0035 for the better")
    assert judged(FID, TEN, TEN[:3]).evidence.endswith("p 0.0035 for a change beyond it")
    assert "3 against 3 can never fall below 0.05 here" in judged(FID, TEN[:3], TEN[3:6]).evidence


def test_tolerance_of_the_file_goes_before_the_metrics_own():
    wide = {"fid@x": Tolerance(0.0, 2.0)}
    assert judged(FID, TEN, [1.5, 1.6, 1.7], tolerances=wide).word == "unchanged"


def test_many_gated_numbers_need_more_evidence_each():
    columns = [Column(f"m{i}", "", "min", gated=True) for i in range(15)]
    then = cell(dict.fromkeys(columns, TEN))
    now = cell(
        {c: [1.5, 1.6, 1.7] if i == 0 else TEN[:3] for i, c in enumerate(columns)}, first_seed=50
    )
    found = compare(side(then), side(now), Policy())
    by = {v.metric: v for v in found.verdicts}
    assert by["m0"].word == "inconclusive"
    assert by["m0"].p == pytest.approx(15 / 286)
    gate = Policy(metrics=("m0",))
    assert {v.metric: v for v in compare(side(then), side(now), gate).verdicts}["m0"].word == (
        "regressed"
    )


def test_identical_seeds_are_unchanged_however_few():
    then, now = cell({FID: [1.0, 2.0]}), cell({FID: [1.0]})
    assert only(compare(side(then), side(now), Policy())).evidence == "identical in 1 seed"


def test_timing_of_two_jobs_is_incomparable_and_of_one_is_judged():
    slow = [90.0, 91, 89, 90, 92]
    fast = [100.0, 101, 99, 100, 102]
    assert judged(SPEED, fast, slow).word == "incomparable"
    assert judged(SPEED, fast, slow, interleaved=True).word == "regressed"
    assert judged(SPEED, fast, fast, interleaved=True).word == "unchanged"
    assert judged(SPEED, slow, fast, interleaved=True).word == "improved"


@pytest.mark.parametrize(("shift", "outcome"), [(0.9e-5, "unchanged"), (1.1e-5, "regressed")])
def test_numerics_are_equal_up_to_the_tolerance_seed_by_seed(shift, outcome):
    then, now = cell({LOSS: [0.5, 0.7]}), cell({LOSS: [0.5, 0.7 + shift]})
    verdict = only(compare(side(then), side(now), Policy()))
    assert verdict.word == outcome
    assert "with seed" in verdict.evidence


def test_numerics_of_another_platform_are_incomparable():
    then = side(cell({LOSS: [0.5]}), platform={"torch": "2.14"})
    now = side(cell({LOSS: [0.6]}), platform={"torch": "2.15"})
    verdict = only(compare(then, now, Policy()))
    assert (verdict.word, verdict.evidence) == (
        "incomparable",
        "other platform: torch 2.15, was 2.14",
    )


def test_changed_setting_makes_the_cell_incomparable_and_is_named():
    then = cell({FID: TEN}, id="a", settings={"schedule": {"g_lr": 0.002}, "d_norm": "batch"})
    now = cell({FID: TEN}, id="b", settings={"schedule": {"g_lr": 0.001}, "d_norm": "batch"})
    verdict = only(compare(side(then), side(now), Policy()))
    assert (verdict.word, verdict.evidence) == (
        "incomparable",
        "schedule.g_lr 0.001, was 0.002",
    )


def test_renamed_cell_is_still_the_same():
    then, now = cell({FID: TEN}, label="old"), cell({FID: TEN[:3]}, label="new")
    assert only(compare(side(then), side(now), Policy())).word == "unchanged"


def test_other_data_is_incomparable():
    verdict = only(compare(side(cell({FID: TEN})), side(cell({FID: TEN}, data="d1")), Policy()))
    assert verdict.word == "incomparable"
    assert "SHA-256 d1" in verdict.evidence


def test_other_protocol_is_incomparable_and_says_what_differs():
    then = side(cell({FID: TEN}), protocols={"p0": {"num_samples": 10_000, "version": 1}})
    now = side(
        cell({FID: TEN}, protocol="p1"), protocols={"p1": {"num_samples": 5000, "version": 1}}
    )
    verdict = only(compare(then, now, Policy()))
    assert verdict.word == "incomparable"
    assert verdict.evidence == "other protocol: num_samples 5000, was 10000"


def test_cells_on_one_side_are_missing_or_new():
    a, b = cell({FID: TEN}, id="a", label="a"), cell({FID: TEN}, id="b", label="b")
    by = {v.label: v for v in compare(side(a), side(b), Policy()).verdicts}
    assert (by["a"].word, by["b"].word) == ("missing", "new")
    assert by["a"].gated
    assert not by["b"].gated


def test_number_without_values_is_missing_with_its_reason():
    now = cell({FID: []})
    now.series["fid@x"] = Series(FID, {}, "p0", "the features of the samples are not finite")
    verdict = only(compare(side(cell({FID: TEN})), side(now), Policy()))
    assert (verdict.word, verdict.evidence) == (
        "missing",
        "the features of the samples are not finite",
    )


@pytest.mark.parametrize(
    ("before", "after", "outcome"),
    [
        ((TEN, 0), (TEN[:2], 1), "missing"),  # as of metrics that raise, or have no sample to count
        ((TEN[:9], 1), (TEN[:9], 1), "unchanged"),
        ((TEN[:9], 1), (TEN[:2], 1), "unchanged"),  # one of three, where one of ten had none
        ((TEN[:9], 1), (TEN[:1], 3), "missing"),
        ((TEN[:5], 5), (TEN[:3], 0), "unchanged"),
    ],
)
def test_more_trials_without_a_number_than_before_are_missing(before, after, outcome):
    def of(values, lacking):
        one = cell({FID: values})
        one.series["fid@x"] = replace(one.series["fid@x"], reason="too few", lacking=lacking)
        return side(one)

    verdict = only(compare(of(*before), of(*after), Policy()))
    assert verdict.word == outcome
    told = f"no value of {after[1]} trial{'s' if after[1] > 1 else ''}: too few"
    assert (verdict.evidence == told) == (outcome == "missing")


def test_trial_that_newly_diverges_always_counts():
    now = cell({FID: TEN[:2]}, statuses={"ok": 2, "diverged": 1})
    found = compare(side(cell({FID: TEN})), side(now), Policy())
    assert [v.word for v in found.gated("failed")] == ["failed"]
    assert verdicts.conclusion(found, DEFAULT, "ok")[0] == 1


@pytest.mark.parametrize(
    ("after", "more", "fail_on", "inconclusive", "code"),
    [
        ([1.5, 1.6, 1.7], {}, DEFAULT, "ok", 1),
        ([1.5, 1.6, 1.7], {}, (), "ok", 0),
        ([0.99, 1.0, 1.01], {}, DEFAULT, "fail", 0),
        ([0.9, 1.3, 1.2], {}, DEFAULT, "ok", 0),
        ([0.9, 1.3, 1.2], {}, DEFAULT, "warn", 0),
        ([0.9, 1.3, 1.2], {}, DEFAULT, "fail", 4),
        ([0.99, 1.0, 1.01], {"protocol": "p1"}, DEFAULT, "ok", 4),
        ([0.99, 1.0, 1.01], {"protocol": "p1"}, (*DEFAULT, "incomparable"), "ok", 1),
        ([], {}, (), "ok", 3),
    ],
)
def test_exit_code_says_how_it_went(after, more, fail_on, inconclusive, code):
    now = side(cell({FID: after}, first_seed=100, **more))
    found = compare(side(cell({FID: TEN})), now, Policy())
    got, why = verdicts.conclusion(found, fail_on, inconclusive)
    assert got == code, why
    assert why.startswith(("gate: ", "warning: gate: "))


def test_equal_counts_do_not_make_up_for_incomparable_numbers():
    then = cell({FID: TEN, SIZE: [5]})
    now = cell({FID: TEN}, protocol="p1")
    now.series["g-parameters"] = Series(SIZE, {0: 5.0}, "p0")
    assert verdicts.conclusion(compare(side(then), side(now), Policy()), (), "ok")[0] == 4


def test_comparison_of_nothing_is_never_fine():
    assert verdicts.conclusion(compare(side(), side(), Policy()), (), "ok")[0] == 3


@pytest.mark.parametrize("more", [{"id": "c9", "settings": {"g_lr": 2}}, {"data": "d1"}])
def test_what_is_all_incomparable_ends_with_4(more):
    found = compare(side(cell({FID: TEN})), side(cell({FID: TEN}, **more)), Policy())
    assert verdicts.conclusion(found, DEFAULT, "ok") == (
        4,
        "gate: nothing could be compared: 1 incomparable",
    )


@pytest.mark.parametrize("ends", [{"failed": 3}, {"unfinished": 3}, {"timeout": 1}])
def test_trials_of_which_none_got_anywhere_are_no_regression(ends):
    now = cell({SECONDS: [0.1] * 3}, statuses=ends)
    found = compare(side(cell({FID: TEN, SECONDS: [9]})), side(now), Policy())
    assert verdicts.conclusion(found, DEFAULT, "ok")[0] == 3


def test_divergence_of_every_trial_is_a_regression():
    found = compare(side(cell({FID: TEN})), side(cell({}, statuses={"diverged": 3})), Policy())
    assert verdicts.conclusion(found, DEFAULT, "ok")[0] == 1


@pytest.mark.parametrize(
    ("then", "now", "outcome"),
    [
        ({"ok": 8, "diverged": 2}, {"ok": 2, "diverged": 1}, "failed"),
        ({"ok": 2, "diverged": 1}, {"ok": 2, "diverged": 1}, "inconclusive"),
    ],
)
def test_only_more_bad_trials_than_before_are_a_failure(then, now, outcome):
    found = compare(
        side(cell({FID: TEN}, statuses=then)), side(cell({FID: TEN}, statuses=now)), Policy()
    )
    (status,) = [v for v in found.verdicts if v.metric == "status"]
    assert status.word == outcome
    assert status.evidence == (
        f"2 ok, 1 diverged; the baseline has {then['ok']} ok, {then['diverged']} diverged"
    )


def test_number_that_is_named_and_nowhere_to_be_compared_is_never_fine():
    sides = [side(cell({SPEED: [], SIZE: [5]})) for _ in range(2)]
    named = Policy(metrics=("speed",), interleaved=True)
    found = compare(*sides, named)
    assert [v.word for v in found.gated()] == ["unchanged"]
    assert verdicts.conclusion(found, DEFAULT, "ok")[0] == 4
    assert found.notes == ("gated, and compared in no cell: speed",)
    assert verdicts.conclusion(compare(*sides, Policy()), DEFAULT, "ok")[0] == 0
    counts = Policy(metrics=("g-parameters",))
    assert verdicts.conclusion(compare(*sides, counts), DEFAULT, "ok")[0] == 0


def test_cells_of_one_label_are_all_accounted_for():
    then = side(*(cell({FID: TEN}, id=f"a{i}", settings={"width": i}) for i in range(3)))
    now = side(cell({FID: TEN}, id="b", settings={"width": 9}))
    found = compare(then, now, Policy())
    assert [(v.cell, v.word) for v in found.verdicts] == [
        ("a1", "missing"),
        ("a2", "missing"),
        ("b", "incomparable"),
    ]
    same = compare(side(cell({FID: TEN}, id="a")), side(cell({FID: TEN}, id="b")), Policy())
    assert only(same).evidence == "cell b, was a"


def test_counts_are_shown_to_the_last_digit():
    assert judged(SIZE, [3_274_241], [3_274_242]).evidence == "3274242, was 3274241"
    assert judged(SIZE, [0.32], [0.64]).evidence == "0.64, was 0.32"


def test_ratio_that_is_no_number_is_none():
    assert judged(FID, [1e-320] * 10, [1e300] * 3).ratio is None


def test_equal_counts_share_a_line_in_the_text():
    sizes = [Column(f"size-{i}", kind="count", gated=True) for i in range(3)]
    cells = [cell({FID: TEN, **{s: [5] for s in sizes}}, id=f"c{i}") for i in range(2)]
    found = compare(side(*cells), side(*cells), Policy())
    lines = verdicts.text(found).splitlines()
    assert lines[-1] == "  unchanged  size-0, size-1, size-2 of 2 cells: equal"
    assert len(lines) == 1 + 2 + 1
    assert len(verdicts.text(found, everything=True).splitlines()) == 1 + 2 + 6


def test_ten_thousand_cells_are_compared():
    columns = [FID, MODES, SIZE]
    then = side(
        *(cell(dict.fromkeys(columns, TEN), id=f"c{i}", label=f"l{i}") for i in range(10_000))
    )
    now = side(
        *(
            cell(
                dict.fromkeys(columns, TEN[i % 7 : i % 7 + 3]),
                id=f"c{i}",
                label=f"l{i}",
                first_seed=9,
            )
            for i in range(10_000)
        )
    )
    found = compare(then, now, Policy())
    assert verdicts.text(found)
    assert len(found.verdicts) == 30_000
