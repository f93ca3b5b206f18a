"""A folder with a trained model draws the images that the trained networks would have drawn."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from helpers import tiny, toys, warm

import ganbench
from ganbench.errors import ConfigError, PluginError
from ganbench.models import sampling
from ganbench.models.parts import Parts
from ganbench.models.saved import files
from ganbench.records.run_folder import Run
from ganbench.registry import registry
from ganbench.util import process_settings, sealed

# Sampling


def test_the_folder_alone_gives_the_images_that_the_trained_networks_gave(run, plugin, folder):
    found = ganbench.load_model(folder)
    plugins = registry.load([str(plugin)])
    trial = next(t for t in Run.read(run).trials if "cbn" in t.id)
    generator, discriminator = toys.networks(trial.cell, Parts.of(trial.cell, plugins))
    samples = found.sample(6, seed=4)
    expected = sampling.generate(
        generator, samples.latents, samples.labels, torch.device("cpu"), dtype=torch.uint8
    )
    assert samples.images.shape == (6, 3, 28, 28)
    assert torch.equal(samples.images, expected)
    images = expected.float() / 127.5 - 1
    with sampling.evaluating(discriminator):
        logits = discriminator(images, samples.labels).logits
    assert torch.equal(found.discriminator()(images, samples.labels).logits, logits)


def test_another_process_draws_the_same_images(folder, tmp_path):
    (tmp_path / "draws.py").write_text(
        "import torch, ganbench; torch.set_num_threads(1); "
        f"samples = ganbench.load_model({str(folder)!r}).sample(5, seed=3); "
        f"torch.save(tuple(vars(samples).values()), {str(tmp_path / 'out.pt')!r})"
    )
    done = warm.run("draws", cwd=tmp_path, environment=tiny.surroundings())
    assert done.returncode == 0, done.stderr
    samples = ganbench.load_model(folder).sample(5, seed=3)
    for theirs, ours in zip(torch.load(tmp_path / "out.pt"), vars(samples).values(), strict=True):
        assert torch.equal(theirs, ours)


def test_images_do_not_depend_on_what_the_caller_set_of_torch(folder):
    expected = ganbench.load_model(folder).sample(5, seed=3)
    with process_settings.put_back():
        torch.set_default_dtype(torch.float64)
        with torch.autocast("cpu", torch.bfloat16), torch.device("meta"):
            model = ganbench.load_model(folder)
            found = model.sample(5, seed=3)
            again = model.images(found.latents, found.labels)
            score = model.discriminator()(found.images.float(), found.labels).logits
    for theirs, ours in zip(vars(found).values(), vars(expected).values(), strict=True):
        assert torch.equal(theirs, ours)
    assert torch.equal(again, expected.images)
    assert score.device.type == "cpu"


def test_labels_are_drawn_as_in_the_training_data(folder):
    labels = ganbench.load_model(folder).sample(600).labels
    shares = labels.bincount(minlength=3) / 600
    assert shares.tolist() == pytest.approx([30 / 60, 20 / 60, 10 / 60], abs=0.06)


def test_labels_of_a_model_that_was_judged_by_uniform_ones_are_uniform(folder):
    config = json.loads((folder / "config.json").read_text("utf-8"))
    config["cell"]["judged_labels"] = "uniform"
    config["label_counts"][1] = 0
    sealed.write_json(folder / "config.json", config)
    shares = ganbench.load_model(folder).sample(600).labels.bincount(minlength=3) / 600
    assert shares.tolist() == pytest.approx([1 / 2, 0, 1 / 2], abs=0.06)


def test_labels_are_asked_for_by_name_or_id(folder):
    model = ganbench.load_model(folder)
    assert model.class_names == ("red", "light blue", "2")
    assert model.sample(2, "light blue").labels.tolist() == [1, 1]
    assert model.sample(2, "#1").labels.tolist() == [1, 1]
    assert model.sample(2, ["red", 2]).labels.tolist() == [0, 2]
    assert model.sample(2, 0).labels.tolist() == [0, 0]
    assert model.sample(3, [2, 0, 1]).labels.tolist() == [2, 0, 1]
    assert torch.equal(model.sample(2, "red").latents, model.sample(2, 2).latents)


def test_text_is_a_name_and_a_number_an_id(folder):
    toys.change_config(folder, class_names=["2", "0", "1"])
    model = ganbench.load_model(folder)
    assert [model.label(text) for text in ("2", "1", 2, "#2")] == [0, 2, 2, 2]
    assert model.sample(2, 1).labels.tolist() == [1, 1]
    assert model.sample(2, ["1", 1]).labels.tolist() == [2, 1]


def test_text_that_is_a_number_and_no_name_will_be_refused(folder):
    model = ganbench.load_model(folder)
    with pytest.warns(FutureWarning, match="no class is called '1', and class 1, 'light blue', is"):
        assert model.sample(2, "1").labels.tolist() == [1, 1]


@pytest.mark.parametrize(
    "asked",
    [
        np.int64(2),
        torch.tensor(2),
        [2, 2],
        (np.int8(2), 2),
        range(2, 0, -1),
        np.array([2, 2]),
        torch.tensor([2, 2], dtype=torch.int32),
    ],
)
def test_labels_may_be_any_whole_numbers(folder, asked):
    found = ganbench.load_model(folder).sample(2, asked).labels
    assert found.dtype == torch.int64
    assert found.tolist() in ([2, 2], [2, 1])


@pytest.mark.parametrize(
    ("asked", "kind"),
    [
        (1.0, "a class, or a list with one for each, found a float"),
        (True, "a class, or a list with one for each, found a bool"),
        ({1, 2}, "a class, or a list with one for each, found a set"),
        ([1, 1.5], "a class's name or number, found 1.5 .float."),
        ([1, None], "a class's name or number, found null .NoneType."),
        ([True, False], "a class's name or number, found true .bool."),
        (torch.tensor([0.0, 1.0]), "a class's name or number, found 0.0 .float."),
        (torch.eye(2).long(), r"a class's name or number, found '\[1, 0\]' .list."),
    ],
)
def test_labels_of_another_type_are_refused(folder, asked, kind):
    model = ganbench.load_model(folder)
    with pytest.raises(ConfigError, match=f"expected {kind}"):
        model.sample(2, asked)


@pytest.mark.parametrize("asked", ["3", "-1", 3, -1, "rde"])
def test_unknown_labels_are_answered_with_what_is_possible(folder, asked):
    told = f"no class '{asked}'" if isinstance(asked, str) else f"no class of id {asked}"
    with pytest.raises(ConfigError, match=rf"{told}(.|\n)*known: red, .* from 0 to 2"):
        ganbench.load_model(folder).sample(1, asked)


def test_lists_of_labels_are_checked(folder):
    model = ganbench.load_model(folder)
    with pytest.raises(ConfigError, match="expected 2 labels, found 1"):
        model.sample(2, [1])
    with pytest.raises(ConfigError, match="no class of id 7"):
        model.sample(2, [1, 7])
    with pytest.raises(ConfigError, match="expected at least one image, found 0"):
        model.sample(0)


def test_a_model_without_labels_says_so(run):
    model = ganbench.load_model(run / "bce-none")
    assert model.sample(2).labels is None
    for asked in ("red", 0, [0, 1]):
        with pytest.raises(ConfigError, match="takes no labels: its conditioning is 'none'"):
            model.sample(2, asked)


def test_truncation_keeps_latents_within(folder):
    samples = ganbench.load_model(folder).sample(50, truncation=0.5)
    assert samples.latents.abs().max() <= 0.5


# Third parties


def test_third_parties_are_needed_and_named(foreign, plugin):
    with pytest.raises(PluginError, match=rf"'scattered' is of toys.py sha256.*--plugin {plugin}"):
        ganbench.load_model(foreign)
    assert ganbench.load_model(foreign, plugins=[str(plugin)]).sample(2).labels is not None


def test_nothing_that_the_folder_names_is_imported(foreign, tmp_path):
    trap = tmp_path / "trap.py"
    trap.write_text(f"open({str(tmp_path / 'sprung')!r}, 'w')", "utf-8")
    toys.change_config(foreign, plugins=[str(trap)])
    with pytest.raises(PluginError):
        ganbench.load_model(foreign)
    assert not (tmp_path / "sprung").exists()


def test_another_version_of_a_third_party_is_refused_unless_allowed(foreign, tmp_path):
    edited = tmp_path / "toys.py"
    edited.write_text(toys.TOYS + "\n# edited\n", "utf-8")
    both = r"trained with toys.py sha256:\w+, and toys.py sha256:\w+ is installed"
    with pytest.raises(PluginError, match=both + ".*--allow-other-versions"):
        ganbench.load_model(foreign, plugins=[str(edited)])
    found = ganbench.load_model(foreign, plugins=[str(edited)], allow_other_versions=True)
    assert len(found.notes) == 1
    found.sample(1)


def test_the_plugins_own_version_of_ganbench_is_a_note(folder):
    assert ganbench.load_model(folder).notes == ()
    toys.change_source(folder, "architecture", "ganbench 0.0.9")
    found = ganbench.load_model(folder)
    (note,) = found.notes
    assert note.startswith("architecture 'dcgan' was trained with ganbench 0.0.9, and ganbench")


def test_a_built_in_that_another_distribution_had_is_refused(folder):
    toys.change_source(folder, "architecture", "ganbench-extras 1.0 sha256:0123456789ab")
    with pytest.raises(PluginError, match=r"trained with ganbench-extras 1.0 .* and ganbench \d"):
        ganbench.load_model(folder)


def test_sampling_needs_no_plugin_of_the_data_or_the_discriminator(foreign, run, folder, plugin):
    model = ganbench.load_model(folder)  # its data set is of toys.py too
    model.sample(1)
    with pytest.raises(PluginError, match=r"dataset 'toys' is of toys.py"):
        model.dataset()
    toys.change_config(folder, cell=json.loads((foreign / files.CONFIG).read_text())["cell"])
    toys.change_source(folder, "d_conditioning", "toys.py")
    with pytest.raises(PluginError):
        ganbench.load_model(folder).discriminator()


# Walks and mixtures


def test_walks_go_evenly_between_latents_and_labels(folder):
    model = ganbench.load_model(folder)
    z = model.sheet(6, seed=2).latents
    found = model.interpolate(z[:2], z[2:4], 5, "red", {"light blue": 0.5, 2: 0.5}, path="lerp")
    assert found.shape == (5, 2, 3, 28, 28)
    middle = model.images((z[:2] + z[2:4]) / 2, {"red": 0.5, "light blue": 0.25, "2": 0.25})
    assert torch.equal(found[2], middle)
    assert torch.equal(found[0], model.images(z[:2], torch.zeros(2, dtype=torch.int64)))
    assert torch.equal(found[:, 0], model.interpolate(z[0], z[2], 5, 0, {1: 0.5, 2: 0.5}, "lerp"))


def test_sheets_are_the_same_however_long(folder):
    model = ganbench.load_model(folder)
    short, long = model.sheet(4, seed=1), model.sheet(9, seed=1)
    assert torch.equal(short.latents, long.latents[:4])
    assert long.labels.tolist() == [0, 1, 2, 0, 1, 2, 0, 1, 2]
    assert torch.equal(short.images, long.images[:4])
    assert not torch.equal(short.latents, model.sheet(4).latents)


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"red": 0.5, "2": 0.6}, "expected shares of classes that add up to 1, and these make 1.1"),
        ({"red": True}, "class 'red': expected a share of it, found true"),
        ({"rad": 1}, "no class 'rad'; did you mean 'red'"),
        ({}, "these make 0"),
        (None, "this model takes labels; give one"),
        (7, "no class of id 7"),
    ],
)
def test_labels_that_cannot_be_walked_are_a_sentence(folder, asked, said):
    model = ganbench.load_model(folder)
    z = model.sheet(2).latents
    with pytest.raises(ConfigError, match=said):
        model.interpolate(z[0], z[1], label=asked)


def test_latents_that_cannot_be_walked_are_a_sentence(folder):
    model = ganbench.load_model(folder)
    z = model.sheet(2).latents
    with pytest.raises(ConfigError, match=f"^expected latents of {z.shape[1]} numbers, found 2×3"):
        model.interpolate(torch.zeros(2, 3), z, label=0)
    with pytest.raises(ConfigError, match="as many latents at both ends of a walk"):
        model.interpolate(z[0], z, label=0)
    with pytest.raises(ConfigError, match="at least two steps, found 1"):
        model.interpolate(z, z, 1, label=0)
