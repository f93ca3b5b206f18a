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
