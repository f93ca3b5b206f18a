"""What a run will do is settled, named and refused before anything is trained."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from pathlib import Path

import pytest
from helpers.bench import OPEN, TEXT

from ganbench.config import benchmark_file, compatibility, plan
from ganbench.contracts.losses import InputGradients, Regularizer
from ganbench.default_plugins.architectures import DCGAN, MLP, ResNet
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.default_plugins.transforms import TranslationCutout
from ganbench.errors import ConfigError, DataError, GanbenchError, Incompatible
from ganbench.models.parts import Parts, num_parameters
from ganbench.records import cells, run_folder
from ganbench.records.run_folder import Run
from ganbench.records.training_settings import (
    Continued,
    InitialWeights,
    OwnSettings,
    TrainingSettings,
)
from ganbench.util import files, machine


class Penalty(Regularizer):
    name = "penalty"
    input_gradients = InputGradients.REAL


def only(found: cells.Plan) -> cells.Cell:
    (cell,) = found.cells
    return cell


def changed(**lines: str) -> str:
    """The text with these top-level keys set anew."""
    kept = [line for line in TEXT.splitlines() if line.partition(":")[0] not in lines]
    return "\n".join([*kept, *(f"{key}: {value}" for key, value in lines.items())]) + "\n"


@pytest.fixture
def refusal(planned):
    """Why the only cell of a text cannot be built."""

    def refusal(text: str) -> str:
        with pytest.raises(ConfigError, match="on_incompatible: skip keeps") as caught:
            planned(text)
        cell = only(planned(text + "on_incompatible: skip\n"))
        where = r"b\.yaml:\d+:\d+: cell [^ ]+: "
        assert re.match(where + re.escape(cell.incompatible) + "\n", str(caught.value))
        return cell.incompatible

    return refusal


def test_ids_do_not_depend_on_order_or_on_other_cells(planned):
    matrix = "matrix: {{loss: [{}]}}\n"
    first = planned(OPEN + matrix.format("bce, lsgan"))
    second = planned(OPEN + matrix.format("lsgan, {name: bce, real_target: 1}"))
    ids = [{cell.loss.name: cell.id for cell in p.cells} for p in (first, second)]
    assert ids[0] == ids[1]
    assert only(planned(TEXT)).id == ids[0]["bce"]


def test_plugin_versions_are_part_of_an_id_labels_and_seeds_are_not(planned):
    base = only(planned(TEXT))
    newer = dataclasses.replace(base.loss, counted_as="ganbench 0.1.0 (bce 2)")
    assert dataclasses.replace(base, loss=newer).id != base.id
    theirs = dataclasses.replace(base.loss, source="mine 0.2.0", counted_as="")
    assert dataclasses.replace(base, loss=theirs).id != base.id
    renamed = dataclasses.replace(base, label="other", axes={"loss": "x"}, incompatible="why")
    assert renamed.id == base.id
    assert only(planned(TEXT + "seeds: [7, 8]\n")).id == base.id
    assert planned(TEXT + "seeds: [7]\n").id != planned(TEXT).id


TRAINING = (
    "batch_size=65 budget.kimg=101 n_critic=2 optimizer=rmsprop g_lr=0.0003 d_lr=0.0003 "
    "betas=[0.5,0.9] ema=0.99 precision=bfloat16 channels_last=false"
)
OTHERS = [
    *("evaluation.num_samples=9999", "evaluation.metrics=[fid]", "loss=lsgan", "g_norm=layer"),
    *("d_norm=layer", "conditioning=embed-mul", "dataset={name: mnist, root: elsewhere}"),
    *("loss={name: bce, real_target: 0.9}", "architecture={name: dcgan, width: 9}"),
    "evaluation.metrics=[fid@pixels, mode-coverage, cond-accuracy, throughput]",
    "conditioning={generator: concat, discriminator: projection}",
]


@pytest.mark.parametrize("setting", [*(f"training.{x}" for x in TRAINING.split()), *OTHERS])
def test_every_hyper_parameter_makes_another_cell(planned, monkeypatch, setting):
    monkeypatch.setattr(machine, "has_fast_bfloat16", lambda device: False)
    assert only(planned(TEXT, overrides=(setting,))).id != only(planned(TEXT)).id


def test_recipe_is_the_losss_own_until_it_is_overridden(planned):
    recipe = only(planned(changed(loss="wgan-gp"))).schedule
    assert (recipe.n_critic, recipe.g_lr, recipe.d_lr, recipe.betas) == (5, 1e-4, 1e-4, (0, 0.9))
    mixed = only(planned(changed(loss="wgan-gp", training="{n_critic: 2, g_lr: 1e-3}"))).schedule
    assert (mixed.n_critic, mixed.g_lr, mixed.d_lr, mixed.betas) == (2, 1e-3, 1e-4, (0.0, 0.9))
    assert only(planned(TEXT)).schedule.n_critic == 1


def test_open_features_become_the_data_sets_own(planned):
    digits, points = planned(TEXT), planned(changed(dataset="ring", architecture="mlp"))
    for found, features in ((digits, "mnist-cnn-v1"), (points, "pixels")):
        (fid,) = [m for m in only(found).metrics if m.name == "fid"]
        assert fid.options == {"features": features}


@pytest.mark.parametrize("asked", ["float32", "bfloat16"])
def test_precision_is_as_asked_or_what_is_fast_here(planned, monkeypatch, asked):
    for fast in (True, False):
        monkeypatch.setattr(machine, "has_fast_bfloat16", lambda device, fast=fast: fast)
        auto = only(planned(TEXT)).schedule.precision
        assert auto == ("bfloat16" if fast else "float32")
        found = only(planned(TEXT, overrides=(f"training.precision={asked}",)))
        assert found.schedule.precision == asked


def test_d_norm_is_the_first_that_the_losses_allow():
    assert compatibility.resolve_d_norm(None, DCGAN(), [BCE()]) == "batch"
    assert compatibility.resolve_d_norm(None, DCGAN(), [WGANGP()]) == "layer"
    assert compatibility.resolve_d_norm(None, ResNet(), [WGANGP()]) == "layer"
    assert compatibility.resolve_d_norm(None, MLP(), [BCE()]) == "none"
    assert compatibility.resolve_d_norm("batch", DCGAN(), [BCE()]) == "batch"
    assert compatibility.resolve_d_norm("none", DCGAN(), [WGANGP()]) == "none"
    assert compatibility.resolve_d_norm(None, DCGAN(), [BCE(), Penalty()]) == "layer"


def test_architecture_with_batch_norm_only_has_no_penalty():
    only_batch = DCGAN()
    only_batch.d_norms = ("batch",)
    assert compatibility.resolve_d_norm(None, only_batch, [BCE()]) == "batch"
    with pytest.raises(Incompatible, match=r"'wgan-gp' takes .* only offers d_norm 'batch'$"):
        compatibility.resolve_d_norm(None, only_batch, [WGANGP()])


REFUSALS = {
    "loss=wgan-gp d_norm=batch": "loss 'wgan-gp' takes per-image gradients, which d_norm 'batch' "
    "mixes across the batch; use 'layer', 'instance', 'none', 'spectral', or leave d_norm out to "
    "get the first of these",
    "architecture=mlp d_norm=batch": "architecture 'mlp' offers d_norm 'none', 'spectral', "
    "not 'batch'",
    "architecture=mlp g_norm=batch": "architecture 'mlp' offers g_norm 'none', 'spectral', not "
    "'batch'",
    "architecture=mlp conditioning=projection": "conditioning 'projection' enters the generator "
    "through norm layers, and architecture 'mlp' has none; use {generator: concat, discriminator: "
    "projection}",
    "dataset=ring conditioning=none": "architecture 'dcgan': it builds sizes from 28 to 256, and "
    "these images are 1 wide",
    "regularizers=[lsgan]": "'lsgan' is a loss of its own, and a cell has exactly one",
}


@pytest.mark.parametrize("settings", REFUSALS)
def test_cell_that_cannot_be_built_says_why(refusal, settings):
    lines = dict(setting.split("=") for setting in settings.split())
    assert refusal(changed(**lines)) == REFUSALS[settings]


def test_regularizer_alone_is_refused(planned, plugins):
    cell = only(planned(TEXT))
    parts = dataclasses.replace(Parts.of(cell, plugins), losses=(Penalty(),))
    with pytest.raises(Incompatible, match=r"^'penalty' is a regularizer; it goes beside"):
        compatibility.check_parts(parts, cell.schedule)


def test_labels_of_unlabelled_data_are_refused(refusal, planned, tmp_path):
    own = f"{{name: image-folder, path: {tmp_path}, resolution: 28, channels: 1}}"
    assert refusal(changed(dataset=own)) == (
        "conditioning 'concat' needs labels, and data set 'image-folder' has none; use "
        "conditioning none"
    )
    found = planned(changed(dataset=own, conditioning="none"))
    assert (only(found).incompatible, found.references) == (None, ())  # no test set to compare with


def test_missing_image_folder_is_known_before_training(planned, tmp_path):
    own = f"{{name: image-folder, path: {tmp_path / 'nothing'}}}"
    with pytest.raises(DataError, match=r"^b\.yaml:\d+:1: image-folder: .*nothing is not a folder"):
        planned(changed(dataset=own))


def test_skipped_cells_stay_with_their_reason_beside_the_others(planned):
    text = OPEN + "on_incompatible: skip\nd_norm: batch\nmatrix: {loss: [bce, wgan-gp]}\n"
    bce, wgan = planned(text).cells
    assert bce.incompatible is None
    assert "per-image gradients" in wgan.incompatible


def test_cells_with_equal_settings_are_refused(planned):
    with pytest.raises(ConfigError, match=r"cell .* is the same as cell .*: all their settings"):
        planned(OPEN + "matrix: {loss: [bce, {name: bce, flip: 0.0}]}\n")


@pytest.mark.parametrize("architecture", ["dcgan", "resnet", "mlp"])
@pytest.mark.parametrize("d_norm", ["none", "spectral"])
def test_parameters_are_counted_without_building(planned, plugins, architecture, d_norm):
    cell = only(planned(changed(architecture=f"{{name: {architecture}, width: 8}}", d_norm=d_norm)))
    networks = Parts.of(cell, plugins).networks(cell)
    real = tuple(sum(p.numel() for p in net.parameters()) for net in networks)
    assert num_parameters(cell, plugins) == (*real, 0, 0)
    assert min(real) > 1000


def test_counting_parameters_allocates_nothing(planned, plugins):
    """Of a network that would not fit into any machine."""
    cell = only(planned(changed(architecture="{name: mlp, width: 4000000}")))
    assert min(num_parameters(cell, plugins)[:2]) > 3e13


def test_reference_is_the_test_set_once_per_data_set(planned):
    found = planned(OPEN + "matrix: {loss: [bce, lsgan]}\n")
    (reference,) = found.references
    cell = found.cells[0]
    assert reference.label == "real test set (mnist)"
    assert (reference.num_samples, reference.metrics) == (cell.num_samples, cell.metrics)


@pytest.mark.parametrize("lines", [{}, {"d_norm": "batch"}], ids=["ok", "skipped"])
def test_plan_survives_its_file(planned, tmp_path: Path, lines):
    made = planned(changed(loss="wgan-gp", on_incompatible="skip", seeds="[3, 4]", **lines))
    run_folder.write_plan(tmp_path / run_folder.PLAN, made)
    execution = {"threads": 2, "jobs": 2, "plugins": ["a.py"], "callbacks": []}
    about = {"schema_version": run_folder.SCHEMA_VERSION, "id": "x", "execution": execution}
    files.write_json(tmp_path / run_folder.RUN, about)
    run = Run.read(tmp_path)
    assert run.plan == made
    assert bool(only(run.plan).incompatible) == bool(lines)
    assert (run.plan.id, only(run.plan).id) == (made.id, only(made).id)
    _, *others = run.trials  # the reference is the first
    found = [(t.seed, t.threads, t.alone, t.plugins) for t in others]
    assert found == [(seed, 2, False, ("a.py",)) for seed in (3, 4)]
    assert len({t.id for t in run.trials}) == 3


def test_seeds_of_the_command_line_replace_the_files(plugins):
    asked = benchmark_file.parse(
        benchmark_file.Document.parse(TEXT + "seeds: [0, 1]\n", "b.yaml"), plugins
    )
    assert plan.make(asked, plugins, device="cpu").seeds == (0, 1)
    assert plan.make(asked, plugins, device="cpu", seeds=[5]).seeds == (5,)


LATER = {
    "critic_batches": "shared",
    "batches": "balanced",  # than version 0.1
    "fake_labels": "random",
    "micro_batch": 4,
    "compile": "default",
    "n_gen": 2,
    "extrapolates": True,
    "generator": OwnSettings(weight_decay=0.1),
    "discriminator": OwnSettings(optimizer="sgd"),
    "init_from": InitialWeights(weights_sha256="0", players=("discriminator",)),
    "continues": Continued(training="0", kimg=1.0),
    "deterministic": True,
    "processes": 2,
    "batch_norm": "synchronised",
    "spectral_norm": "each-step",
}


def test_settings_left_at_their_defaults_do_not_change_an_id(planned):
    """So that runs of an older ganbench are found again."""
    cell = only(planned(TEXT))
    older = {k: v for k, v in dataclasses.asdict(cell.schedule).items() if k not in LATER}
    assert dataclasses.replace(cell, schedule=TrainingSettings(**older)).id == cell.id
    for name, value in LATER.items():
        changed_one = dataclasses.replace(cell.schedule, **{name: value})
        assert dataclasses.replace(cell, schedule=changed_one).id != cell.id
    kept = dataclasses.asdict(cell)
    kept["schedule"] = older
    later = ("g_optimizer", "d_optimizer", "samplers", "judged_labels", "judge", "sampling_seeds")
    for name in ("label", "axes", "incompatible", "followed", *later):
        kept.pop(name)
    of_today = r'"source": "ganbench [^"]*", "counted_as": "ganbench 0.1.0"'
    text = re.sub(of_today, '"source": "ganbench 0.1.0"', json.dumps(kept))
    text = json.dumps(json.loads(text), sort_keys=True)
    assert cell.id == hashlib.sha256(text.encode()).hexdigest()[:10]


def test_losses_that_pair_images_refuse_random_labels_of_fakes(refusal):
    asked = {"loss": "wgan-gp", "training": "{fake_labels: random}"}
    assert refusal(changed(**asked)) == (
        "loss 'wgan-gp' looks at pairs of a real and a fake image, which need the same label, and "
        "training.fake_labels is random; use fake_labels: real"
    )


def test_losses_of_whole_batches_refuse_pieces(planned, plugins):
    cell = only(planned(TEXT))
    whole = type("Whole", (BCE,), {"whole_batch": True})()
    parts = dataclasses.replace(Parts.of(cell, plugins), losses=(whole,))
    compatibility.check_parts(parts, cell.schedule)
    schedule = dataclasses.replace(cell.schedule, micro_batch=cell.schedule.batch_size // 2)
    with pytest.raises(Incompatible, match=r"^'bce' needs the whole batch at once"):
        compatibility.check_parts(parts, schedule)


@pytest.mark.parametrize(
    ("settings", "looks_ahead", "told"),
    [
        ({"compile": "default"}, False, "training.compile: default does not see"),
        ({}, True, "loss 'bce' looks at a step with others"),
        ({"compile": "graph"}, False, None),
    ],
)
def test_weights_kept_for_a_step_are_refused_where_others_are_asked_for(
    planned, plugins, settings, looks_ahead, told
):
    cell = only(planned(TEXT))
    loss = type("Looking", (BCE,), {"looks_ahead": looks_ahead})()
    parts = dataclasses.replace(Parts.of(cell, plugins), losses=(loss,))
    schedule = dataclasses.replace(cell.schedule, spectral_norm="each-step", **settings)
    if told is None:
        compatibility.check_parts(parts, schedule)
        return
    with pytest.raises(Incompatible, match=told):
        compatibility.check_parts(parts, schedule)


def test_architectures_that_mix_images_refuse_pieces_and_no_penalties(planned, plugins):
    cell = only(planned(TEXT))
    mixing = type("Mixing", (DCGAN,), {"per_sample": False})()
    parts = dataclasses.replace(Parts.of(cell, plugins), architecture=mixing, losses=(WGANGP(),))
    compatibility.check_parts(parts, cell.schedule)
    schedule = dataclasses.replace(cell.schedule, micro_batch=cell.schedule.batch_size // 2)
    with pytest.raises(Incompatible, match=r"^D of architecture 'dcgan' looks at the whole batch"):
        compatibility.check_parts(parts, schedule)


def test_batch_that_makes_no_whole_pieces_is_refused(planned):
    text = changed(training="{batch_size: 10, micro_batch: 4}")
    with pytest.raises(ConfigError, match="a batch of 10 makes no whole pieces of 4"):
        planned(text)


PROCESSES = "execution: {processes: 2}\n"


def test_processes_count_in_ids_and_batch_norm_only_beside_them(planned):
    alone = only(planned(TEXT))
    assert only(planned(TEXT + "execution: {processes: 1}\n")).id == alone.id
    synchronised = changed(training="{batch_size: 8, batch_norm: synchronised}")
    local = changed(training="{batch_size: 8}")
    assert only(planned(synchronised)).id == only(planned(local)).id
    ids = {only(planned(text + PROCESSES)).id for text in (synchronised, local)}
    assert len({*ids, only(planned(local)).id}) == 3
    shared = only(planned(synchronised + PROCESSES)).schedule
    assert (shared.processes, shared.batch_norm, shared.at_once) == (2, "synchronised", 4)


@pytest.mark.parametrize(
    ("training", "why"),
    [
        ("{batch_size: 9}", "a batch of 9 makes no equal shares for 2 processes; use a divisor"),
        ("{batch_size: 12, micro_batch: 4}", "a share of 6 makes no whole pieces of 4; use a"),
        (
            "{batch_size: 8, batch_norm: synchronised, compile: default}",
            "batch_norm: synchronised asks other processes amid a network, which training.compile",
        ),
    ],
)
def test_batches_that_processes_cannot_share_are_refused(planned, training, why):
    with pytest.raises(ConfigError, match=why):
        planned(changed(training=training) + PROCESSES)


def test_what_needs_the_whole_batch_refuses_processes(planned, plugins):
    cell = only(planned(TEXT))
    parts = Parts.of(cell, plugins)
    schedule = dataclasses.replace(cell.schedule, processes=2)
    compatibility.check_parts(parts, schedule)
    whole = type("Whole", (BCE,), {"whole_batch": True})()
    mixing = type("Mixing", (DCGAN,), {"per_sample": False})()
    watching = type(
        "Watching", (TranslationCutout,), {"name": "watching", "observe": lambda self, step: None}
    )
    of = {"name": "contrasting", "whole_batch": True}
    contrasting = type("Contrasting", (type(parts.d_conditioning),), of)()
    for part, why in (
        ({"losses": (whole,)}, "^'bce' needs the whole batch at once, and execution.processes"),
        ({"d_conditioning": contrasting}, "^'contrasting' needs the whole batch at once"),
        ({"architecture": mixing}, "^D of architecture 'dcgan' looks at the whole batch, and exec"),
        ({"transforms": (watching(),)}, "^transform 'watching' goes by the whole batches"),
    ):
        with pytest.raises(Incompatible, match=why):
            compatibility.check_parts(dataclasses.replace(parts, **part), schedule)


# What cells share


def test_a_renamed_cell_keeps_its_id(planned):
    cell = only(planned(TEXT))
    named = cell.renamed("another name", {"loss": "b"})
    assert (named.label, named.axes) == ("another name", {"loss": "b"})
    assert named.id == cell.id == dataclasses.replace(cell, label="a third").id


def test_cells_share_no_settings(planned):
    matrix = "matrix: {training.g_lr: [1e-3, 2e-3], training.betas: [[0, 0.9], [0.5, 0.9]]}\n"
    found = [c.schedule for c in planned(TEXT + "training: {d_lr: 5e-4}\n" + matrix).cells]
    assert [(s.g_lr, s.betas, s.d_lr) for s in found] == [
        (1e-3, (0, 0.9), 5e-4), (1e-3, (0.5, 0.9), 5e-4),
        (2e-3, (0, 0.9), 5e-4), (2e-3, (0.5, 0.9), 5e-4),
    ]  # fmt: skip


def test_an_option_that_is_no_plain_data_is_named(planned):
    cell = only(planned(TEXT))
    odd = dataclasses.replace(cell.loss, options={"folder": Path("x")})
    with pytest.raises(GanbenchError, match=r"plain data: .*Path\('x'\) is of type PosixPath"):
        assert dataclasses.replace(cell, loss=odd).id


def test_columns_of_a_plan_are_those_of_one_metric_in_all_its_features(planned, plugins):
    found = planned(
        "version: 1\nname: x\ndataset: mnist\nloss: bce\nconditioning: none\n"
        "architecture: dcgan\ntraining: {budget: {kimg: 1}}\n"
        "evaluation: {metrics: [fid@mnist-cnn-v1, fid@pixels]}\n"
    )
    names = [column.name for column in plan.columns_of(found, plugins)]
    assert names == ["fid@mnist-cnn-v1", "fid@pixels"]
