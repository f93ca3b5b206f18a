"""Published numbers: their files, and every number with its source."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from helpers.papers import FILE, of

from ganbench.default_plugins.metrics.coverage import DEFINITIONS
from ganbench.errors import ConfigError
from ganbench.records.columns import Name
from ganbench.reports.published import published_numbers
from ganbench.reports.published.published_numbers import Match, Published, PublishedProtocol

ROOT = Path(__file__).parents[2]
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


def find(**wanted: Any) -> Published:
    (found,) = [p for p in KNOWN if all(getattr(p, k) == v for k, v in wanted.items())]
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
    assert mimicry.protocol.schedule["g_lr"] == {"from": 2e-4, "to": 0}
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
        ("g_lr: 2e-4", "g_lr: {from: 1}", "g_lr: a schedule needs a finite number"),
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
