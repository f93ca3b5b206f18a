"""The labels that samples are asked for: as in the training data, by a stream of their own."""

from __future__ import annotations

import pytest
import torch

from ganbench import ImageSpec
from ganbench.models.label_source import LabelSource, stand_ins
from ganbench.pictures.labels import label_name

VECTORS = torch.tensor([[3.0, 0.0], [1.0, 1.0], [2.0, -1.0]])


def test_class_ids_follow_the_shares():
    labels = torch.tensor([0] * 50 + [1] * 20 + [3] * 30)
    count = 50_000
    found = LabelSource.of(labels).draw(count, seed=0).bincount(minlength=4) / count
    for share, expected in zip(found.tolist(), [0.5, 0.2, 0.0, 0.3], strict=True):
        assert share == pytest.approx(expected, abs=5 * (expected * (1 - expected) / count) ** 0.5)


def test_vectors_are_rows_of_the_data_each_as_often():
    count = 30_000
    drawn = LabelSource.of(VECTORS).draw(count, seed=0)
    assert drawn.shape == (count, 2)
    shares = [(drawn == row).all(1).double().mean().item() for row in VECTORS]
    assert shares == pytest.approx([1 / 3] * 3, abs=0.015)


@pytest.mark.parametrize("labels", [torch.arange(10), torch.randn(40, 3)], ids=["ids", "vectors"])
def test_draws_repeat_by_seed_and_name_and_leave_the_global_stream_alone(labels):
    source = LabelSource.of(labels)
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    first = source.draw(50, 1)
    assert torch.equal(torch.rand(1), expected)
    assert torch.equal(first, source.draw(50, 1))
    assert not torch.equal(first, source.draw(50, 2))
    assert not torch.equal(first, source.draw(50, 1, name="other"))


def test_spread_shows_each_class_in_turn():
    assert LabelSource.of(torch.tensor([0, 1, 1, 2])).spread(5).tolist() == [0, 1, 2, 0, 1]


def test_spread_vectors_of_one_number_are_in_order_and_reach_both_ends():
    source = LabelSource.of(torch.tensor([[0.3], [-1.0], [0.9], [0.1]]))
    assert source.spread(3).flatten().tolist() == pytest.approx([-1.0, 0.3, 0.9])


def test_spread_vectors_of_several_numbers_are_rows_far_apart():
    assert LabelSource.of(VECTORS).spread(2).tolist() == [[3.0, 0.0], [2.0, -1.0]]


def test_labels_are_called_by_their_classes_or_first_numbers():
    assert label_name(torch.tensor(1), ("cat", "dog")) == "dog"
    assert label_name(torch.tensor(1), ()) == "1"
    assert label_name(torch.tensor([0.25, -1.0]), ()) == "0.25, -1"
    assert label_name(torch.arange(5.0), ()) == "0, 1, 2, …"


def test_stand_ins_are_of_the_kind_that_images_have():
    assert stand_ins(ImageSpec(1, 8), 4) is None
    assert stand_ins(ImageSpec(1, 8, 3), 4).tolist() == [0, 1, 2, 0]
    assert stand_ins(ImageSpec(1, 8, condition_dim=3), 4).shape == (4, 3)
