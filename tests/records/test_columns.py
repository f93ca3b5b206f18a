"""A column's name and title say in which features it was measured, whatever its metric says."""

from __future__ import annotations

import pytest
from helpers.tables import BCE, FID, runs_of, shown, text

from ganbench import Column, Report, Table
from ganbench.config import benchmark_file, plan
from ganbench.config.yaml_document import Document
from ganbench.default_plugins.reporters import CSV, JSON, Console, Markdown
from ganbench.errors import ContractError
from ganbench.records.columns import Name
from ganbench.registry.registry import load


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


BARE_METRIC = """
from dataclasses import dataclass
from ganbench import Column, Metric, hookimpl

@dataclass(kw_only=True)
class Bare(Metric):
    name = "bare"

    @property
    def columns(self):
        return (Column("kid"),)

    def compute(self, evaluation):
        return {"kid": 1.0}

@hookimpl
def register_metrics(register):
    register(Bare)
"""


def test_plan_says_once_that_a_metric_names_no_features(tmp_path, caplog, runs):
    path = tmp_path / "bare_metric.py"
    path.write_text(BARE_METRIC, "utf-8")
    registry = load([str(path)])
    for metrics in ("mode-coverage, bare", "mode-coverage"):
        text = f"{runs.TEXT}evaluation: {{metrics: [{metrics}]}}\n"
        asked = benchmark_file.parse(Document.parse(text, "b.yaml"), registry)
        plan.make(asked, registry, device="cpu")
    (said,) = [record.getMessage() for record in caplog.records]
    assert said == (
        "metric 'bare': column 'kid' could be in any features; name them, as in kid@inception"
    )


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
