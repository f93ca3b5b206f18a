"""Which rows of ours a published number is about, and every difference between the protocols."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from helpers.papers import of

from ganbench import Cell, Column, Report, Spec
from ganbench.records.training_settings import HalfLife, InitialWeights, OwnSettings
from ganbench.reports.published import comparison
from ganbench.reports.published.comparison import Pair, match_published
from ganbench.reports.published.published_numbers import Match, Published, PublishedProtocol

BCE, LSGAN, REAL = "bce/none/mlp", "lsgan/none/mlp", "real test set (ring)"
MODES = "modes[ring8/pacgan]"


@pytest.fixture
def paper(tmp_path: Path) -> Published:
    return of(tmp_path / "papers")[0]


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
        ({"schedule": {"g_lr": {"from": 1e-3, "to": 0}}}, "g_lr 0.0002 vs 1e-3→0"),
        (
            {"schedule": {"betas": [0.5, {"from": 0.9, "to": 1}]}},
            "betas (0.5, 0.999) vs (0.5, 0.9→1)",
        ),
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


# Losses of one word and what they are made of

PENALTY = {
    "weight": 10.0, "at": "interpolates", "target": 1.0, "one_sided": False, "norm": "l2",
    "every": 1, "alpha": "uniform", "noise": "positive", "reach": 0.5, "reduce": "mean",
}  # fmt: skip


def spec(name: str, **options: Any) -> Spec:
    return Spec("loss", name, options, "ganbench 0.1.0")


def penalty(**options: Any) -> Spec:
    return spec("gradient-penalty", **{**PENALTY, **options})


WGAN_GP = Match.model_validate({"loss": {"name": "wgan-gp"}})
PLAIN = {"real_target": 1.0, "flip": 0.0, "target_noise": 0.0, "saturating": False}
IN_TWO = {
    "wgan-gp": (spec("wgan-gp", gp_weight=10.0), spec("wgan"), penalty()),
    "dragan": (
        spec("dragan", gp_weight=10.0, noise=0.5), spec("bce", **PLAIN), penalty(at="dragan"),
    ),
    "wgan-clip": (spec("wgan-clip", clip=0.01), spec("wgan"), spec("weight-clipping", clip=0.01)),
}  # fmt: skip


@pytest.fixture
def cell(runs) -> Cell:
    run = runs.write({BCE: [runs.result({"modes": 8.0})]})
    return next(c for c in run.plan.cells if c.label == BCE)


@pytest.mark.parametrize("name", IN_TWO)
@pytest.mark.parametrize("norm", ["layer", "spectral"])
def test_a_model_is_found_in_one_word_and_in_two(cell, name, norm):
    one, *two = IN_TWO[name]
    forms = [
        replace(cell, loss=one, d_norm=norm),
        replace(cell, loss=two[0], regularizers=(two[1],), d_norm=norm),
    ]
    bound = {"name": two[1].name} | ({"at": "dragan"} if name == "dragan" else {})
    meant = [
        Match.model_validate({"loss": {"name": name}}),
        Match.model_validate({"loss": {"name": two[0].name}, "regularizers": (bound,)}),
    ]
    assert [match.fits(form) for match in meant for form in forms] == [norm == "layer"] * 4


@pytest.mark.parametrize(
    "changed",
    [{"at": "real"}, {"target": 0.0}, {"one_sided": True}, {"norm": "linf"}, {"reduce": "max"}],
)
def test_another_penalty_is_another_model(cell, changed):
    wgan = replace(cell, loss=spec("wgan"), d_norm="none")
    assert not WGAN_GP.fits(replace(wgan, regularizers=(penalty(**changed),)))
    assert not WGAN_GP.fits(wgan)
    both = replace(cell, loss=spec("wgan-gp", gp_weight=10.0), regularizers=(penalty(),))
    assert not WGAN_GP.fits(both)


def test_an_option_of_one_word_is_that_of_the_bound(cell):
    meant = Match.model_validate({"loss": {"name": "wgan-gp", "gp_weight": 3.0}})
    for weight, fits in ((3.0, True), (10.0, False)):
        one = replace(cell, loss=spec("wgan-gp", gp_weight=weight))
        two = replace(cell, loss=spec("wgan"), regularizers=(penalty(weight=weight),))
        assert (meant.fits(one), meant.fits(two)) == (fits, fits)


def test_what_a_match_leaves_open_of_losses_is_a_difference(runs, paper):
    theirs = replace(paper, protocol=PublishedProtocol(losses={"flip": 0.1, "saturating": False}))
    found = pair(runs, theirs)
    assert "flip of losses 0 vs 0.1" in found.differences
    assert not any("saturating" in one for one in found.differences)


def test_what_players_have_of_their_own_is_compared(runs, paper):
    """What a source does not say of it is unknown, as of everything else."""
    run = runs.write({BCE: [runs.result({"modes": 8.0})]})
    (cell,) = [c for c in run.plan.cells if c.label == BCE]
    own = OwnSettings(optimizer="sgd", betas=(0.0, 0.9), clip_grad_norm=1.0)
    half_life = HalfLife(half_life=10)
    schedule = replace(cell.schedule, discriminator=own, n_gen=2, ema=half_life)
    found = replace(cell, schedule=schedule)

    def aspects(**theirs):
        return {a.what: (a.ours, a.theirs) for a in comparison._updates(found, theirs)}

    assert aspects(optimizer="adam", betas=[0.5, 0.999]) == {
        "optimizer": ("adam", "adam"),
        "betas": ([0.5, 0.999], [0.5, 0.999]),
        "n_gen": (2, None),
        "discriminator.optimizer": ("sgd", "adam"),
        "discriminator.betas": ([0.0, 0.9], [0.5, 0.999]),
        "discriminator.clip_grad_norm": (1.0, None),
    }
    said = {"optimizer": "sgd", "betas": [0.0, 0.9], "clip_grad_norm": 2, "lr": 1e-3}
    assert aspects(discriminator=said, n_gen=2, ema={"half_life": 10}) == {
        "discriminator.optimizer": ("sgd", "sgd"),
        "discriminator.betas": ([0.0, 0.9], [0.0, 0.9]),
        "discriminator.clip_grad_norm": (1.0, 2),
        "discriminator.lr": (cell.schedule.d_lr, 1e-3),
        "n_gen": (2, 2),
        "ema": ({"half_life": 10}, {"half_life": 10}),
    }
    options = Spec("optimizer", "adam", {"amsgrad": True}, "ganbench 0.1.0")
    found = replace(cell, g_optimizer=options)
    assert aspects(optimizer="adam")["optimizer"] == ("adam(amsgrad=true)", "adam")
    init_from = InitialWeights(weights_sha256="0", players=("discriminator",))
    found = replace(cell, schedule=replace(cell.schedule, init_from=init_from))
    first = ("a trained model's (discriminator)", "drawn anew")
    assert aspects() == {"first weights": first}
