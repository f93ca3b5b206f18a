"""`ganbench sample`, `interpolate`, `arithmetic` and `nearest`."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from helpers import tiny, toys
from PIL import Image

import ganbench
from ganbench.cli import cli
from ganbench.cli.commands import nearest
from ganbench.errors import ConfigError, ContractError, DataError, GanbenchError, PluginError
from ganbench.models.saved import find
from ganbench.pictures.montage import GAP, LINE
from ganbench.util.random_streams import stream

CAPTION = LINE + GAP  # the height of a row of letters
RING = """\
version: 1
name: ring
dataset: {{name: ring, train_size: 200, test_size: 50}}
loss: bce
conditioning: [{conditionings}]
architecture: {{name: mlp, width: 8, depth: 1{options}}}
training: {{batch_size: 10, budget: {{kimg: 1}}, precision: float32}}
evaluation: {{num_samples: 100, metrics: [throughput]}}
"""


@pytest.fixture(scope="module")
def plugin(tmp_path_factory) -> Path:
    return toys.write_plugin(tmp_path_factory.mktemp("plugin"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory, plugin) -> Path:
    """Models of 28 coloured pixels, of 64 grey ones, without labels, and of points."""
    runs = tmp_path_factory.mktemp("runs")
    toys.write_run(runs / "toys", plugin, "none", "cbn", "embed-mul", "scattered")
    toys.write_run(runs / "grey", plugin, "cbn", options=", channels: 1, size: 64")
    toys.write_run(runs / "bare", plugin, "none", options=", labelled: false")
    ring = RING.replace("[{conditionings}]", "{conditionings}")
    toys.write_run(runs / "ring", plugin, "none", text=ring)
    return runs


@pytest.fixture
def call(runs, tmp_path, monkeypatch):
    """A command on one of the models, in a folder of its own; what it printed."""
    monkeypatch.chdir(tmp_path)

    def call(command: str, model: str, *arguments: object) -> str:
        done = CliRunner().invoke(
            cli, [command, str(runs / model), *map(str, arguments)], catch_exceptions=False
        )
        assert done.exit_code == 0, done.output
        return done.stdout

    return call


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def columns_and_rows(path: str, tile: int) -> tuple[int, int]:
    """Of a page without captions."""
    return tuple((side - GAP) // (tile + GAP) for side in size(path))


# Sample


def test_sample_writes_arrays_in_a_documented_layout(call, runs):
    assert call("sample", "toys/bce-cbn", "-n", 12, "--seed", 3, "--out", "s.npz") == "s.npz\n"
    samples = ganbench.load_model(runs / "toys/bce-cbn").sample(12, seed=3)
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


def test_sample_fills_a_folder_with_pictures_named_by_class(call, runs):
    call("sample", "toys/bce-cbn", "--label", "light blue", "-n", 3, "--out", "some")
    names = [f"0000{i}-light-blue.png" for i in range(3)]
    assert sorted(path.name for path in Path("some").iterdir()) == names
    samples = ganbench.load_model(runs / "toys/bce-cbn").sample(3, "light blue")
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


def test_points_are_a_scatter(call):
    call("sample", "ring", "-n", 100, "--out", "a.png")
    assert size("a.png") == (500, 500)


def test_nothing_is_replaced_without_force(call):
    Path("a.png").write_text("mine")
    with pytest.raises(ConfigError, match=r"--out a.png: there is such a file; --force replaces"):
        call("sample", "bare", "--out", "a.png")
    assert Path("a.png").read_text() == "mine"
    call("sample", "bare", "-n", 1, "--out", "a.png", "--force")
    assert size("a.png") == (56 + 2 * GAP,) * 2


def test_folders_are_replaced_only_where_all_is_ours(call):
    Path("empty").mkdir()
    call("sample", "bare", "-n", 1, "--out", "empty")
    with pytest.raises(ConfigError, match="the folder is not empty; --force replaces its images"):
        call("sample", "bare", "-n", 3, "--out", "empty")
    call("sample", "bare", "-n", 3, "--out", "empty", "--force")
    assert len(list(Path("empty").iterdir())) == 3
    Path("empty/thesis.tex").write_text("years of work")
    with pytest.raises(ConfigError, match=r"'thesis.tex' in it is no image of `ganbench sample`"):
        call("sample", "bare", "-n", 1, "--out", "empty", "--force")
    assert Path("empty/thesis.tex").read_text() == "years of work"
    assert len(list(Path("empty").iterdir())) == 4
    Path("file").write_text("")
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
        ("toys/bce-cbn", ["-n", "0"], "-n 0: expected at least 1"),
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


def test_plugins_can_be_named_again(call, plugin):
    call("sample", "toys/bce-scattered", "--plugin", plugin, "-n", 1, "--out", "a.png")


def test_another_process_says_the_same(runs, tmp_path):
    done = tiny.ganbench("sample", runs / "bare", "-n", 2, "--out", "a.npz", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "a.npz\n"), done.stderr
    samples = ganbench.load_model(runs / "bare").sample(2)
    with np.load(tmp_path / "a.npz") as found:
        assert (found["images"] == samples.images.permute(0, 2, 3, 1).numpy()).all()
    done = tiny.ganbench("sample", runs / "toys", "--out", "a.png", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("error: ")


# Interpolate


def test_latents_are_walked_in_rows(call):
    call("interpolate", "bare", "--rows", 3, "--steps", 5, "--out", "a.png")
    assert columns_and_rows("a.png", 56) == (5, 3)
    call("interpolate", "bare", "--out", "b.png")
    assert columns_and_rows("b.png", 56) == (8, 8)


def tile(path: str, row: int, column: int, left: int = 0, top: int = 0) -> np.ndarray:
    with Image.open(path) as picture:
        found = np.array(picture)
    step = 56 + GAP
    down, along = top + GAP + row * step, left + GAP + column * step
    return found[down : down + 56 : 2, along : along + 56 : 2]


@pytest.mark.parametrize("model", ["toys/bce-cbn", "toys/bce-embed-mul"])
def test_walks_between_labels_end_at_the_plain_labels(call, runs, model):
    call("interpolate", model, "--labels", "red:2", "--rows", 2, "--steps", 4, "--out", "a.png")
    saved = ganbench.load_model(runs / model)
    latents = saved.architecture.latents(2, stream(0, "interpolate"))
    for column, label in ((0, 0), (3, 2)):
        expected = saved.images(latents, torch.full((2,), label))
        for row in range(2):
            found = tile("a.png", row, column, top=CAPTION)
            assert (found == expected[row].permute(1, 2, 0).numpy()).all()
    between = tile("a.png", 0, 1, top=CAPTION)
    assert (between != tile("a.png", 0, 0, top=CAPTION)).any()


def test_both_ways_make_a_matrix(call):
    call(
        "interpolate", "toys/bce-cbn", "--between", "z", "--labels", "light blue:0",
        "--steps", 4, "--rows", 3, "--out", "a.png",
    )  # fmt: skip
    width, height = size("a.png")
    assert height == 3 * (56 + GAP) + GAP
    left = width - 4 * (56 + GAP) - GAP
    assert left > 30
    corners = [tile("a.png", row, column, left) for row in (0, 2) for column in (0, 3)]
    assert len({corner.tobytes() for corner in corners}) == 4


def test_walks_move(call):
    call(
        "interpolate",
        "toys/bce-cbn",
        "--labels",
        "0:1",
        "--rows",
        3,
        "--steps",
        3,
        "--out",
        "a.gif",
    )
    with Image.open("a.gif") as picture:
        assert picture.n_frames == 4  # there and back
    call("interpolate", "bare", "--rows", 3, "--out", "b.gif")
    assert columns_and_rows("b.gif", 56) == (3, 1)
    with Image.open("b.gif") as picture:
        assert picture.n_frames == 46


def test_the_path_can_be_chosen(call):
    for path in ("slerp", "lerp"):
        call("interpolate", "bare", "--path", path, "--rows", 1, "--out", f"{path}.png")
    call("interpolate", "bare", "--rows", 1, "--out", "own.png")
    assert Path("own.png").read_bytes() == Path("slerp.png").read_bytes()
    assert Path("own.png").read_bytes() != Path("lerp.png").read_bytes()


@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        ("toys/bce-none", ["--labels", "0:1"], "takes no labels"),
        ("bare", ["--label", "0"], "takes no labels"),
        ("toys/bce-cbn", ["--labels", "0"], "--labels 0: expected two classes, as in red:2"),
        ("toys/bce-cbn", ["--labels", "0:"], "expected two classes"),
        ("toys/bce-cbn", ["--labels", "0:red"], "nothing between a class and itself"),
        ("toys/bce-cbn", ["--labels", "0:7"], "no class '7'"),
        ("toys/bce-cbn", ["--labels", "0:1", "--label", "2"], "exclude each other"),
        ("toys/bce-cbn", ["--steps", "1"], "--steps 1: expected at least 2"),
        ("toys/bce-cbn", ["--rows", "0"], "--rows 0: expected at least 1"),
    ],
)
def test_what_cannot_be_walked_is_a_sentence(call, model, arguments, said):
    with pytest.raises(ConfigError, match=said):
        call("interpolate", model, *arguments, "--out", "a.png")


def test_labels_that_cannot_be_mixed_are_a_sentence(tmp_path, plugin, call):
    text = toys.FILE.replace("[{conditionings}]", "[{{name: scattered, way: item}}]")
    toys.write_run(tmp_path / "run", plugin, text=text)
    with pytest.raises(ContractError, match="works on its labels with 'item'"):
        call(
            "interpolate", tmp_path / "run", "--plugin", plugin, "--labels", "0:1", "--out", "a.png"
        )


# Arithmetic


def test_a_sheet_comes_first(call):
    call("arithmetic", "toys/bce-cbn", "--sheet", "a.png", "-n", 20)
    assert size("a.png")[0] == 9 * (56 + GAP) + GAP  # each column of one class
    call("arithmetic", "bare", "--sheet", "b.png", "-n", 20)
    assert size("b.png")[0] == 10 * (56 + GAP) + GAP


def result(path: str, rows: int, left: int) -> np.ndarray:
    """The tile of the result, below so many operands with captions of one line."""
    with Image.open(path) as picture:
        found = np.array(picture)
    down = GAP + rows * (56 + 15 + GAP)
    return found[down : down + 56 : 2, left : left + 56 : 2]


def test_a_minus_b_plus_c_is_that_of_latents(call, runs):
    call("arithmetic", "bare", "--plus", "3,7", "--minus", 1, "--plus", 2, "--out", "a.png")
    saved = ganbench.load_model(runs / "bare")
    from ganbench.models.latents import draw_each

    z = draw_each(saved.architecture, range(8), 0, "sheet")
    expected = saved.images(((z[3] + z[7]) / 2 - z[1] + z[2])[None], None)[0]
    with Image.open("a.png") as picture:
        found = np.array(picture)
    wanted = expected.permute(1, 2, 0).numpy()
    assert any(
        (result("a.png", 3, left) == wanted).all() for left in range(found.shape[1] - 56)
    )  # wherever the margin ends


def test_numbers_mean_the_same_on_every_sheet(call):
    for n in (10, 40):
        call("arithmetic", "toys/bce-cbn", "--plus", "3,6", "-n", n, "--out", f"{n}.png")
    assert Path("10.png").read_bytes() == Path("40.png").read_bytes()


def test_classes_choose_samples(call):
    arguments = ("--plus", "label:red", "--minus", "label:1", "--plus", "label:2")
    call("arithmetic", "toys/bce-cbn", *arguments, "--sheet", "s.png", "--out", "a.png")
    call("arithmetic", "toys/bce-cbn", "--plus", "0,3,6", "-n", 9, "--out", "b.png")
    call("arithmetic", "toys/bce-cbn", "--plus", "label:red", "-n", 9, "--out", "c.png")
    assert Path("b.png").read_bytes() == Path("c.png").read_bytes()


@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        ("bare", [], "nothing to write: begin with --sheet"),
        ("bare", ["--out", "a.png"], "add --plus"),
        ("bare", ["--out", "a.png", "--minus", "1"], "add --plus"),
        ("bare", ["--plus", "1"], r"add --out page.png"),
        ("bare", ["--plus", "1,x", "--out", "a.png"], "--plus 1,x: expected numbers as in 3,17,20"),
        ("bare", ["--plus", "64", "--out", "a.png"], "samples from 0 to 63, and no 64; -n 65"),
        ("bare", ["--plus", "-1", "--out", "a.png"], "--plus -1: expected numbers"),
        ("bare", ["--plus", "label:0", "--out", "a.png"], "the data has no classes"),
        ("toys/bce-cbn", ["--plus", "label:x", "--out", "a.png"], "no class 'x'"),
        ("toys/bce-cbn", ["--plus", "label:2", "-n", "2", "--out", "a.png"], "none of the 2 .* -n"),
        ("bare", ["--plus", "1", "--out", "a.png", "--sheet", "a.png"], "are the same file"),
        ("bare", ["--plus", "1", "--out", "a.png", "--noise", "-1"], "--noise -1: expected"),
        ("bare", ["--sheet", "a.gif"], r"--sheet a.gif: expected .png"),
    ],
)
def test_what_cannot_be_added_is_a_sentence(call, model, arguments, said):
    with pytest.raises(ConfigError, match=said):
        call("arithmetic", model, *arguments)
    assert not list(Path().iterdir())


def test_without_labels_or_a_judge_classes_choose_nothing(call, plugin):
    with pytest.raises(ConfigError, match="nor has data set 'toys' a judge"):
        call(
            "arithmetic", "toys/bce-none", "--plus", "label:red", "--out", "a.png",
            "--plugin", plugin,
        )  # fmt: skip


# Nearest


@pytest.mark.parametrize("by", ["l1", "l2", "features"])
def test_samples_stand_beside_their_nearest_training_images(call, plugin, by):
    arguments = ("--plugin", plugin, "-n", 2, "--k", 4, "--by", by)
    call("nearest", "toys/bce-cbn", *arguments, "--out", "a.png")
    width, _ = size("a.png")
    assert width >= 5 * (56 + GAP)


def test_distances_are_per_pixel_and_exact():
    from ganbench.cli.commands.nearest import _by_pixels

    train = torch.tensor([0, 40, 100, 255], dtype=torch.uint8).view(4, 1, 1, 1).expand(4, 3, 9, 9)
    query = torch.full((1, 3, 9, 9), 50, dtype=torch.uint8)
    query[:, :, 0, 0] = 131  # 81 of 243 values, which are 81 above: one on average
    for by, expected in (("l1", 11.0), ("l2", (100 * 80 / 81 + 91**2 / 81) ** 0.5)):
        distances, indices = _by_pixels(query, train.contiguous(), by, 2)
        assert indices.tolist() == [[1, 2]]
        assert distances[0, 0].item() == pytest.approx(expected, rel=1e-5)
    points = (t.float().div(127.5).sub(1) for t in (query, train))
    distances, _ = _by_pixels(*points, "l1", 1)
    assert distances.item() == pytest.approx(11.0, rel=1e-4)


def test_more_neighbours_than_there_are_images_are_all_of_them(call, plugin):
    call("nearest", "toys/bce-cbn", "--plugin", plugin, "-n", 1, "--k", 99, "--out", "a.png")
    assert size("a.png")[0] >= 61 * 56


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--features", "pixels"], "--features pixels: add --by features"),
        (["--by", "features", "--features", "mnist-cnn-v1"], "it sees images of 1×28×28"),
        (["--by", "features", "--features", "pixls"], "unknown feature extractor 'pixls'"),
        (["-n", "0"], "-n 0: expected at least 1"),
        (["--k", "0"], "--k 0: expected at least 1"),
        (["--label", "9"], "no class '9'"),
    ],
)
def test_what_has_no_neighbours_is_a_sentence(call, plugin, arguments, said):
    with pytest.raises(GanbenchError, match=said):
        call("nearest", "toys/bce-cbn", "--plugin", plugin, *arguments, "--out", "a.png")


def test_training_data_that_is_not_at_hand_is_a_sentence(call, plugin, monkeypatch):
    with pytest.raises(PluginError, match=r"data set 'toys' is of toys.py|dataset 'toys'"):
        call("nearest", "toys/bce-cbn", "--out", "a.png")
    monkeypatch.setenv("NO_TOYS", "1")
    with pytest.raises(DataError, match="data set 'toys', is not usable here: shelf: put away"):
        call("nearest", "toys/bce-cbn", "--plugin", plugin, "--out", "a.png")


def test_other_training_data_is_refused(runs, plugin, tmp_path):
    """By the number of images of a bare copy, and by their content where result.json knows it."""
    copy = tmp_path / "copy"
    shutil.copytree(find.find(runs / "toys/bce-cbn"), copy)
    asked = ["nearest", str(copy), "--plugin", str(plugin), "-n", "1", "--out"]
    (copy / "result.json").unlink(missing_ok=True)
    assert CliRunner().invoke(cli, [*asked, str(tmp_path / "a.png")]).exit_code == 0
    (copy / "result.json").write_text(json.dumps({"data": {"sha256": "0" * 64}}))
    done = CliRunner().invoke(cli, [*asked, str(tmp_path / "b.png")])
    assert "data set 'toys' is not what the model was trained on: 60 images" in str(done.exception)
    (copy / "result.json").unlink()
    config = (copy / "config.json").read_text("utf-8")
    (copy / "config.json").write_text(config.replace('"num_images": 60', '"num_images": 61'))
    done = CliRunner().invoke(cli, [*asked, str(tmp_path / "b.png")])
    assert "60 images here, 61 then" in str(done.exception)
    assert not (tmp_path / "b.png").exists()


def test_relative_paths_of_the_data_begin_where_the_run_did(tmp_path, monkeypatch):
    """And not where somebody else's folder of the same name is."""
    run, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    (run / "trials" / "a").mkdir(parents=True)
    elsewhere.mkdir()
    (run / "run.json").write_text(json.dumps({"cwd": str(tmp_path)}))
    monkeypatch.chdir(elsewhere)
    assert nearest._where_paths_begin(run / "trials" / "a") == tmp_path
    assert nearest._where_paths_begin(elsewhere) == elsewhere


# All


@pytest.mark.parametrize("command", ["sample", "interpolate", "arithmetic", "nearest"])
def test_help_has_examples_whose_options_exist(command):
    text = CliRunner().invoke(cli, [command, "--help"]).stdout
    examples = re.findall(rf"^ *ganbench {command} (.*)$", text, re.MULTILINE)
    assert len(examples) >= 2
    known = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", text.split("Options:")[1]))
    for example in examples:
        assert set(re.findall(r"(?<= )--?[a-z][a-z-]*", example)) <= known
