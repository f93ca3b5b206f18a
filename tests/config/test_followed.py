"""Frames that a file asks for, and epochs in which it tells its budget, are in no id."""

from __future__ import annotations

import json

import pytest
from helpers import bench

from ganbench.errors import ConfigError
from ganbench.records import stored
from ganbench.records.cells import Cell, Plan, as_written, pace_key
from ganbench.records.training_settings import Followed, Frame


def text(watched: str, budget: str = "{epochs: 7}") -> str:
    training = bench.IN_EPOCHS.replace("TRAINING", f"budget: {budget}")
    return f"{training}evaluation: {{metrics: [mode-coverage], {watched}}}\n"


def cell(planned, frames: str = "{}", budget: str = "{epochs: 7}") -> Cell:
    (found,) = planned(text(f"frames: {frames}", budget)).cells
    return found


@pytest.mark.parametrize(
    ("frames", "expected"),
    [
        ("{}", []),
        ("{epochs: [5, 1, 1]}", [(1000, "epoch 1"), (5000, "epoch 5")]),
        ("{kimg: [0.5, 7]}", [(500, "0.5 kimg"), (7000, "7 kimg")]),
        ("{steps: [10]}", [(1500, "step 10")]),
        ("{epochs: [7, 7.5]}", [(7000, "epoch 7")]),  # and beyond the budget
        ("{epochs: [20]}", []),
        ("{every: {epochs: 3}}", [(3000, "epoch 3"), (6000, "epoch 6")]),
        ("{every: {kimg: 3.5}}", [(3500, "3.5 kimg"), (7000, "7 kimg")]),
        ("{every: 0.5}", [(3500, "0.5 of the budget"), (7000, "1 of the budget")]),
        ("{every: {epochs: 2}, epochs: null}", [(1000 * n, f"epoch {n}") for n in (2, 4, 6)]),
    ],
)
def test_frames_are_told_in_images(planned, frames: str, expected: list[tuple[int, str]]) -> None:
    found = cell(planned, frames).followed.frames
    assert [(frame.images, frame.title) for frame in found] == expected


def test_how_a_training_is_followed_is_in_no_id(planned) -> None:
    plain = cell(planned, budget="{kimg: 7}")
    watched = cell(planned, "{epochs: [1, 7]}")
    assert plain.followed == Followed()
    assert watched.followed.unit == "epochs"
    assert (watched.id, watched.training_id) == (plain.id, plain.training_id)
    assert pace_key(watched) != pace_key(plain)  # for looks take time
    assert pace_key(cell(planned)) == pace_key(plain)


def test_what_is_followed_is_read_back_from_a_plan(planned) -> None:
    found = cell(planned, "{epochs: [1]}")
    plan = Plan("bench", (found,), (), (0,), "cpu")
    again = stored.typed(Plan, json.loads(json.dumps(as_written(plan)))).cells[0]
    assert again.followed == Followed(unit="epochs", frames=(Frame(images=1000, title="epoch 1"),))
    assert again.id == found.id


@pytest.mark.parametrize(
    ("frames", "message"),
    [
        ("{epochs: [1], kimg: [2]}", "frames are told in one way, and these in kimg and epochs"),
        ("{epochs: []}", "evaluation.frames.epochs: "),
        ("{epochs: [0]}", "evaluation.frames.epochs.0: expected a number greater than 0"),
        ("{epochs: [-1]}", "expected a number greater than 0"),
        ("{epochs: 5}", "evaluation.frames.epochs: expected "),
        ("{epoch: [5]}", "'epoch'"),
        ("{every: 3}", "expected a share of the budget from 0 to 1"),
        ("{every: {epochs: 0}}", "every 0 epochs comes to no end of moments"),
        ("{every: {kimg: 0.001}}", "every 1e-3 kimg comes to 7,000 moments, and at most 1,000"),
    ],
)
def test_frames_that_cannot_be_are_refused_with_their_place(planned, frames, message) -> None:
    with pytest.raises(ConfigError) as caught:
        cell(planned, frames)
    assert message in str(caught.value)
    assert "frames" in str(caught.value)


def test_frames_in_epochs_of_data_of_unknown_size_are_refused(planned, tmp_path) -> None:
    asked = text("frames: {epochs: [1]}", "{kimg: 1}")
    data = f"{{name: image-folder, path: {tmp_path}, resolution: 8}}"
    asked = asked.replace("{name: ring, train_size: 1030}", data).replace("mode-coverage", "fid")
    with pytest.raises(ConfigError, match=r"evaluation.frames: the data set does not say how many"):
        planned(asked.replace("{name: mlp, width: 8}", "{name: dcgan, width: 8}"))


@pytest.mark.parametrize(
    ("every", "images"),
    [
        ("2 kimg", [2000, 4000, 6000]),
        ("{kimg: 3.5}", [3500, 7000]),
        ("1.5 epochs", [1500, 3000, 4500, 6000]),
        ("10 steps", [1500, 3000, 4500, 6000]),
        ("0.5", [3500, 7000]),
        ("{epochs: 8}", []),
        ("null", []),
    ],
)
def test_numbers_on_the_way_are_at_each_multiple_and_in_no_id(planned, every, images) -> None:
    (found,) = planned(text(f"every: {every}")).cells
    assert list(found.followed.probes) == images
    assert found.id == cell(planned).id


@pytest.mark.parametrize(
    ("every", "message"),
    [
        ("20", "evaluation.every: expected a share of the budget from 0 to 1"),
        ("20 images", "found '20 images'"),
        ("0 kimg", "evaluation.every: every 0 kimg comes to no end of moments"),
        ("[1 kimg]", "evaluation.every: expected"),
        ("0.001 kimg", "evaluation.every: every 1e-3 kimg comes to 7,000 moments"),
    ],
)
def test_what_is_no_interval_is_refused_with_its_place(planned, every, message) -> None:
    with pytest.raises(ConfigError) as caught:
        planned(text(f"every: {every}"))
    assert message in str(caught.value)
