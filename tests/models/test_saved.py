"""Models in folders of their own: written, found, and loaded in another process."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import tiny, toys
from safetensors.torch import load_file, save_file

import ganbench
from ganbench.errors import ConfigError, DataError, GanbenchError, PluginError, RunError
from ganbench.models import sampling
from ganbench.models.parts import Parts
from ganbench.models.saved import card, files, find
from ganbench.models.saved.model import SavedModel
from ganbench.records import run_folder
from ganbench.records.run_folder import Run
from ganbench.registry import registry
from ganbench.util.files import write_json


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Path:
    return toys.write_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="module")
def run(tmp_path_factory, plugin) -> Path:
    """Of an unconditional model, one of conditional norms, and one of a third party."""
    run = tmp_path_factory.mktemp("runs") / "toys"
    toys.write_run(run, plugin, "none", "cbn", "scattered")
    return run


@pytest.fixture
def folder(run, tmp_path) -> Path:
    """A copy of the model with conditional norms, to spoil, without anything around it."""
    copy = tmp_path / "copy"
    shutil.copytree(find.find(run / "bce-cbn"), copy)
    return copy


@pytest.fixture
def foreign(run, tmp_path) -> Path:
    """A copy of the model with a third party's conditioning."""
    return Path(shutil.copytree(find.find(run / "bce-scattered"), tmp_path / "foreign"))


def change(folder: Path, **values: Any) -> None:
    found = json.loads((folder / files.CONFIG).read_text("utf-8"))
    (folder / files.CONFIG).write_text(json.dumps({**found, **values}), "utf-8")


def change_source(folder: Path, kind: str, source: str) -> None:
    found = json.loads((folder / files.CONFIG).read_text("utf-8"))
    found["cell"][kind]["source"] = source
    change(folder, cell=found["cell"])


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
    code = (
        "import torch, ganbench; torch.set_num_threads(1); "
        f"samples = ganbench.load_model({str(folder)!r}).sample(5, seed=3); "
        f"torch.save(tuple(vars(samples).values()), {str(tmp_path / 'out.pt')!r})"
    )
    subprocess.run([sys.executable, "-c", code], check=True, env=tiny.surroundings())
    samples = ganbench.load_model(folder).sample(5, seed=3)
    for theirs, ours in zip(torch.load(tmp_path / "out.pt"), vars(samples).values(), strict=True):
        assert torch.equal(theirs, ours)


def test_labels_are_drawn_as_in_the_training_data(folder):
    labels = ganbench.load_model(folder).sample(600).labels
    shares = labels.bincount(minlength=3) / 600
    assert shares.tolist() == pytest.approx([30 / 60, 20 / 60, 10 / 60], abs=0.06)


def test_labels_are_asked_for_by_name_or_id(folder):
    model = ganbench.load_model(folder)
    assert model.class_names == ("red", "light blue", "2")
    assert model.sample(2, "light blue").labels.tolist() == [1, 1]
    assert model.sample(2, "1").labels.tolist() == [1, 1]
    assert model.sample(2, 0).labels.tolist() == [0, 0]
    assert model.sample(3, [2, 0, 1]).labels.tolist() == [2, 0, 1]
    assert torch.equal(model.sample(2, "red").latents, model.sample(2, 2).latents)


def test_names_win_over_ids(folder):
    change(folder, class_names=["2", "0", "1"])
    assert [ganbench.load_model(folder).label(text) for text in ("2", "1", 2)] == [0, 2, 2]


@pytest.mark.parametrize("asked", ["3", "-1", 3, -1, "rde"])
def test_unknown_labels_are_answered_with_what_is_possible(folder, asked):
    with pytest.raises(ConfigError, match=rf"no class '{asked}'(.|\n)*known: red, .* from 0 to 2"):
        ganbench.load_model(folder).sample(1, asked)


def test_lists_of_labels_are_checked(folder):
    model = ganbench.load_model(folder)
    with pytest.raises(ConfigError, match="expected 2 labels, found 1"):
        model.sample(2, [1])
    with pytest.raises(ConfigError, match="no class '7'"):
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
    change(foreign, plugins=[str(trap)])
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
    change_source(folder, "architecture", "ganbench 0.0.9")
    found = ganbench.load_model(folder)
    (note,) = found.notes
    assert note.startswith("architecture 'dcgan' was trained with ganbench 0.0.9, and ganbench")


def test_a_built_in_that_another_distribution_had_is_refused(folder):
    change_source(folder, "architecture", "ganbench-extras 1.0 sha256:0123456789ab")
    with pytest.raises(PluginError, match=r"trained with ganbench-extras 1.0 .* and ganbench \d"):
        ganbench.load_model(folder)


def test_sampling_needs_no_plugin_of_the_data_or_the_discriminator(foreign, run, folder, plugin):
    model = ganbench.load_model(folder)  # its data set is of toys.py too
    model.sample(1)
    with pytest.raises(PluginError, match=r"dataset 'toys' is of toys.py"):
        model.dataset()
    change(folder, cell=json.loads((foreign / files.CONFIG).read_text())["cell"])
    change_source(folder, "d_conditioning", "toys.py")
    with pytest.raises(PluginError):
        ganbench.load_model(folder).discriminator()


# Files that are not as they should be


def test_each_missing_file_is_named(folder, tmp_path):
    (folder / files.WEIGHTS).rename(tmp_path / "w")
    with pytest.raises(DataError, match=r"model.safetensors: missing; config.json is there"):
        ganbench.load_model(folder)
    (tmp_path / "w").rename(folder / files.WEIGHTS)
    (folder / files.CONFIG).unlink()
    with pytest.raises(DataError, match=r"config.json: missing; a model is a folder with"):
        ganbench.load_model(folder)
    (folder / files.WEIGHTS).unlink()
    with pytest.raises(RunError, match="no model in it"):
        ganbench.load_model(folder)


@pytest.mark.parametrize("spoil", ["cut", "empty", "other", "text"])
def test_weights_that_are_not_those_of_the_config_are_refused(folder, run, spoil):
    path = folder / files.WEIGHTS
    content = path.read_bytes()
    spoilt = {
        "cut": content[:-100],
        "empty": b"",
        "text": b"not tensors at all",
        "other": (find.find(run / "bce-none") / files.WEIGHTS).read_bytes(),
    }
    path.write_bytes(spoilt[spoil])
    with pytest.raises(DataError, match=r"not the file that config.json was written with"):
        ganbench.load_model(folder)


@pytest.mark.parametrize("spoil", ["cut", "text"])
def test_weights_that_are_no_safetensors_are_a_sentence(folder, spoil):
    path = folder / files.WEIGHTS
    path.write_bytes(path.read_bytes()[:-100] if spoil == "cut" else b"not tensors at all")
    change(folder, weights_sha256=files._sha256(path))
    with pytest.raises(DataError, match="not a safetensors file"):
        ganbench.load_model(folder)


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda tensors: tensors.pop("generator.backbone.project.bias"), "bias' is missing"),
        (lambda tensors: tensors.update({"generator.x": torch.ones(1)}), "there is no 'x' in it"),
        (
            lambda tensors: tensors.update({"generator.backbone.project.bias": torch.ones(3, 5)}),
            r"'backbone.project.bias' is 3×5, expected \d+",
        ),
    ],
)
def test_weights_of_another_shape_are_a_sentence(folder, edit, said):
    path = folder / files.WEIGHTS
    tensors = load_file(path)
    edit(tensors)
    save_file(tensors, path)
    change(folder, weights_sha256=files._sha256(path))
    with pytest.raises(
        DataError, match=f"not the weights of the generator in config.json: .*{said}"
    ):
        ganbench.load_model(folder)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("", "not whole"),
        ('{"format": "ganb', "not whole"),
        ("[1, 2]", "not whole"),
        ('{"model_type": "bert"}', "of another program: its format is None"),
        (
            '{"format": "ganbench-model", "format_version": 9, "ganbench": "7.1"}',
            "use ganbench 7.1",
        ),
        ('{"format": "ganbench-model", "format_version": 1}', "not as ganbench writes it: "),
    ],
)
def test_configs_of_others_are_sentences(folder, content, said):
    (folder / files.CONFIG).write_text(content, "utf-8")
    with pytest.raises(DataError, match=f"config.json: .*{said}"):
        ganbench.load_model(folder)


def test_a_cell_that_is_not_whole_is_a_sentence(folder):
    change(folder, cell={"architecture": 3})
    with pytest.raises(DataError, match="not as ganbench writes it: dataset"):
        ganbench.load_model(folder)


def test_options_that_no_longer_exist_are_a_sentence(folder):
    cell = json.loads((folder / files.CONFIG).read_text())["cell"]
    cell["architecture"]["options"]["depht"] = 3
    change(folder, cell=cell)
    with pytest.raises(ConfigError, match="copy: architecture 'dcgan' has no option 'depht'"):
        ganbench.load_model(folder)


def test_fields_that_a_later_version_adds_do_no_harm(folder):
    cell = json.loads((folder / files.CONFIG).read_text())["cell"]
    change(folder, cell={**cell, "novelty": 1, "schedule": {}}, novelty=2)
    ganbench.load_model(folder).sample(1)


def test_state_that_is_no_tensor_is_refused_in_a_sentence():
    class Stateful(torch.nn.Module):
        def get_extra_state(self):
            return {"step": 3}

    with pytest.raises(ganbench.ContractError, match="keeps '_extra_state' beside its tensors"):
        files._tensors("generator", Stateful())


# Places


def test_trials_are_found_by_the_beginning_of_their_names(run):
    whole = find.find(run / "bce-cbn")
    assert whole.parent == run / run_folder.TRIALS
    for path in (whole, run / whole.name, run / "trials" / "bce-cbn", run / "bce-c"):
        assert find.find(path) == whole


def test_a_run_with_one_model_means_it(run, tmp_path):
    one = tmp_path / "run"
    shutil.copytree(run, one)
    for trial in sorted((one / "trials").iterdir())[1:]:
        shutil.rmtree(trial)
    (only,) = (one / "trials").iterdir()
    assert find.find(one) == find.find(one / "trials") == only


def test_several_trials_are_listed(run):
    names = sorted(path.name for path in (run / "trials").iterdir())
    for path in (run, run / "bce-", run / "trials"):
        with pytest.raises(RunError, match=r"3 .* have a model; name one") as raised:
            find.find(path)
        assert str(raised.value).split("\n  ")[1:] == names


def test_whole_names_win_over_beginnings(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    first = find.find(copy / "bce-cbn")
    shutil.copytree(first, first.with_name(f"{first.name}0"))
    assert find.find(copy / first.name) == first


@pytest.mark.parametrize("path", ["nowhere", "nowhere/trial", "."])
def test_paths_to_nothing_are_sentences(tmp_path, path):
    with pytest.raises(RunError, match=r"no such folder; name a run, RUN/TRIAL|no model in it"):
        find.find(tmp_path / path)


def test_an_unknown_trial_is_answered_with_those_that_are_there(run):
    with pytest.raises(RunError, match=r"no trial with a model begins with 'wgan'\n  bce-cbn-"):
        find.find(run / "wgan")


def test_trials_without_a_model_say_why(run, tmp_path):
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    trial = find.find(copy / "bce-none")
    (trial / files.CONFIG).unlink()
    (trial / files.WEIGHTS).unlink()
    with pytest.raises(RunError, match="no model in it: the trial is unfinished"):
        find.find(trial)
    write_json(trial / "result.json", {"status": "diverged", "reason": "a loss was nan"})
    for path in (trial, copy / "bce-none"):
        with pytest.raises(RunError, match="the trial is diverged: a loss was nan"):
            find.find(path)
    told = json.loads((trial / "trial.json").read_text())
    write_json(trial / "trial.json", {**told, "cell": None, "reference": {"label": "x"}})
    with pytest.raises(RunError, match="judged real images"):
        find.find(trial)


def test_a_run_without_models_says_so(tmp_path):
    (tmp_path / "run" / "trials" / "a-s0").mkdir(parents=True)
    with pytest.raises(RunError, match="none of its 1 trials has left a model; `ganbench show"):
        find.find(tmp_path / "run")


# Cards


def test_the_card_points_to_the_numbers_then_holds_them(folder):
    text = (folder / files.CARD).read_text("utf-8")
    assert "# toys: bce/cbn/dcgan" in text
    assert "3 classes: red, light blue, 2." in text
    assert "They are in `result.json`" in text
    number = {"name": "fid@pixels", "value": 12.3456, "digits": 2, "unit": "", "protocol": "ab12"}
    absent = {"name": "kid", "value": None, "reason": "no | weights", "protocol": "cd34"}
    files.write_card(folder, [number, absent])
    text = (folder / files.CARD).read_text("utf-8")
    assert "| `fid@pixels` | 12.35 | `ab12` |" in text
    assert r"| `kid` | — (no \| weights) | `cd34` |" in text


def test_the_code_of_the_card_works(folder, monkeypatch):
    text = (folder / files.CARD).read_text("utf-8")
    code = text.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(folder)
    names: dict[str, Any] = {}
    exec(code, names)
    assert isinstance(names["model"], SavedModel)
    assert names["samples"].images.shape[0] == 64


def test_cards_name_the_third_parties_they_need(foreign, folder):
    assert "It needs `toys.py sha256:" in (foreign / files.CARD).read_text("utf-8")
    assert "It needs" not in (folder / files.CARD).read_text("utf-8")


def test_names_are_no_markup(folder):
    config = json.loads((folder / files.CONFIG).read_text())
    text = card.text({**config, "class_names": ["<b>x</b>", "a|b", "[c](d)\n# e"]})
    assert r"\<b\>x\</b\>, a\|b, \[c\](d) \# e." in text


def test_every_error_is_the_users(folder):
    for error in (DataError, RunError, PluginError, ConfigError):
        assert issubclass(error, GanbenchError)
