"""`ganbench arithmetic`."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import ganbench
from ganbench.errors import ConfigError
from ganbench.pictures.montage import GAP, LINE

CAPTION = LINE + GAP  # the height of a row of letters


def size(path: str) -> tuple[int, int]:
    with Image.open(path) as picture:
        return picture.size


def columns_and_rows(path: str, tile: int) -> tuple[int, int]:
    """Of a page without captions."""
    return tuple((side - GAP) // (tile + GAP) for side in size(path))


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


def test_a_minus_b_plus_c_is_that_of_latents(call, toy_runs):
    call("arithmetic", "bare", "--plus", "3,7", "--minus", 1, "--plus", 2, "--out", "a.png")
    saved = ganbench.load_model(toy_runs / "bare")
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
    arguments = ("--plus", "label:red", "--minus", "label:#1", "--plus", "label:2")
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


def test_without_labels_or_a_judge_classes_choose_nothing(call, toy_plugin):
    with pytest.raises(ConfigError, match="nor has data set 'toys' a judge"):
        call(
            "arithmetic", "toys/bce-none", "--plus", "label:red", "--out", "a.png",
            "--plugin", toy_plugin,
        )  # fmt: skip
