"""The table of a run: what is marked, starred and rounded."""

from __future__ import annotations

import pytest
from helpers.tables import BCE, FID, LSGAN, REAL, fids, marks, of, row, text


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (([1.0, 1.1], [2.0, 2.1], [3.0, 3.1]), ["best", "", ""]),
        (([1.0, 2.0], [1.2, 2.2], [8.0, 8.1]), ["tied", "tied", ""]),
        (([1.0, 2.0], [1.2, 2.2], [1.4, 2.4]), ["", "", ""]),  # all tied
        (([2.0], [1.0], [3.0]), ["", "best", ""]),
        (([1.0], [1.0], [3.0]), ["tied", "tied", ""]),
    ],
    ids=["best", "tied", "all tied", "one seed", "equal"],
)
def test_marks_are_for_the_best_within_its_error(runs, values, expected):
    table = fids(runs, **dict(zip(("bce", "lsgan", "wgan"), values, strict=True)))
    assert list(marks(table).values()) == expected
    assert any(note.startswith("≈") for note in table.notes) == ("tied" in expected)


@pytest.mark.parametrize(("gap", "mark"), [(0.49, "tied"), (0.51, "best")])
def test_tie_is_the_root_of_both_squared_errors(runs, gap, mark):
    """Errors of 0.3 and 0.4 make 0.5."""
    table = fids(runs, bce=[0.7, 1.3], lsgan=[0.6 + gap, 1.4 + gap], wgan=[9.0, 9.1])
    assert marks(table)[BCE] == mark


def test_more_is_better_where_the_column_says_so(runs):
    results = {BCE: [runs.result({"modes": 8.0})], LSGAN: [runs.result({"modes": 3.0})]}
    assert marks(of(runs.write(results)), "modes") == {BCE: "best", LSGAN: ""}


def test_mean_of_those_seeds_that_have_a_value_wins_nothing(runs):
    """The others are often the worst, as where no sample is good enough to be counted."""
    found = fids(runs, bce=[1.0, "no sample is of high quality"], lsgan=[2.0, 2.1], wgan=[8.0, 8.1])
    assert list(marks(found).values()) == ["", "best", ""]


def test_numbers_of_different_protocols_are_not_ranked(runs):
    results = {
        BCE: [runs.result({FID: 1.0}, protocol="p1")],
        LSGAN: [runs.result({FID: 2.0}, protocol="p2")],
    }
    assert marks(of(runs.write(results))) == {BCE: "", LSGAN: ""}


def test_protocols_of_reference_rows_keep_no_cell_from_winning(runs):
    results = {
        BCE: [runs.result({FID: 1.0}, protocol="p1")],
        LSGAN: [runs.result({FID: 2.0}, protocol="p1")],
        REAL: [runs.reference({FID: 0.1}, protocol="p2")],
    }
    assert marks(of(runs.write(results))) == {BCE: "best", LSGAN: ""}


def test_column_that_one_row_measured_otherwise_has_no_winner_and_the_others_do(runs):
    both = {FID: 1.0, "modes": 8.0}
    first, second = runs.result(both, protocol="p1"), runs.result({FID: 2.0, "modes": 3.0})
    for metric in second["metrics"]:
        metric["protocol"] = "p1" if metric["name"] == "modes" else "p3"
    table = of(runs.write({BCE: [first], LSGAN: [second]}))
    assert marks(table) == {BCE: "", LSGAN: ""}
    assert marks(table, "modes") == {BCE: "best", LSGAN: ""}


def test_reference_stands_first_and_wins_nothing(runs):
    results = {
        BCE: [runs.result({FID: 1.0})],
        LSGAN: [runs.result({FID: 2.0})],
        REAL: [runs.reference({FID: 0.001})],
    }
    table = of(runs.write(results))
    assert [r.label for r in table.rows] == [REAL, BCE, LSGAN]
    assert [r.is_reference for r in table.rows] == [True, False, False]
    assert row(table, REAL).values[FID].mark == ""
    assert marks(table)[BCE] == "best"
    assert table.seeds(row(table, REAL)) == ""


@pytest.mark.parametrize("alone", [True, False])
def test_speeds_of_which_some_are_starred_have_no_best(runs, alone):
    speeds = [{"train-images-per-s": speed, "modes": speed} for speed in (100.0, 200.0)]
    results = {
        BCE: [runs.result(speeds[0], alone=True)],
        LSGAN: [runs.result(speeds[1], alone=alone)],
    }
    table = of(runs.write(results))
    best = "best" if alone else ""
    assert marks(table, "train-images-per-s") == {BCE: "", LSGAN: best}
    assert marks(table, "modes") == {BCE: "", LSGAN: "best"}


def test_speed_of_trials_that_shared_the_machine_is_starred(runs):
    values = {"train-images-per-s": 1234.0, "peak-memory-mb": 99.0, "modes": 8.0}
    results = {
        BCE: [runs.result(values, alone=False)],
        LSGAN: [runs.result(values, alone=True)],
    }
    table = of(runs.write(results, jobs=2))
    assert text(table, BCE, "train-images-per-s") == "1,234*"
    assert text(table, BCE, "peak-memory-mb") == "99*"
    assert text(table, BCE, "seconds") == "12*"
    assert text(table, BCE, "modes") == "8"
    assert text(table, LSGAN, "train-images-per-s") == "1,234"
    assert "*: measured while other trials or programs shared the cores." in table.notes
    assert (
        "Device cpu (A Processor), 1 thread(s) per trial, 2 trial(s) at a time, float32."
        in table.notes
    )


def test_rounding_errors_below_zero_are_shown_as_zero(runs):
    table = fids(runs, bce=[-1e-13], lsgan=[1.0])
    assert text(table, BCE, FID) == "0.000"
    assert row(table, BCE).values[FID].mean == -1e-13
