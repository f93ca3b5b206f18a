"""The summary of a run: what is averaged, missing and footnoted."""

from __future__ import annotations

import math

import pytest
from helpers.tables import BCE, FID, LSGAN, THREE, WGAN, fids, marks, of, row, shown, text

from ganbench import Column


def test_mean_and_standard_error_over_seeds(runs):
    table = fids(runs, bce=[1.0, 2.0, 6.0], lsgan=[9.0, 9.5, 10.0])
    summary = row(table, BCE).values[FID]
    assert summary.mean == pytest.approx(3)
    assert summary.error == pytest.approx(math.sqrt((4 + 1 + 9) / 2) / math.sqrt(3))
    assert text(table, BCE, FID) == "3.000 ± 1.528"
    assert summary.n == row(table, BCE).n == 3
    assert "±: standard error over training seeds (sample standard deviation / √n)." in table.notes


def test_one_seed_has_no_error_and_a_warning(runs):
    table = fids(runs, bce=[1.0], lsgan=[2.0])
    assert text(table, BCE, FID) == "1.000"
    assert row(table, BCE).values[FID].error is None
    assert any(note.startswith("One training seed") for note in table.notes)
    assert not any("±" in note for note in table.notes)


def test_values_of_different_protocols_are_not_averaged(runs):
    results = {
        BCE: [runs.result({FID: 1.0}, protocol="p2"), runs.result({FID: 9.0}, protocol="p1")],
        LSGAN: [runs.result({FID: 2.0}, protocol="p1")] * 2,
    }
    table = of(runs.write(results))
    summary = row(table, BCE).values[FID]
    why = "values of different protocols (p1, p2) are not averaged"
    assert (summary.mean, summary.error, summary.n, summary.reason) == (None, None, 0, why)
    assert text(table, BCE, FID) == "—"
    assert f"{FID}: no value for {BCE}: {why}." in table.notes
    assert any("p1/p2" in note for note in table.notes)
    assert text(table, LSGAN, FID) == "2.000 ± 0.000"
    assert marks(table) == {BCE: "", LSGAN: ""}


def test_protocol_of_a_value_that_is_missing_is_in_nobodys_way(runs):
    """A metric that gave up early has looked at less."""
    results = {
        BCE: [runs.result({FID: 1.0}, protocol="p1"), runs.result({FID: "no"}, protocol="p2")],
        LSGAN: [runs.result({FID: 2.0}, protocol="p1")] * 2,
        WGAN: [runs.result({FID: 3.0}, protocol="p1")] * 2,
    }
    table = of(runs.write(results, THREE))
    assert row(table, BCE).values[FID].mean == 1.0
    assert marks(table)[LSGAN] == "best"


def test_failed_seeds_are_counted_and_their_reasons_kept(runs):
    results = {
        BCE: [
            runs.result({FID: 1.0}),
            runs.lost("diverged", "loss 'real' is nan at iteration 7"),
            runs.result({FID: 2.0}),
            None,
        ],
        LSGAN: [runs.lost("failed", "RuntimeError: out of ideas")] * 4,
    }
    table = of(runs.write(results))
    bce, lsgan = row(table, BCE), row(table, LSGAN)
    assert (bce.n, bce.failed, table.seeds(bce)) == (2, 1, "2 (1 failed)")
    assert bce.status == "ok, diverged, unfinished"
    assert bce.values[FID].mean == pytest.approx(1.5)
    assert (lsgan.n, lsgan.failed, text(table, LSGAN, FID)) == (0, 4, "—")
    assert f"{BCE}: ok, diverged, unfinished: loss 'real' is nan at iteration 7" in table.notes
    assert table.notes.count(f"{LSGAN}: failed: RuntimeError: out of ideas") == 1


def test_missing_value_is_a_dash_with_its_reason(runs):
    why = "the features of the samples are not finite"
    results = {BCE: [runs.result({FID: why})], LSGAN: [runs.result({FID: 2.0})]}
    table = of(runs.write(results))
    assert text(table, BCE, FID) == "—"
    assert row(table, BCE).values[FID].reason == why
    assert f"{FID}: no value for {BCE}: {why}." in table.notes
    assert marks(table) == {BCE: "", LSGAN: ""}  # nothing to be better than


def test_value_that_some_seeds_lack_says_of_how_many_it_is_the_mean(runs):
    results = {
        BCE: [runs.result({FID: 1.0}), runs.result({FID: "the value is inf"})],
        LSGAN: [runs.result({FID: 2.0})] * 2,
    }
    table = of(runs.write(results))
    assert f"{FID}: mean of 1 of 2 seeds for {BCE}: the value is inf." in table.notes


def test_column_without_any_value_is_left_out_with_its_reason(runs):
    values = {"modes": 8.0, FID: "too large"}
    table = of(runs.write({BCE: [runs.result(values)], LSGAN: [runs.result(values)]}))
    assert FID not in [c.name for c in table.columns]
    assert f"{FID}: no value: too large." in table.notes


def test_other_feature_spaces_than_inception_have_a_footnote(runs):
    values = {FID: 1.0, "fid@inception": 30.0}
    table = of(runs.write({BCE: [runs.result(values)], LSGAN: [runs.result(values)]}))
    notes = [note for note in table.notes if "not comparable with Inception FID" in note]
    assert len(notes) == 1
    assert notes[0].startswith(f"{FID}: Fréchet distance in the features of mnist-cnn-v1;")


def test_feature_spaces_have_a_note_for_distances_and_one_for_all_else(runs):
    names = ["fid", "fid-inf", "intra-fid", "kid", "precision", "recall"]
    columns = [Column(f"{name}@pixels") for name in names]
    odd = Column("fid@random-conv(seed=3)")
    real = [Column("kid@inception"), Column("precision@inception"), Column("is@inception")]
    other = [
        Column("time-to-fid@pixels=20"),
        Column("modes[ring8/pacgan]"),
        Column("fid@inception"),
    ]
    table = shown(runs, *columns, odd, *real, *other, Column("kid@inception-like"))
    assert [note for note in table.notes if "in the features of" in note] == [
        "fid@pixels, fid-inf@pixels, intra-fid@pixels: Fréchet distances in the features of "
        "pixels; not comparable with Inception FID.",
        "kid@pixels, precision@pixels, recall@pixels: in the features of pixels.",
        "fid@random-conv(seed=3): Fréchet distance in the features of random-conv(seed=3); not "
        "comparable with Inception FID.",
        "kid@inception-like: in the features of inception-like.",
    ]


def test_protocols_are_listed_once_for_all_their_columns(runs):
    table = shown(runs, Column("a"), Column("b"), Column("c"))
    (note,) = [note for note in table.notes if note.startswith("Protocols")]
    assert note.endswith("differ): a, b, c aaaa1111.")


def test_equal_budgets_are_one_note(runs):
    results = {BCE: [runs.result({FID: 1.0})] * 2, LSGAN: [runs.result({FID: 1.0})] * 2}
    notes = [n for n in of(runs.write(results)).notes if n.startswith("Budget")]
    assert notes == ["Budget: 1.0 thousand real images shown to D, 10 D and 10 G updates."]


@pytest.mark.parametrize(
    ("images", "shown"), [(40, "0.04"), (160, "0.16"), (2000, "2.0"), (1_234_567, "1,234.6")]
)
def test_small_budgets_are_not_rounded_away(runs, images, shown):
    results = {BCE: [runs.result({FID: 1.0}, budget=(images, 10, 10))]}
    (note,) = [n for n in of(runs.write(results)).notes if n.startswith("Budget")]
    assert note.startswith(f"Budget: {shown} thousand real images")


def test_different_budgets_name_their_losses(runs):
    results = {
        BCE: [runs.result({FID: 1.0}, budget=(80_000, 1250, 1250))],
        WGAN: [runs.result({FID: 1.0}, budget=(80_000, 250, 1250))],
    }
    notes = [n for n in of(runs.write(results, THREE)).notes if n.startswith("Budget")]
    assert notes == [
        "Budget (bce): 80.0 thousand real images shown to D, 1,250 D and 1,250 G updates.",
        "Budget (wgan-gp): 80.0 thousand real images shown to D, 1,250 D and 250 G updates.",
    ]


def test_budgets_that_the_loss_does_not_decide_name_their_cells(runs):
    matrix = "matrix: {loss: [bce], training.n_critic: [1, 5]}\n"
    results = {
        "bce/none/mlp/n_critic=1": [runs.result({FID: 1.0}, budget=(1000, 10, 10))],
        "bce/none/mlp/n_critic=5": [runs.result({FID: 1.0}, budget=(1000, 2, 10))],
    }
    notes = of(
        runs.write(results, THREE.replace("matrix: {loss: [bce, lsgan, wgan-gp]}\n", matrix))
    )
    named = [n.partition(":")[0] for n in notes.notes if n.startswith("Budget")]
    assert named == [f"Budget ({label})" for label in results]
