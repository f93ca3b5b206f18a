"""What a first benchmark of somebody's images is like, by their number, size and classes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from ganbench.config import benchmark_file
from ganbench.config.yaml_document import Document
from ganbench.runs import first_benchmark
from ganbench.runs.first_benchmark import Look
from ganbench.training.time_estimate import Estimate

LOOK = Look(
    name="birds",
    source="~/birds",
    dataset={"name": "image-folder", "path": "/nowhere: a [b]", "channels": 3, "test_share": 0.1},
    side=200,
    sized=True,
    train=900,
    test=100,
    classes=0,
    border=0.9,
    remarks=("a.png: empty, 0 bytes",),
)


class Steady:
    """An estimator of a machine that takes so long for an image, by its pixels and the width."""

    seconds = 1e-4

    def __init__(self, *given: object, **how: object) -> None:
        pass

    def estimate(self, cell):
        side, width = cell.dataset.options["resolution"], cell.architecture.options["width"]
        per_image = self.seconds * (side / 64) ** 2 * width / 16
        return Estimate(per_image, per_image / 3, 0.0, None)


@pytest.fixture
def first(plugins, monkeypatch, tmp_path):
    """A benchmark of a machine of some speed."""
    (tmp_path / "birds").mkdir()

    def first(seconds: float, minutes: float = 10, **changes) -> first_benchmark.First:
        monkeypatch.setattr(Steady, "seconds", seconds)
        monkeypatch.setattr(first_benchmark, "Estimator", Steady)
        look = replace(LOOK, dataset={**LOOK.dataset, "path": str(tmp_path / "birds")}, **changes)
        return first_benchmark.written(look, plugins, minutes=minutes, device="cpu")

    return first


def asked(found: first_benchmark.First, plugins):
    return benchmark_file.parse(Document.parse(found.text, "birds.yaml"), plugins).cells[0].settings


@pytest.mark.parametrize(
    ("seconds", "choice"),
    [  # of 64 pixels at width 16
        (1e-5, (64, 64)),
        (1e-3, (64, 32)),
        (1e-2, (32, 32)),
        (1.0, (32, 16)),
    ],
)
def test_slow_machines_get_small_networks_and_images(first, plugins, seconds, choice) -> None:
    found = first(seconds)
    assert (found.choice.side, found.choice.width) == choice
    cell = asked(found, plugins)
    assert cell.dataset.options["resolution"] == choice[0]
    assert cell.architecture.options["width"] == choice[1]
    assert cell.training.budget.kimg == found.choice.kimg >= 1


def test_a_budget_takes_the_minutes_that_were_asked_for(first) -> None:
    short, long = first(1.5e-3, minutes=10), first(1.5e-3, minutes=20)
    assert long.choice == replace(short.choice, kimg=long.choice.kimg)
    assert long.choice.kimg == pytest.approx(2 * short.choice.kimg, rel=0.1)
    assert long.minutes == pytest.approx(20, rel=0.1)


@pytest.mark.parametrize(
    ("side", "sized", "sides"),
    [
        (8, True, [32]),
        (28, True, [28]),
        (48, True, [48, 32]),
        (300, True, [64, 32]),
        (96, False, [96]),
    ],
)
def test_sizes_are_near_those_of_the_pictures(side, sized, sides) -> None:
    assert first_benchmark.sides(side, sized) == sides


def test_labels_are_asked_for_where_each_class_has_enough_images() -> None:
    choice = first_benchmark.Choice(32, 16, 5)
    enough, few = (
        first_benchmark.text(replace(LOOK, classes=count), choice, 1) for count in (3, 200)
    )
    assert "conditioning: projection  # G is asked for one of 3 classes" in enough
    assert "conditioning: none  # too few images of each of 200 classes" in few


def test_few_images_are_augmented_with_what_is_at_their_edges(first, plugins) -> None:
    for border, fill in ((-0.8, -1), (0.1, 0), (0.9, 1)):
        (transform,) = asked(first(1e-3, border=border), plugins).transforms
        assert (transform.name, transform.options["fill"]) == ("translation-cutout", fill)
    assert asked(first(1e-3, train=60_000), plugins).transforms == ()


def test_batches_are_no_larger_than_the_data(first, plugins) -> None:
    for train, batch in ((900, 64), (64, 64), (63, 32), (3, 2)):
        assert asked(first(1e-3, train=train), plugins).training.batch_size == batch


def test_every_choice_says_why(first) -> None:
    text = first(1e-3).text
    assert "# Note: a.png: empty, 0 bytes" in text
    assert "900 images to train on, 100 held out" in text
    assert all(len(line) <= 100 or "path" in line for line in text.splitlines())
