"""Published numbers: their files, which of our rows they are about, and what differs."""

from __future__ import annotations

import json
import math
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from ganbench import Column, Report
from ganbench.default_plugins.metrics.coverage import DEFINITIONS
from ganbench.errors import ConfigError
from ganbench.records.columns import Name
from ganbench.reports.published import published_numbers
from ganbench.reports.published.comparison import Pair, match_published
from ganbench.reports.published.published_numbers import Match, Published, PublishedProtocol

ROOT = Path(__file__).parents[2]
BCE, LSGAN, REAL = "bce/none/mlp", "lsgan/none/mlp", "real test set (ring)"
MODES = "modes[ring8/pacgan]"
KNOWN = published_numbers.load()
TOPS = {  # the largest value that is possible
    "modes": 1000,
    "reverse-kl": math.log(1000),
    "high-quality": 1,
    "is": 1008,
    "precision": 1,
    "recall": 1,
    "coverage": 1,
    "auth-pct": 100,
    "ndb": 100,
    "jsd": math.log(2),
    "ms-ssim": 1,
}
FILE = """\
source: {title: A Paper, authors: [One, Two, Three], year: 2018, url: https://example.org}
tables:
  - where: Table 1
    dataset: ring
    spread: {kind: standard error over training runs, n: 10}
    percent: [high-quality]
    protocol:
      setting: ring8/pacgan
      num_fake: 2500
      selection: the last of one setting
      data: {std: 0.01}
      conditioning: none
      architecture: mlp
      kimg: 1
      schedule: {batch_size: 64, g_lr: 2e-4}
    rows:
      - model: GAN
        matches: {loss: bce}
        values: {modes: [6.3, 0.5], high-quality: [98.2, 0.2]}
"""


def of(path: Path, text: str = FILE) -> list[Published]:
    path.mkdir(exist_ok=True)
    file = path / "paper.yaml"
    file.write_text(text, "utf-8")
    return published_numbers.read(file)


@pytest.fixture
def paper(tmp_path: Path) -> Published:
    return of(tmp_path / "papers")[0]


def find(**wanted: Any) -> Published:
    (found,) = [p for p in KNOWN if all(getattr(p, k) == v for k, v in wanted.items())]
    return found


def report(runs: Any, *, values: dict[str, float], protocol: dict[str, Any], **how: Any) -> Report:
    """A run of bce and lsgan with these numbers, and what evaluation would say of them."""
    runs.COLUMNS = runs.COLUMNS | {name: Column(name, "", "max") for name in values}
    result = {**runs.result(values, **how), "protocols": {"aaaa1111": protocol}}
    reference = {**runs.reference(values, "aaaa1111"), "protocols": {"aaaa1111": protocol}}
    return Report.of(runs.write({REAL: [reference], BCE: [result], LSGAN: [result]}))


def judged(**changes: Any) -> dict[str, Any]:
    """The protocol of a metric, as evaluation stores it."""
    real = {"train": {"num_images": 100_000, "sha256": "0" * 64}}
    stored = {"metric": "m", "version": 1, "num_samples": 10_000, "real": real, "extractors": {}}
    return {**stored, **changes}


def pair(runs: Any, theirs: Published, **how: Any) -> Pair:
    how = {"values": {MODES: 7.0}, "protocol": judged(num_samples=2500), **how}
    (found,) = match_published(report(runs, **how), [theirs])
    return found


def test_files_come_with_the_package():
    folder = ROOT / "ganbench" / "reports" / "published" / "tables"
    assert {path.parent for path in published_numbers.files()} == {folder}
    assert len(KNOWN) > 400
    assert {path.name for path in published_numbers.files()} == {number.file for number in KNOWN}


def test_a_package_without_them_is_broken(tmp_path, monkeypatch):
    monkeypatch.setattr(published_numbers, "FOLDER", tmp_path)
    with pytest.raises(ConfigError, match=r"no published numbers in .*; install ganbench again"):
        published_numbers.files()


def test_no_number_stands_twice():
    times = Counter(
        (p.source.title, p.where, p.model, p.dataset, p.metric, p.protocol.model_dump_json())
        for p in KNOWN
    )
    assert [key for key, count in times.items() if count > 1] == []


@pytest.mark.parametrize("file", published_numbers.files(), ids=lambda path: path.stem)
def test_numbers_are_possible_and_have_a_source(file):
    numbers = published_numbers.read(file)
    assert numbers
    for number in numbers:
        kind = Name.of(number.metric).kind
        assert 0 <= number.value <= TOPS.get(kind, 2000)
        assert number.value >= 1 or kind != "is"
        assert not Name.of(number.metric).is_bare
        assert (number.spread is None) == (number.kind == "none")
        assert number.spread is None or number.spread >= 0
        assert number.source.url.startswith("https://")


@pytest.mark.parametrize(
    ("dataset", "most"), [("ring", 8), ("grid", 25), ("mixture1200", 10), ("stacked-mnist", 1000)]
)
def test_no_data_has_more_modes_than_it_has(dataset, most):
    found = [p for p in KNOWN if p.dataset == dataset]
    assert found
    assert all(p.value <= most for p in found if p.metric == "modes")
    assert all(p.value <= math.log(most) for p in found if p.metric == "reverse-kl")


def test_plugins_and_definitions_that_the_files_name_exist(with_packages):
    for number in KNOWN:
        match = number.matches or Match()
        named = [("loss", c) for c in (match.loss, *match.regularizers) if c]
        named += [("transform", c) for c in match.transforms]
        for kind, choice in named:
            with_packages.build(kind, choice.name, choice.options)
        setting = number.protocol.setting
        assert setting in {None, "ring8/veegan", "grid25/veegan", *DEFINITIONS}
        if setting in DEFINITIONS:
            assert DEFINITIONS[setting].dataset == number.dataset
            assert number.protocol.num_fake in (None, DEFINITIONS[setting].num_samples)


def test_values_are_as_printed():
    ring = find(file="pacgan.yaml", dataset="ring", model="GAN", metric="high-quality")
    assert (ring.value, ring.spread, ring.n) == (0.982, 0.002, 10)
    assert ring.kind == "standard error over training runs"
    assert ring.spread_text == "s.e., 10 runs"
    assert (ring.protocol.setting, ring.protocol.num_fake) == ("ring8/pacgan", 2500)
    assert ring.protocol.schedule["batch_size"] == 100
    assert ring.protocol.schedule["betas"] == [0.8, 0.999]
    packed = find(file="pacgan.yaml", dataset="grid", model="PacGAN2", metric="modes")
    assert packed.text == "23.8 ± 0.7"
    assert packed.protocol.kimg == 80_000
    lucic = find(file="compare_gan.yaml", dataset="mnist", model="WGAN-GP", metric="fid@inception")
    assert (lucic.text, lucic.spread_text) == ("20.3 ± 5.0", "sd, 50 runs")
    mimicry = find(
        file="mimicry.yaml", dataset="cifar10", model="SNGAN", metric="fid@inception", value=16.77
    )
    assert mimicry.spread_text == "sd, 3 evaluations"
    alone = find(file="veegan.yaml", dataset="ring", model="VEEGAN", metric="modes")
    assert (alone.text, alone.spread, alone.spread_text) == ("8", None, "none, 5 runs")


def test_wgan_gp_on_cifar10_has_as_many_values_as_suites():
    losses = [p for p in KNOWN if p.matches and p.matches.loss and p.matches.loss.name == "wgan-gp"]
    fids = {p.value for p in losses if (p.dataset, p.metric) == ("cifar10", "fid@inception")}
    assert {16.95, 19.83, 22.29, 26.08, 36.84, 53.98, 55.8} <= fids


def test_nothing_is_from_memory():
    """Numbers that the reference marks as unverified, and two that were copied by mistake."""
    stacked = [p for p in KNOWN if p.dataset == "stacked-mnist"]
    assert not {959, 940, 0.73, 0.115, 0.42, 0.071, 0.029} & {p.value for p in stacked}
    assert 10.2011 not in {p.value for p in KNOWN}


@pytest.mark.parametrize(
    ("old", "new", "sentence"),
    [
        ("year: 2018, ", "", r"paper.yaml:1:\d+: 'source.year' is missing"),
        ("authors: [One, Two, Three]", "authors: []", "expected 1 or more values"),
        ("[6.3, 0.5]", "often", "expected a number or a list, found 'often'"),
        ("kind: standard error over training runs", "kind: sd", "expected 'standard error over"),
        ("num_fake: 2500", "fakes: 2500", "unknown key 'fakes'"),
        ("num_fake: 2500", "num_fake: 0", "expected a number greater than 0, found 0"),
        ("matches: {loss: bce}", "matches: {lose: bce}", "paper.yaml:18:19: unknown key 'lose'"),
        (FILE, "tables: []", "'source' is missing"),
    ],
)
def test_file_that_is_not_right_says_where(tmp_path, old, new, sentence):
    with pytest.raises(ConfigError, match=rf"(?s){sentence}"):
        of(tmp_path / "papers", FILE.replace(old, new))


def test_row_is_laid_over_its_table():
    table = PublishedProtocol(num_fake=5, split="train", schedule={"g_lr": 1, "ema": 0})
    row = PublishedProtocol(split="test", schedule={"g_lr": 2})
    merged = table.under(row)
    assert (merged.num_fake, merged.split, merged.schedule) == (5, "test", {"g_lr": 2, "ema": 0})


@pytest.mark.parametrize(
    ("match", "labels"),
    [
        ({"loss": "bce"}, [BCE]),
        ({"loss": {"name": "bce", "saturating": False}}, [BCE]),
        ({"loss": {"name": "bce", "saturating": True}}, []),
        ({"loss": "bce", "transforms": [{"name": "pacgan", "packing": 2}]}, []),
        ({"loss": "bce", "regularizers": ["r1"]}, []),
        ({"loss": "bce", "d_norm": "spectral"}, []),
        ({"reference": "test"}, [REAL]),
        ({"reference": "memorised"}, []),
        ({}, []),
    ],
)
def test_matches_are_strict(runs, match, labels):
    run = runs.write({BCE: [runs.result({"modes": 8.0})]})
    found = Match.model_validate_json(json.dumps(match))
    assert [t.subject.label for t in run.trials if found.fits(t.subject)] == labels


def test_cell_with_more_than_the_model_has_is_another(runs):
    run = runs.write({BCE: [runs.result({"modes": 8.0})]})
    (cell,) = [c for c in run.plan.cells if c.label == BCE]
    plain = Match(loss={"name": "bce"})
    assert plain.fits(cell)
    assert not plain.fits(replace(cell, regularizers=(cell.loss,)))
    assert not plain.fits(replace(cell, transforms=(cell.loss,)))
    assert not plain.fits(replace(cell, d_norm="spectral"))
    assert Match(loss={"name": "bce"}, d_norm="spectral").fits(replace(cell, d_norm="spectral"))


def test_same_protocol_only_where_all_is_known_and_equal(runs, paper):
    found = pair(runs, paper)
    assert found.ours
    assert (found.ours.row.label, found.ours.text) == (BCE, "7.00")
    assert found.differences == ()
    assert found.unknown == ()
    assert found.same
    assert found.verdict == "same protocol"


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"num_fake": 50_000}, "samples 2,500 vs 50,000"),
        ({"setting": "ring8/veegan"}, "definition ring8/pacgan vs ring8/veegan"),
        ({"kimg": 40_000}, "budget in kimg 1 vs 40,000"),
        ({"kimg": None, "g_updates": 500}, "budget in G updates 10 vs 500"),
        ({"kimg": None, "d_updates": 500}, "budget in D updates 10 vs 500"),
        ({"kimg": None, "budget": "20 epochs"}, "budget 1 kimg vs 20 epochs"),
        ({"conditioning": "projection"}, "conditioning none vs projection"),
        ({"data": {"std": 0.05}}, "data std 0.01 vs 0.05"),
        ({"schedule": {"betas": [0.8, 0.999]}}, "betas (0.5, 0.999) vs (0.8, 0.999)"),
        ({"schedule": {"updates": "simultaneous"}}, "updates alternating vs simultaneous"),
        ({"selection": "best checkpoint"}, "choice of weights the last of one setting vs best"),
    ],
)
def test_each_difference_is_named(runs, paper, change, difference):
    found = pair(runs, replace(paper, protocol=paper.protocol.model_copy(update=change)))
    (told,) = found.differences
    assert told.startswith(difference)
    assert found.verdict.startswith(f"differs: {difference}")
    assert not found.same


@pytest.mark.parametrize(
    ("theirs", "difference"),
    [
        ({"name": "mlp", "width": 128}, ()),
        ({"name": "mlp", "width": 64}, ("architecture mlp(width=128) vs mlp(width=64)",)),
        ("InfoGAN's", ("architecture mlp vs InfoGAN's",)),
    ],
)
def test_architectures_are_compared_as_far_as_named(runs, paper, theirs, difference):
    protocol = PublishedProtocol.model_validate({"architecture": theirs})
    found = pair(runs, replace(paper, protocol=paper.protocol.under(protocol)))
    assert found.differences == difference


@pytest.mark.parametrize(
    ("absent", "unknown"),
    [
        ("setting", "definition"),
        ("num_fake", "samples"),
        ("selection", "choice of weights"),
        ("architecture", "architecture"),
        ("kimg", "budget"),
        ("conditioning", "conditioning"),
    ],
)
def test_what_the_source_does_not_say_is_unknown(runs, paper, absent, unknown):
    found = pair(runs, replace(paper, protocol=paper.protocol.model_copy(update={absent: None})))
    assert found.verdict == f"no known difference; unknown: {unknown}"
    assert not found.same


def test_number_of_ours_without_a_protocol_is_not_comparable(runs, paper):
    found = pair(runs, paper, protocol={})
    assert "samples" in found.unknown
    assert not found.same


def test_definition_says_how_many_samples_it_takes(runs, paper):
    stored = judged(num_samples=10_000, definition={"name": "ring8/pacgan", "num_samples": 2500})
    assert pair(runs, paper, protocol=stored).same


def test_column_of_the_same_setting_is_the_one_compared(runs, paper):
    values = {"modes": 3.0, "modes[other]": 4.0, MODES: 7.0}
    assert pair(runs, paper, values=values).column.name == MODES


@pytest.mark.parametrize(
    ("values", "column", "definition"),
    [
        ({"modes": 3.0, "modes[other]": 4.0}, "modes", "m v1"),
        ({"modes[other]": 4.0}, "modes[other]", "other"),
    ],
)
def test_other_definitions_are_compared_where_there_is_no_better(
    runs, paper, values, column, definition
):
    found = pair(runs, paper, values=values)
    assert found.column.name == column
    assert found.differences == (f"definition {definition} vs ring8/pacgan",)


def test_model_that_no_cell_is_stands_alone(runs, paper):
    found = pair(runs, replace(paper, matches=None))
    assert found.ours is None
    assert found.differences == ()
    assert not found.same
    assert found.verdict == "no known difference"


def test_reference_rows_are_compared_with_published_real_data(runs, paper):
    found = pair(runs, replace(paper, matches=Match(reference="test")))
    assert found.ours
    assert found.ours.row.label == REAL
    assert found.same


def test_time_to_a_target_is_not_the_target(runs, paper):
    shown = report(runs, values={"time-to-modes=8": 7.0}, protocol=judged())
    assert match_published(shown, [paper]) == []


@pytest.mark.parametrize("change", [{"dataset": "grid"}, {"metric": "reverse-kl"}])
def test_other_data_and_metrics_are_no_pair(runs, paper, change):
    shown = report(runs, values={MODES: 7.0}, protocol=judged())
    assert match_published(shown, [replace(paper, **change)]) == []


FIDS = {"fid@mnist-cnn-v1": 1.0, "fid@inception": 30.0}
INCEPTION = {"inception": {"resize": "bilinear as TensorFlow 1: corners, no antialias, to 299×299"}}
OF_FEATURES = {
    "num_fake": 10_000,
    "num_real": 100_000,
    "split": "train",
    "resize": "bilinear as TensorFlow 1",
}


@pytest.fixture
def fid(paper: Published) -> Published:
    protocol = paper.protocol.model_copy(update=OF_FEATURES)
    return replace(paper, metric="fid@inception", value=6.8, protocol=protocol)


def test_features_and_resize_that_agree_are_the_same_protocol(runs, fid):
    found = pair(runs, fid, values=FIDS, protocol=judged(extractors=INCEPTION))
    assert found.column.name == "fid@inception"
    assert found.same


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        ({"num_real": 10_000}, "real images 100,000 vs 10,000"),
        ({"split": "test"}, "split train vs test"),
        ({"resize": "bicubic as PIL"}, "resize bilinear as TensorFlow 1"),
        ({"details": {"fid": {"ddof": 0}}}, "ddof 1 vs 0"),
        ({"details": {"kid": {"ddof": 0}}}, None),
    ],
)
def test_differences_of_feature_metrics(runs, fid, change, difference):
    theirs = replace(fid, protocol=fid.protocol.model_copy(update=change))
    stored = judged(extractors=INCEPTION, ddof=1)
    found = pair(runs, theirs, values=FIDS, protocol=stored)
    assert found.same if difference is None else found.differences[0].startswith(difference)


def test_other_features_are_the_first_difference(runs, fid):
    found = pair(runs, fid, values={"fid@mnist-cnn-v1": 1.0}, protocol=judged())
    assert found.verdict == "differs: features mnist-cnn-v1 vs inception"


def test_two_splits_of_ours_are_named_and_their_number_is_unknown(runs, fid):
    real = {name: {"num_images": 9, "sha256": ""} for name in ("train", "test")}
    stored = judged(extractors=INCEPTION, real=real)
    found = pair(runs, fid, values=FIDS, protocol=stored)
    assert found.differences == ("split train and test vs train",)
    assert found.unknown == ("real images",)


def test_same_protocols_stand_before_others_and_before_models_without_a_cell(runs, paper):
    other = replace(paper, model="other", protocol=PublishedProtocol(num_fake=9))
    alone = replace(paper, model="alone", matches=None)
    shown = report(runs, values={MODES: 7.0}, protocol=judged(num_samples=2500))
    found = match_published(shown, [alone, other, paper])
    assert [p.theirs.model for p in found] == ["GAN", "other", "alone"]
