"""Tables of runs whose models were drawn of several times."""

from __future__ import annotations

from statistics import fmean

from helpers.tables import BCE, FID, LSGAN, REAL, THREE, WGAN, of, row, text

LABELS = {"bce": BCE, "lsgan": LSGAN, "wgan": WGAN}


def drawn(runs, **values: list[list[float]]):
    """A table of losses with these FIDs: of each seed, those of its draws."""
    results = {}
    for name, trials in values.items():
        found = [runs.result({FID: fmean(draws), "train-images-per-s": 9.0}) for draws in trials]
        for result, draws in zip(found, trials, strict=True):
            result["metrics"][0]["draws"] = draws
        results[LABELS[name]] = found
    return of(runs.write({**results, REAL: [runs.reference({FID: 0.1})]}, THREE))


def notes(table, kind: str = "spread") -> list[str]:
    return [note for note in table.notes if note.kind == kind]


def test_both_spreads_stand_apart_behind_the_error(runs):
    table = drawn(runs, bce=[[1, 3], [5, 7], [9, 11]], lsgan=[[50, 52], [54, 56], [58, 60]])
    assert text(table, BCE, FID) == "6.000 ± 2.309 (3.873, 1.414)"
    assert text(table, BCE, "train-images-per-s") == "9 ± 0"
    assert text(table, REAL, FID) == "0.100"
    explained, told = notes(table)
    assert explained.startswith("Each value is a mean over sampling seeds of one trained model.")
    assert told == (
        f"{FID}: of the variance of single values 88 % is of training seeds and 12 % of sampling "
        "seeds."
    )
    value = table.plain()["rows"][1]["values"][FID]
    assert round(value["training_sd"] ** 2, 9) == 15
    assert round(value["sampling_sd"] ** 2, 9) == 2
    assert "sampling_sd" not in table.plain()["rows"][0]["values"][FID]


def test_notes_say_how_many_seeds_would_separate_those_that_tie(runs):
    """Errors 2 / √3 each around 6 and 7: a difference of 1 wants 4 + 4 < n, so 9 of each."""
    ties = [[3, 5], [5, 7], [7, 9]], [[4, 6], [6, 8], [8, 10]]
    table = drawn(runs, bce=ties[0], lsgan=ties[1], wgan=[[50, 52], [54, 56], [58, 60]])
    assert notes(table)[1].endswith(
        f"; 6 more training seeds of each would tell {LSGAN} from {BCE}, if means and spreads stay "
        "as they are."
    )
    assert not any(WGAN in note for note in notes(table))


def test_rows_that_all_tie_are_told_of_too(runs):
    table = drawn(runs, bce=[[3, 5], [5, 7]], lsgan=[[3.001, 5], [5, 7]])
    assert {row(table, label).values[FID].mark for label in (BCE, LSGAN)} == {""}
    assert "more than 1,000 more training seeds of each would tell" in notes(table)[1]


def test_of_one_training_seed_sampling_alone_is_known(runs):
    table = drawn(runs, bce=[[1, 3]], lsgan=[[5, 7]])
    assert text(table, BCE, FID) == "2.000 (—, 1.414)"
    assert len(notes(table)) == 1


def test_models_that_were_drawn_of_once_have_no_such_notes(runs):
    results = {BCE: [runs.result({FID: 1.0}), runs.result({FID: 2.0})]}
    table = of(runs.write(results))
    assert text(table, BCE, FID) == "1.500 ± 0.500"
    assert not notes(table)
    assert "training_sd" not in str(table.plain())
