"""`ganbench interpolate`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import toys
from PIL import Image

import ganbench
from ganbench.errors import ConfigError, ContractError
from ganbench.pictures.montage import GAP, LINE
from ganbench.util.random_streams import stream

CAPTION = LINE + GAP  # the height of a row of letters


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def columns_and_rows(path: str, tile: int) -> tuple[int, int]:
    """Of a page without captions."""
    return tuple((side - GAP) // (tile + GAP) for side in size(path))


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
def test_walks_between_labels_end_at_the_plain_labels(call, toy_runs, model):
    call("interpolate", model, "--labels", "red:2", "--rows", 2, "--steps", 4, "--out", "a.png")
    saved = ganbench.load_model(toy_runs / model)
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


def shown(image: torch.Tensor) -> np.ndarray:
    return image.permute(1, 2, 0).numpy()


def left_of(path: str, steps: int) -> int:
    """Where the tiles of a page begin, after the names of its rows."""
    return size(path)[0] - steps * (56 + GAP) - GAP


def test_a_walk_begins_and_ends_at_the_sums_chosen_from_the_sheet(call, toy_runs):
    call("interpolate", "bare", "--from", "3,7-1+2", "--to", "9", "--steps", 3, "--out", "a.png")
    assert columns_and_rows("a.png", 56) == (3, 1)
    saved = ganbench.load_model(toy_runs / "bare")
    z = saved.sheet(10).latents
    begin = (z[3] + z[7]) / 2 - z[1] + z[2]
    expected = saved.interpolate(begin, z[9], steps=3)
    for step in range(3):
        assert (tile("a.png", 0, step) == shown(expected[step])).all()
    assert torch.equal(expected[0], saved.images(begin[None], None)[0])
    assert torch.equal(expected[2], saved.sheet(10).images[9])


def test_labels_of_chosen_samples_are_blended_or_one_is_held(call, toy_runs):
    saved = ganbench.load_model(toy_runs / "toys/bce-cbn")
    sheet = saved.sheet(8)
    assert sheet.labels[[3, 7]].tolist() == [0, 1]
    ways = {"own.png": (), "held.png": ("--label", "2")}
    for out, options in ways.items():
        chosen = ("--from", "3", "--to", "7", "--steps", 3, *options)
        call("interpolate", "toys/bce-cbn", *chosen, "--out", out)
    z = sheet.latents
    own = saved.interpolate(z[3], z[7], 3, "red", "light blue")
    held = saved.interpolate(z[3], z[7], 3, 2)
    for step in range(3):
        assert (tile("own.png", 0, step, top=CAPTION) == shown(own[step])).all()
        left = left_of("held.png", 3)
        assert (tile("held.png", 0, step, left) == shown(held[step])).all()
    assert torch.equal(own[0], sheet.images[3])
    assert torch.equal(own[2], sheet.images[7])
    assert torch.equal(own[1], saved.interpolate(z[3], z[7], 3, {"red": 0.5, 1: 0.5})[1])
    assert not torch.equal(own[1], held[1])


def test_chosen_latents_and_labels_make_one_matrix(call, toy_runs):
    chosen = ("--from", "3-0+6", "--to", "7", "--labels", "red:2", "--steps", 4, "--rows", 3)
    call("interpolate", "toys/bce-cbn", *chosen, "--out", "a.png")
    saved = ganbench.load_model(toy_runs / "toys/bce-cbn")
    z = saved.sheet().latents
    left = left_of("a.png", 4)
    for row, label in enumerate((0, {0: 0.5, 2: 0.5}, 2)):
        expected = saved.interpolate(z[3] - z[0] + z[6], z[7], 4, label)
        for column in range(4):
            assert (tile("a.png", row, column, left) == shown(expected[column])).all()


def test_a_chosen_sample_is_walked_between_labels(call, toy_runs):
    call("interpolate", "toys/bce-cbn", "--from", 3, "--labels", "red:2", "--out", "a.png")
    saved = ganbench.load_model(toy_runs / "toys/bce-cbn")
    z = saved.sheet().latents[3]
    expected = saved.interpolate(z, z, 8, "red", 2)
    for step in range(8):
        assert (tile("a.png", 0, step, top=CAPTION) == shown(expected[step])).all()


@pytest.mark.parametrize(
    ("model", "arguments", "said"),
    [
        ("bare", ["--to", "3"], "--to 3: a walk that ends there begins --from another sample"),
        ("bare", ["--from", "3"], "--from 3: add --to with where the walk ends"),
        ("bare", ["--from", "3", "--to", "64"], "--to 64: the sheet has samples from 0 to 63"),
        ("bare", ["--from", "3+x", "--to", "6"], r"--from 3\+x: expected numbers as in 3,17,20"),
        ("bare", ["--from", "1", "--to", "2", "--label", "0"], "takes no labels"),
        ("toys/bce-cbn", ["--from", "3+6", "--to", "1"], "--from: the labels .* do not add up"),
        ("toys/bce-cbn", ["--from", "label:x", "--to", "1"], "no class 'x'"),
        ("toys/bce-none", ["--labels", "0:1"], "takes no labels"),
        ("bare", ["--label", "0"], "takes no labels"),
        ("toys/bce-cbn", ["--labels", "0"], "--labels 0: expected two classes, as in red:2"),
        ("toys/bce-cbn", ["--labels", "0:"], "expected two classes"),
        ("toys/bce-cbn", ["--labels", "0:red"], "nothing between a class and itself"),
        ("toys/bce-cbn", ["--labels", "0:7"], "no class '7'"),
        ("toys/bce-cbn", ["--labels", "0:1", "--label", "2"], "exclude each other"),
        ("toys/bce-cbn", ["--steps", "1"], "--steps 1: expected at least 2"),
        ("toys/bce-cbn", ["--steps", str(10**12)], "--steps 1000000000000: expected at most 10,0"),
        ("toys/bce-cbn", ["--rows", "0"], "--rows 0: expected at least 1"),
    ],
)
def test_what_cannot_be_walked_is_a_sentence(call, model, arguments, said):
    with pytest.raises(ConfigError, match=said):
        call("interpolate", model, *arguments, "--out", "a.png")


def test_labels_that_cannot_be_mixed_are_a_sentence(tmp_path, toy_plugin, call):
    text = toys.FILE.replace("[{conditionings}]", "[{{name: scattered, way: item}}]")
    toys.write_run(tmp_path / "run", toy_plugin, text=text)
    with pytest.raises(ContractError, match="works on its labels with 'item'"):
        call(
            "interpolate",
            tmp_path / "run",
            "--plugin",
            toy_plugin,
            "--labels",
            "0:1",
            "--out",
            "a.png",
        )
