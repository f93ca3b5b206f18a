"""The order of samples depends on what they are, and not on how they come."""

from __future__ import annotations

import torch

from ganbench import LabeledImages
from ganbench.default_plugins.metrics.shuffles import shuffled


def samples(order: torch.Tensor | None = None) -> LabeledImages:
    generator = torch.Generator().manual_seed(0)
    images = torch.randint(256, (50, 1, 4, 4), generator=generator, dtype=torch.uint8)
    labels = torch.arange(50) % 10
    order = torch.arange(50) if order is None else order
    return LabeledImages(images[order], labels[order])


def test_order_is_a_permutation_that_the_seed_decides():
    first, again, other = (shuffled(samples(), seed) for seed in (0, 0, 1))
    assert sorted(first.tolist()) == list(range(50))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_samples_come_out_alike_however_they_went_in():
    order = torch.randperm(50, generator=torch.Generator().manual_seed(1))
    one, two = samples(), samples(order)
    assert torch.equal(one.images[shuffled(one, 3)], two.images[shuffled(two, 3)])


def test_labels_are_part_of_what_samples_are():
    one = samples()
    other = LabeledImages(one.images, (one.labels + 1) % 10)
    assert not torch.equal(shuffled(one, 0), shuffled(other, 0))
    without = LabeledImages(one.images, None)
    assert sorted(shuffled(without, 0).tolist()) == list(range(50))
