"""Real images in a generator's place: the right ones, and wrong in the way that is said."""

from __future__ import annotations

import pytest
import torch

from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.evaluation import controls
from ganbench.testing.fixtures.evaluations import KitPictures

RING = Ring(train_size=4000, test_size=900)


def bytes_of(image: torch.Tensor) -> bytes:
    return image.numpy().tobytes()


def rows(images: torch.Tensor) -> set[bytes]:
    return set(map(bytes_of, images))


def test_test_row_is_the_test_set(tmp_path):
    made = controls.make("test", RING, 10_000, tmp_path)
    assert made.split == "train"
    assert len(made.train) == 4000
    assert rows(made.samples.images) == rows(RING.load("test", tmp_path).images)


def test_halves_are_disjoint_and_of_the_training_set(tmp_path):
    made = controls.make("train-half", RING, 1500, tmp_path)
    train = rows(RING.load("train", tmp_path).images)
    assert (len(made.train), len(made.samples), made.split) == (2000, 1500, "half of train")
    assert rows(made.train.images) | rows(made.samples.images) <= train
    assert not rows(made.train.images) & rows(made.samples.images)


def test_last_class_is_dropped_and_nothing_else(tmp_path):
    made = controls.make("drop-class", RING, 10_000, tmp_path)
    test = RING.load("test", tmp_path)
    assert made.samples.labels.unique().tolist() == list(range(7))
    assert len(made.samples) == (test.labels != 7).sum()
    label_of = dict(zip(map(bytes_of, test.images), test.labels.tolist(), strict=True))
    labels = [label_of[bytes_of(image)] for image in made.samples.images]
    assert labels == made.samples.labels.tolist()


@pytest.mark.parametrize("count", [500, 2500, 3000])
def test_memorised_row_is_a_thousand_training_images_over_and_over(count, tmp_path):
    made = controls.make("memorised", RING, count, tmp_path)
    found = rows(made.samples.images)
    assert (len(made.samples), len(found)) == (count, min(count, 1000))
    assert found <= rows(made.train.images)


def test_data_without_classes_has_no_row_without_one():
    assert "no classes" in controls.unsupported("drop-class", KitPictures(labelled=False))
    assert controls.unsupported("drop-class", KitPictures()) is None


def test_each_asked_row_becomes_a_reference(planned):
    text = """\
version: 1
name: rows
dataset: ring
loss: bce
conditioning: none
architecture: mlp
evaluation: {controls: [test, train-half, drop-class, memorised]}
"""
    found = planned(text).references
    assert [r.control for r in found] == ["test", "train-half", "drop-class", "memorised"]
    assert len({r.id for r in found}) == len({r.label for r in found}) == 4
    assert planned(text.replace("[test, train-half, drop-class, memorised]", "[]")).references == ()
