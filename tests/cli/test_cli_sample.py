"""`ganbench sample`, and what the help of all commands that look at models says."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from helpers import tiny, toys
from PIL import Image

import ganbench
from ganbench.cli import cli
from ganbench.errors import ConfigError, GanbenchError
from ganbench.models.saved import find
from ganbench.pictures.montage import GAP


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def columns_and_rows(path: str, tile: int) -> tuple[int, int]:
    """Of a page without captions."""
    return tuple((side - GAP) // (tile + GAP) for side in size(path))


def test_sample_writes_arrays_in_a_documented_layout(call, toy_runs):
    assert call("sample", "toys/bce-cbn", "-n", 12, "--seed", 3, "--out", "s.npz") == "s.npz\n"
    samples = ganbench.load_model(toy_runs / "toys/bce-cbn").sample(12, seed=3)
    with np.load("s.npz") as found:
        assert sorted(found) == ["images", "labels", "latents"]
        assert found["images"].shape == (12, 28, 28, 3)
        assert found["images"].dtype == np.uint8
        assert (found["images"] == samples.images.permute(0, 2, 3, 1).numpy()).all()
        assert (found["labels"] == samples.labels.numpy()).all()
        assert (found["latents"] == samples.latents.numpy()).all()


def test_the_same_seed_gives_the_same_file(call):
    for name in ("a.npz", "b.npz"):
        call("sample", "toys/bce-cbn", "-n", 5, "--out", name)
    assert Path("a.npz").read_bytes() == Path("b.npz").read_bytes()
    call("sample", "toys/bce-cbn", "-n", 5, "--seed", 1, "--out", "c.npz")
    assert Path("a.npz").read_bytes() != Path("c.npz").read_bytes()


def test_arrays_of_unlabelled_models_and_of_points_have_no_labels(call):
    call("sample", "bare", "-n", 3, "--out", "a.npz")
    call("sample", "ring", "-n", 4, "--out", "b.npz")
    with np.load("a.npz") as found:
        assert sorted(found) == ["images", "latents"]
    with np.load("b.npz") as found:
        assert found["images"].shape == (4, 1, 1, 2)
        assert found["images"].dtype == np.float32


def test_sample_fills_a_folder_with_pictures_named_by_class(call, toy_runs):
    call("sample", "toys/bce-cbn", "--label", "light blue", "-n", 3, "--out", "some")
    names = [f"0000{i}-light-blue.png" for i in range(3)]
    assert sorted(path.name for path in Path("some").iterdir()) == names
    samples = ganbench.load_model(toy_runs / "toys/bce-cbn").sample(3, "light blue")
    with Image.open("some/00002-light-blue.png") as picture:
        assert (np.array(picture) == samples.images[2].permute(1, 2, 0).numpy()).all()
    assert [path.name for path in Path().iterdir()] == ["some"]  # nothing is left beside it


def test_pictures_of_unlabelled_models_are_numbered(call):
    call("sample", "bare", "-n", 2, "--out", "some")
    assert sorted(path.name for path in Path("some").iterdir()) == ["00000.png", "00001.png"]


def test_pages_of_samples(call):
    call("sample", "bare", "-n", 30, "--out", "a.png")
    assert columns_and_rows("a.png", 56) == (6, 5)
    call("sample", "toys/bce-cbn", "--per-label", 7, "--out", "b.png")
    width, height = size("b.png")
    assert height == 3 * (56 + GAP) + GAP
    assert 0 < width - 7 * (56 + GAP) - GAP < 120  # the names of classes
    call("sample", "grey", "-n", 4, "--out", "c.png")
    assert size("c.png")[0] == 2 * (64 + GAP) + GAP


def test_images_of_one_label_stand_in_a_row(call):
    call("sample", "toys/bce-cbn", "--label", "red", "-n", 10, "--out", "row.png")
    width, height = size("row.png")
    assert width == 10 * (56 + GAP) + GAP
    assert 56 < height < 2 * 56
    call("sample", "toys/bce-cbn", "--label", "red", "-n", 10, "--columns", 4, "--out", "sheet.png")
    width, height = size("sheet.png")
    assert width == 4 * (56 + GAP) + GAP
    assert 3 * 56 < height < 4 * (56 + GAP)
    call("sample", "toys/bce-cbn", "--label", "red", "-n", 25, "--out", "many.png")
    assert size("many.png")[0] == 5 * (56 + GAP) + GAP
    call("sample", "bare", "-n", 6, "--columns", 6, "--out", "bare.png")
    assert columns_and_rows("bare.png", 56) == (6, 1)


def test_rows_of_labels_may_have_the_same_latents(call, toy_runs):
    options = ("sample", "toys/bce-cbn", "--per-label", 4, "--seed", 2)
    call(*options, "--same-latents", "--out", "same.npz")
    call(*options, "--out", "others.npz")
    with np.load("same.npz") as same, np.load("others.npz") as others:
        by_label = same["latents"].reshape(3, 4, -1)
        assert (by_label == by_label[:1]).all()
        assert len(np.unique(by_label[0], axis=0)) == 4
        assert len(np.unique(others["latents"], axis=0)) == 12
        assert same["labels"].tolist() == others["labels"].tolist() == [0] * 4 + [1] * 4 + [2] * 4
        assert not (same["images"][:4] == same["images"][4:8]).all()  # the label alone tells
    call(*options, "--same-latents", "--out", "same.png")
    assert size("same.png")[1] == 3 * (56 + GAP) + GAP


def test_two_models_stand_side_by_side(call, toy_runs):
    other = toy_runs / "bare"
    call("sample", "toys/bce-cbn", "--beside", other, "-n", 3, "--enlarge", 2, "--out", "two.png")
    width, height = size("two.png")
    assert 3 * (56 + GAP) + GAP < width < 3 * (56 + GAP) + GAP + 250  # with their names before
    assert 2 * (56 + GAP) < height < 2 * (56 + GAP) + 60
    call("sample", "bare", "-n", 1, "--enlarge", 3, "--out", "large.png")
    assert size("large.png") == (3 * 28 + 2 * GAP,) * 2
    with Image.open("large.png") as picture:
        shown = np.array(picture.convert("RGB"))[GAP:-GAP, GAP:-GAP]
    found = ganbench.load_model(toy_runs / "bare").sample(1).images[0].permute(1, 2, 0).numpy()
    assert (shown == found.repeat(3, 0).repeat(3, 1)).all()
    with pytest.raises(ConfigError, match=r"--beside is of a page; give --out FILE.png"):
        call("sample", "bare", "--beside", "toys/bce-cbn", "--out", "two.npz")


def test_points_are_a_scatter(call):
    call("sample", "ring", "-n", 100, "--out", "a.png")
    assert size("a.png") == (500, 500)


def test_nothing_is_replaced_without_force(call):
    Path("a.png").write_text("mine", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"--out a.png: there is such a file; --force replaces"):
        call("sample", "bare", "--out", "a.png")
    assert Path("a.png").read_text(encoding="utf-8") == "mine"
    call("sample", "bare", "-n", 1, "--out", "a.png", "--force")
    assert size("a.png") == (56 + 2 * GAP,) * 2


def test_folders_are_replaced_only_where_all_is_ours(call):
    Path("empty").mkdir()
    call("sample", "bare", "-n", 1, "--out", "empty")
    with pytest.raises(ConfigError, match="the folder is not empty; --force replaces its images"):
        call("sample", "bare", "-n", 3, "--out", "empty")
    call("sample", "bare", "-n", 3, "--out", "empty", "--force")
    assert len(list(Path("empty").iterdir())) == 3
    Path("empty/thesis.tex").write_text("years of work", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"'thesis.tex' in it is no image of `ganbench sample`"):
        call("sample", "bare", "-n", 1, "--out", "empty", "--force")
    assert Path("empty/thesis.tex").read_text(encoding="utf-8") == "years of work"
    assert len(list(Path("empty").iterdir())) == 4
    Path("file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigError, match="this is a file"):
        call("sample", "bare", "--out", "file", "--force")


@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        (
            "toys/bce-cbn",
            ["--label", "lite blue"],
            "no class 'lite blue'; did you mean 'light blue'",
        ),
        ("toys/bce-cbn", ["--label", "3"], r"known: red, light blue, 2, or ids from 0 to 2"),
        ("toys/bce-none", ["--label", "red"], "takes no labels: its conditioning is 'none'"),
        ("toys/bce-none", ["--per-label", "3"], "takes no labels"),
        ("toys/bce-cbn", ["--label", "2", "--per-label", "3"], "exclude each other"),
        ("toys/bce-cbn", ["-n", "2", "--per-label", "3"], "-n and --per-label exclude each other"),
        ("toys/bce-cbn", ["--same-latents"], "--same-latents needs --per-label"),
        (
            "toys/bce-cbn",
            ["--per-label", "3", "--same-latents", "--sampler", "plain"],
            "no --sampler",
        ),
        (
            "toys/bce-cbn",
            ["--per-label", "3", "--columns", "3"],
            "--columns and --per-label exclud",
        ),
        ("toys/bce-cbn", ["--per-label", "3", "--beside", "bare"], "--beside and --per-label exc"),
        ("bare", ["--beside", "nowhere/bare"], "nowhere/bare: there is no such folder"),
        ("bare", ["--enlarge", "0"], "--enlarge 0: expected at least 1"),
        ("toys/bce-cbn", ["--columns", "0"], "--columns 0: expected at least 1"),
        ("toys/bce-cbn", ["-n", "0"], "-n 0: expected at least 1"),
        ("toys/bce-cbn", ["-n", str(10**23)], f"-n {10**23}: expected at most 10,000,000"),
        ("toys/bce-cbn", ["--per-label", "-2"], "--per-label -2: expected at least 1"),
        ("toys/bce-cbn", ["--truncation", "0"], "expected a truncation greater than 0"),
        ("toys/bce-cbn", ["--truncation", "1e-5"], "keeps 0.00% of this prior's values"),
        ("toys/bce-cbn", ["--device", "tpu"], "--device tpu: expected auto, cpu"),
        ("toys", [], "4 trials have a model; name one"),
        ("toys/wgan", [], "no trial with a model begins with 'wgan'"),
        ("toys/bce-scattered", [], "add --plugin"),
    ],
)
def test_what_cannot_be_sampled_is_a_sentence(call, model, arguments, said):
    with pytest.raises(GanbenchError, match=said):
        call("sample", model, *arguments, "--out", "a.png")
    assert not Path("a.png").exists()


@pytest.mark.parametrize(
    ("out", "said"),
    [
        ("a.jpg", r"--out a.jpg: expected .png, .npz, a folder"),
        ("nowhere/a.png", r"there is no folder nowhere"),
        ("some.png", "this is a folder"),
    ],
)
def test_outputs_are_checked_before_anything_is_loaded(call, out, said, monkeypatch):
    Path("some.png").mkdir()
    monkeypatch.setattr("ganbench.cli.model_options.load", None)
    with pytest.raises(ConfigError, match=said):
        call("sample", "bare", "--out", out)


def test_points_are_no_pictures_of_their_own(call):
    with pytest.raises(ConfigError, match=r"points of the plane, not pictures; write a .png or"):
        call("sample", "ring", "--out", "some")
    for command in ("interpolate", "nearest"):
        with pytest.raises(ConfigError, match=f"points, not pictures, so that ganbench {command}"):
            call(command, "ring", "--out", "a.png")


def test_plugins_can_be_named_again(call, toy_plugin):
    call("sample", "toys/bce-scattered", "--plugin", toy_plugin, "-n", 1, "--out", "a.png")


def test_another_process_says_the_same(toy_runs, tmp_path):
    done = tiny.ganbench("sample", toy_runs / "bare", "-n", 2, "--out", "a.npz", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "a.npz\n"), done.stderr
    samples = ganbench.load_model(toy_runs / "bare").sample(2)
    with np.load(tmp_path / "a.npz") as found:
        assert (found["images"] == samples.images.permute(0, 2, 3, 1).numpy()).all()
    done = tiny.ganbench("sample", toy_runs / "toys", "--out", "a.png", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


@pytest.mark.parametrize("command", ["sample", "interpolate", "arithmetic", "nearest"])
def test_help_has_examples_whose_options_exist(command):
    text = CliRunner().invoke(cli, [command, "--help"]).stdout
    examples = re.findall(rf"^ *ganbench {command} (.*)$", text, re.MULTILINE)
    assert len(examples) >= 2
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text.split("Options:")[1]))
    for example in examples:
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", example)) <= known


def test_a_number_as_label_is_said_what_it_was_taken_for(call, toy_runs, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(find.find(toy_runs / "toys/bce-cbn"), copy)

    def drawn(label: str) -> tuple[list[int], str]:
        found = CliRunner().invoke(
            cli, ["sample", str(copy), "-n", "2", "--label", label, "--out", "a.npz", "--force"]
        )
        assert found.exit_code == 0, found.output
        with np.load("a.npz") as arrays:
            return arrays["labels"].tolist(), found.stderr

    labels, told = drawn("1")
    assert labels == [1, 1]
    assert "warning: --label 1: no class is called '1', and class 1, 'light blue', is" in told
    assert drawn("#1") == ([1, 1], "")
    toys.change_config(copy, class_names=["1", "2", "3"])
    labels, told = drawn("1")
    assert labels == [0, 0]
    assert told == "note: --label 1: 1 is the class of this name; write #1 for class 1, '2'\n"
    assert drawn("#1") == ([1, 1], "")
    assert drawn("3") == ([2, 2], "")
