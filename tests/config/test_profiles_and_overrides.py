"""Profiles and `--set` change a benchmark file, and their mistakes are theirs."""

from __future__ import annotations

import pytest

PLAIN = """\
version: 1
name: bench
dataset: mnist
loss: bce
conditioning: concat
architecture: dcgan
"""
PROFILES = """\
version: 1
name: bench
dataset: mnist
architecture: dcgan
matrix: {loss: [bce, lsgan], conditioning: [concat]}
training: {batch_size: 8, budget: {kimg: 80}}
seeds: [0]
profiles:
  smoke:
    training: {budget: {kimg: 2}}
    matrix: {loss: [bce]}
    seeds: [3, 4]
  bad:
    training:
      budget: {kimg: -2}
"""


def test_profile_merges_mappings_and_replaces_lists(parse) -> None:
    found = parse(PROFILES, profile="smoke")
    (cell,) = found.cells
    assert cell.settings.training.batch_size == 8
    assert cell.settings.training.budget.kimg == 2
    assert cell.axes == {"loss": "bce", "conditioning": "concat"}
    assert found.run.seeds == (3, 4)
    assert len(parse(PROFILES).cells) == 2


def test_profile_mistake_points_into_the_profile(refused) -> None:
    message = "b.yaml:15:16: training.budget.kimg: expected a number greater than 0, found -2"
    assert refused(PROFILES, profile="bad") == message


@pytest.mark.parametrize(
    ("text", "override", "dropped"),
    [
        (
            "dataset: {name: ring, modes: 8, train_size: 500}",
            "dataset.name=mnist",
            "--set dataset.name=mnist: dataset is 'mnist' in place of 'ring', whose options modes, "
            "train_size go with it; set anew what is to stay, as in --set dataset.train_size=VALUE",
        ),
        (
            "loss: {name: bce, real_target: 0.9}",
            "loss.name=lsgan",
            "--set loss.name=lsgan: loss is 'lsgan' in place of 'bce', whose options real_target",
        ),
        ("architecture: {name: dcgan, width: 32}", "architecture.name=resnet", "options width go"),
        (
            "conditioning: {generator: {name: embed-mul, spread: 2.0}, discriminator: concat}",
            "conditioning.generator.name=concat",
            "conditioning.generator is 'concat' in place of 'embed-mul', whose options spread go",
        ),
        ("dataset: {name: ring, modes: 8}", "dataset.name=ring", None),
        ("dataset: {name: ring, modes: 8}", "dataset=mnist", None),
        ("dataset: {name: ring}", "dataset.name=mnist", None),
    ],
)
def test_options_that_go_with_their_plugin_are_told(parse, text, override, dropped) -> None:
    key = text.partition(":")[0]
    rest = "".join(f"{line}\n" for line in PLAIN.splitlines() if not line.startswith(f"{key}:"))
    warnings = parse(rest + text + "\n", overrides=[override]).warnings
    assert len(warnings) == (dropped is not None)
    assert all(dropped in warning for warning in warnings)


FOLDER = """\
dataset:
  {name: image-csv, path: a, csv: a.csv, resolution: 32, channels: 1, filter: bilinear}
"""


def with_dataset(text: str) -> str:
    return "".join(f"{x}\n" for x in PLAIN.splitlines() if not x.startswith("dataset:")) + text


def test_another_data_set_prepares_images_as_the_one_before(parse) -> None:
    found = parse(
        with_dataset(FOLDER), overrides=["dataset.name=image-folder", "dataset.path=sorted"]
    )
    options = {"path": "sorted", "resolution": 32, "channels": 1, "filter": "bilinear"}
    assert found.cells[0].settings.dataset.options == options
    assert found.document.data()["dataset"] == {"name": "image-folder", **options}
    (warning,) = found.warnings
    assert "whose options path, csv go with it, and resolution, channels, filter stay" in warning


def test_what_is_set_of_another_data_set_counts(parse) -> None:
    text, names = with_dataset(FOLDER), ["dataset.name=image-folder", "dataset.path=x"]
    found = parse(text, overrides=[*names, "dataset.resolution=64"])
    assert found.cells[0].settings.dataset.options["resolution"] == 64
    whole = parse(text, overrides=["dataset={name: image-folder, path: x}"])
    assert whole.cells[0].settings.dataset.options == {"path": "x"}
    assert "go with it; set anew" in whole.warnings[0]


def test_a_data_set_of_one_size_keeps_nothing(parse) -> None:
    found = parse(with_dataset(FOLDER), overrides=["dataset.name=mnist"])
    assert found.cells[0].settings.dataset.options == {}
    assert "resolution, channels, filter go with it; set anew" in found.warnings[0]
    names = ["dataset.name=image-folder", "dataset.path=x", "dataset.name=mnist"]
    assert parse(with_dataset(FOLDER), overrides=names).cells[0].settings.dataset.options == {}


def test_unknown_profile_names_the_nearest(refused) -> None:
    message = refused(PROFILES, profile="smok")
    assert "--profile smok: b.yaml has no such profile; did you mean 'smoke'?" in message
    assert "known: smoke, bad" in message


def test_misspelt_keys_in_profiles_that_are_not_chosen_fail_too(refused) -> None:
    text = PLAIN + "profiles:\n  full: {training: {budget: {kmig: 1}}, seds: [1]}\n"
    message = refused(text)
    assert "b.yaml:8:30: unknown key 'kmig' in 'training.budget'; did you mean 'kimg'?" in message
    assert "b.yaml:8:41: unknown key 'seds'; did you mean 'seeds'?" in message
    assert "expected a mapping of settings, found null" in refused(PLAIN + "profiles: {full: }\n")
    assert "expected a mapping of profiles" in refused(PLAIN + "profiles: 3\n")


def test_profile_with_another_plugin_drops_the_options_of_the_first(parse) -> None:
    text = PLAIN.replace("bce", "{name: wgan-gp, gp_weight: 5}")
    text += "profiles: {other: {loss: {name: lsgan}}, more: {loss: {gp_weight: 7}}}\n"
    assert parse(text, profile="other").cells[0].settings.loss.label == "lsgan"
    assert parse(text, profile="more").cells[0].settings.loss.label == "wgan-gp(gp_weight=7)"


def test_set_overrides_profile_and_file(parse) -> None:
    overrides = ["training.budget.kimg=20", "matrix.loss=[lsgan]", "seeds=[1, 2]"]
    found = parse(PROFILES, profile="smoke", overrides=overrides)
    assert found.cells[0].settings.training.budget.kimg == 20
    assert found.cells[0].settings.loss.name == "lsgan"
    assert found.run.seeds == (1, 2)


def test_set_reaches_axes_with_dots(parse) -> None:
    cells = parse(PROFILES, overrides=["matrix.training.n_critic=[1, 2]"]).cells
    assert [cell.settings.training.n_critic for cell in cells] == [1, 2, 1, 2]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("seeds", "write it as --set some.setting=value"),
        ("trainig.x=3", "unknown key 'trainig'; did you mean 'training'?"),
        (
            "training.batchsize=3",
            "unknown key 'batchsize' in 'training'; did you mean 'batch_size'?",
        ),
        ("training.batch_size=big", "training.batch_size: expected a whole number, found 'big'"),
        ("training=", "training: expected a mapping, found null"),
        ("seeds=[1,", "not readable as YAML"),
        ("matrix.loss=[lsgn]", "unknown loss 'lsgn'; did you mean 'lsgan'?"),
        ("loss=bce", "'loss' is an axis of the matrix, which overrules this value"),
    ],
)
def test_a_wrong_set_is_quoted_in_its_message(refused, override: str, message: str) -> None:
    found = refused(PROFILES, overrides=[override])
    assert found.startswith(f"--set {override}: ")
    assert message in found
