"""The summary of a run: what is averaged, marked, missing and footnoted."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from ganbench import Column, Report, Table
from ganbench.default_plugins.reporters import CSV, JSON, Console, Markdown
from ganbench.errors import ContractError
from ganbench.records.columns import Name
from ganbench.records.run_folder import Run
from ganbench.records.table import Row

FID = "fid@mnist-cnn-v1"
BCE, LSGAN, REAL = "bce/none/mlp", "lsgan/none/mlp", "real test set (ring)"
THREE = """\
version: 1
name: bench
dataset: ring
architecture: mlp
conditioning: none
matrix: {loss: [bce, lsgan, wgan-gp]}
"""
WGAN = "wgan-gp/none/mlp"


def of(run) -> Table:
    return Report.of(run).table


def runs_of(folder: Path) -> Run:
    """What the fixture `runs` has written there."""
    return Run.read(folder / "run")


def row(table: Table, label: str) -> Row:
    (found,) = [r for r in table.rows if r.label == label]
    return found


def text(table: Table, label: str, column: str) -> str:
    (found,) = [c for c in table.columns if c.name == column]
    return table.text(row(table, label), found)


def fids(runs, **values: list[float]) -> Table:
    """A table of three losses with these FIDs, one per seed."""
    rows = {"bce": BCE, "lsgan": LSGAN, "wgan": WGAN}
    results = {rows[k]: [runs.result({FID: v}) for v in found] for k, found in values.items()}
    return of(runs.write(results, THREE))


def marks(table: Table, column: str = FID) -> dict[str, str]:
    return {r.label: r.values[column].mark for r in table.rows if not r.is_reference}


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


def test_numbers_of_different_protocols_are_not_ranked(runs):
    results = {
        BCE: [runs.result({FID: 1.0}, protocol="p1")],
        LSGAN: [runs.result({FID: 2.0}, protocol="p2")],
    }
    assert marks(of(runs.write(results))) == {BCE: "", LSGAN: ""}


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
    }
    table = of(runs.write(results))
    assert row(table, BCE).values[FID].mean == 1.0
    assert marks(table)[BCE] == "best"


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


def shown(runs, *columns: Column) -> Table:
    """A table with these columns, each 1 in both rows."""
    runs.COLUMNS = runs.COLUMNS | {column.name: column for column in columns}
    result = runs.result({column.name: 1.0 for column in columns})
    return of(runs.write({BCE: [result], LSGAN: [result]}))


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


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("fid@pixels", ("fid", "pixels", "", "")),
        ("fid@random-conv(seed=3)", ("fid", "random-conv(seed=3)", "", "")),
        ("modes[ring8/pacgan]", ("modes", "", "ring8/pacgan", "")),
        ("fid@pixels[x]", ("fid", "pixels", "x", "")),
        ("time-to-fid@mnist-cnn-v1=20", ("time-to-fid", "mnist-cnn-v1", "", "=20")),
        ("time-to-modes[ring8/pacgan]=8", ("time-to-modes", "", "ring8/pacgan", "=8")),
        ("odd@", ("odd", "", "", "@")),
        ("@(", ("", "", "", "@(")),
        ("", ("", "", "", "")),
    ],
)
def test_names_of_columns_have_parts(name, parts):
    assert Name.of(name) == parts
    assert Name.of(name).with_space == name


BARE = ["fid", "FID", "kid", "is", "IS", "FID50k", "intra-fid", "cFID", "fid_10k", "kid-subset-sd"]


@pytest.mark.parametrize("name", [*BARE, "fid-inf", "is-sd", "time-to-fid=20", "fid[x]"])
def test_bare_names_are_recognised(name):
    assert Name.of(name).is_bare
    assert "@unnamed-features" in Name.of(name).with_space
    with pytest.raises(ContractError, match=r"could be in any features; name them, as in"):
        Table("t", (), (Column(name),), (), ())


@pytest.mark.parametrize(
    "name",
    ["fid@x", "fidelity", "confidence", "kidney", "is-valid", "share-that-is-real", "iso", "modes"],
)
def test_other_names_are_left_alone(name):
    assert not Name.of(name).is_bare
    assert Table("t", (), (Column(name),), (), ()).columns[0].name == name


@pytest.mark.parametrize("title", ["", "FID", "Fréchet", "mnist", "fid of cnn-v1"])
def test_no_header_is_a_bare_fid(title):
    table = Table("t", (), (Column(FID, title=title),), (), ())
    assert "mnist-cnn-v1" in table.plain()["columns"][0]["title"]
    assert "mnist-cnn-v1" in table.header(Column(FID, "", "min", title=title))
    assert table.header(Column("modes", "", "max", title="modes")) == "modes ↑"
    assert table.header(Column(FID, "", "min")) == f"{FID} ↓"


@pytest.mark.parametrize(
    "title", [*BARE, "Inception Score", "Fréchet Inception distance", "my FID"]
)
def test_title_that_claims_what_its_name_does_not_say_owns_up(title):
    table = Table("t", (), (Column("quality"),), (), ())
    header = table.header(Column("quality", title=title))
    assert header == (title if title == "is" else f"{title} @unnamed-features")


@pytest.mark.parametrize(
    "title", ["fidelity", "share that is real", "confidence", "THIS", "history"]
)
def test_titles_with_other_words_are_left_alone(title):
    table = Table("t", (), (Column("quality"),), (), ())
    assert table.header(Column("quality", title=title)) == title


def test_setting_and_space_are_said_once():
    table = Table("t", (), (), (), ())
    assert table.header(Column("modes[ring8/pacgan]", title="modes")) == "modes [ring8/pacgan]"
    assert table.header(Column("modes[a]", title="modes [a]")) == "modes [a]"
    spent = Column("time-to-fid@pixels=20", "s", "min", title="s to fid@pixels 20")
    assert table.header(spent) == "s to fid@pixels 20 ↓"
    short = Column("fid@i", title="my fid")
    assert table.header(short) == "my fid @i"


@pytest.mark.parametrize("title", BARE)
def test_bare_metric_of_a_third_party_is_printed_nowhere_as_it_is(runs, tmp_path, capsys, title):
    table = shown(runs, Column("fid", "", "min", title=title))
    report = Report.of(runs_of(tmp_path))
    for reporter in (Console(), Markdown(), CSV(), JSON()):
        reporter.write(report, tmp_path)
    (column,) = [c for c in table.columns if c.name.startswith("fid")]
    assert column.name == "fid@unnamed-features"
    assert text(table, BCE, column.name) == "1.00"
    assert (
        "fid@unnamed-features: the metric does not name its features; comparable with no other "
        in (" ".join(table.notes))
    )
    console = capsys.readouterr().out
    assert f"{title} @unnamed-features" in console or f"{title}@unnamed-features" in console
    assert (tmp_path / "table.csv").read_text("utf-8").startswith("label,loss")
    assert ",fid," not in (tmp_path / "table.csv").read_text("utf-8")
    assert '"fid"' not in (tmp_path / "table.json").read_text("utf-8")


def test_equal_budgets_are_one_note(runs):
    results = {BCE: [runs.result({FID: 1.0})] * 2, LSGAN: [runs.result({FID: 1.0})] * 2}
    notes = [n for n in of(runs.write(results)).notes if n.startswith("Budget")]
    assert notes == ["Budget: 1.0 thousand real images shown to D, 10 D and 10 G updates."]


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
    assert "*: measured while other trials shared the machine." in table.notes
    assert (
        "Device cpu (A Processor), 1 thread(s) per trial, 2 trial(s) at a time, float32."
        in table.notes
    )


def test_rounding_errors_below_zero_are_shown_as_zero(runs):
    table = fids(runs, bce=[-1e-13], lsgan=[1.0])
    assert text(table, BCE, FID) == "0.000"
    assert row(table, BCE).values[FID].mean == -1e-13
