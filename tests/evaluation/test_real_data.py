"""Real data is told from other real data, and says which of its splits it has."""

from __future__ import annotations

import pytest
import torch

from ganbench import LabeledImages, Unavailable
from ganbench.default_plugins.datasets.mixtures import Ring
from ganbench.evaluation.real_data import RealData, digest


def test_digest_knows_images_labels_and_shape():
    images, labels = torch.arange(8, dtype=torch.uint8).view(2, 1, 2, 2), torch.tensor([0, 1])
    same = digest(LabeledImages(images.clone(), labels.clone()))
    others = [
        LabeledImages(images + 1, labels),
        LabeledImages(images, labels.flip(0)),
        LabeledImages(images, None),
        LabeledImages(images.view(2, 1, 1, 4), labels),
    ]
    assert digest(LabeledImages(images, labels)) == same
    assert len({same, *map(digest, others)}) == 5


def test_splits_are_described_by_size_and_digest_and_under_their_names(tmp_path):
    ring = Ring(train_size=400, test_size=100)
    half = ring.load("train", tmp_path).take(slice(200))
    data = RealData(ring, half, tmp_path, "half of train")
    test = ring.load("test", tmp_path)
    assert data.protocol({"train", "test"}) == {
        "half of train": {"num_images": 200, "sha256": digest(half)},
        "test": {"num_images": 100, "sha256": digest(test)},
    }


def test_split_that_a_data_set_does_not_have_is_unavailable(tmp_path):
    ring = Ring(train_size=400)
    ring.splits = ("train",)
    data = RealData(ring, ring.load("train", tmp_path), tmp_path)
    with pytest.raises(Unavailable, match=r"^data set 'ring' has no test split$"):
        data.split("test")
