"""`ganbench nearest`."""

from __future__ import annotations

import json
import shutil

import pytest
import torch
from click.testing import CliRunner
from helpers import toys
from PIL import Image

from ganbench.cli import cli
from ganbench.cli.commands import nearest
from ganbench.errors import DataError, GanbenchError, PluginError
from ganbench.models.saved import find
from ganbench.pictures.montage import GAP, LINE

CAPTION = LINE + GAP  # the height of a row of letters


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def columns_and_rows(path: str, tile: int) -> tuple[int, int]:
    """Of a page without captions."""
    return tuple((side - GAP) // (tile + GAP) for side in size(path))


@pytest.mark.parametrize("by", ["l1", "l2", "features"])
def test_samples_stand_beside_their_nearest_training_images(call, toy_plugin, by):
    arguments = ("--plugin", toy_plugin, "-n", 2, "--k", 4, "--by", by)
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


def test_more_neighbours_than_there_are_images_are_all_of_them(call, toy_plugin):
    call("nearest", "toys/bce-cbn", "--plugin", toy_plugin, "-n", 1, "--k", 99, "--out", "a.png")
    assert size("a.png")[0] >= 61 * 56


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--features", "pixels"], "--features pixels: add --by features"),
        (["--by", "features", "--features", "mnist-cnn-v1"], "it sees images of 1×28×28"),
        (["--by", "features", "--features", "pixls"], "unknown feature extractor 'pixls'"),
        (["-n", "0"], "-n 0: expected at least 1"),
        (["-n", "10000001"], "-n 10000001: expected at most 10,000,000"),
        (["--k", "0"], "--k 0: expected at least 1"),
        (["--label", "9"], "no class '9'"),
    ],
)
def test_what_has_no_neighbours_is_a_sentence(call, toy_plugin, arguments, said):
    with pytest.raises(GanbenchError, match=said):
        call("nearest", "toys/bce-cbn", "--plugin", toy_plugin, *arguments, "--out", "a.png")


def test_training_data_that_is_not_at_hand_is_a_sentence(call, toy_plugin, monkeypatch):
    with pytest.raises(PluginError, match=r"data set 'toys' is of toys.py|dataset 'toys'"):
        call("nearest", "toys/bce-cbn", "--out", "a.png")
    monkeypatch.setenv("NO_TOYS", "1")
    with pytest.raises(DataError, match="data set 'toys', is not usable here: shelf: put away"):
        call("nearest", "toys/bce-cbn", "--plugin", toy_plugin, "--out", "a.png")


def test_other_training_data_is_refused(toy_runs, toy_plugin, tmp_path):
    """By the number of images of a bare copy, and by their content where result.json knows it."""
    copy = tmp_path / "copy"
    shutil.copytree(find.find(toy_runs / "toys/bce-cbn"), copy)
    asked = ["nearest", str(copy), "--plugin", str(toy_plugin), "-n", "1", "--out"]
    (copy / "result.json").unlink(missing_ok=True)
    assert CliRunner().invoke(cli, [*asked, str(tmp_path / "a.png")]).exit_code == 0
    (copy / "result.json").write_text(json.dumps({"data": {"sha256": "0" * 64}}))
    done = CliRunner().invoke(cli, [*asked, str(tmp_path / "b.png")])
    assert "data set 'toys' is not what the model was trained on: 60 images" in str(done.exception)
    (copy / "result.json").unlink()
    toys.change_config(copy, num_images=61)
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
