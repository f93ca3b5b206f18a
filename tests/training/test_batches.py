"""Real images come shuffled, scaled and whole epochs at a time."""

from __future__ import annotations

import pytest
import torch
from helpers.tiny_trainer import CPU, data_of

from ganbench import ImageSpec, LabeledImages
from ganbench.training.batches import Batches
from ganbench.training.ranks import Ranks
from ganbench.util import machine


def test_batches_show_every_image_once_an_epoch():
    data = LabeledImages(torch.arange(24, dtype=torch.uint8).view(24, 1, 1, 1), None)
    batches = Batches(data, 8, torch.Generator().manual_seed(0), CPU, channels_last=False)
    epochs = [torch.cat([batches.next()[0] for _ in range(3)]).flatten() for _ in range(2)]
    for epoch in epochs:
        pixels = epoch.add(1).mul(127.5).round().sort().values
        assert pixels.tolist() == list(range(24))
    assert not torch.equal(*epochs)


def test_batches_drop_the_rest_of_an_epoch():
    data = LabeledImages(torch.arange(11, dtype=torch.uint8).view(11, 1, 1, 1), None)
    batches = Batches(data, 4, torch.Generator().manual_seed(0), CPU, channels_last=False)
    assert [len(batches.next()[0]) for _ in range(7)] == [4] * 7


def test_batches_scale_pixels_to_one():
    data = LabeledImages(torch.tensor([0, 255], dtype=torch.uint8).view(2, 1, 1, 1), None)
    batches = Batches(data, 2, torch.Generator().manual_seed(0), CPU, channels_last=False)
    assert batches.next()[0].flatten().sort().values.tolist() == [-1, 1]


def test_batches_leave_points_as_they_are():
    points = torch.tensor([-0.3, 0.7]).view(2, 1, 1, 1)
    batches = Batches(
        LabeledImages(points, None), 2, torch.Generator().manual_seed(0), CPU, channels_last=False
    )
    assert batches.next()[0].flatten().sort().values.tolist() == points.flatten().tolist()


@pytest.mark.parametrize("channels_last", [True, False])
def test_batches_have_the_layout_that_was_asked_for(channels_last):
    image = ImageSpec(3, 4, 3)
    batches = Batches(
        data_of(16, image), 8, torch.Generator().manual_seed(0), CPU, channels_last=channels_last
    )
    images, _ = batches.next()
    assert images.is_contiguous(memory_format=torch.channels_last) is channels_last


def uneven(*counts: int) -> LabeledImages:
    """So many images of each class, each of which has a pixel of its own."""
    labels = torch.cat([torch.full((count,), label) for label, count in enumerate(counts)])
    pixels = torch.arange(len(labels), dtype=torch.uint8)
    return LabeledImages(pixels.view(-1, 1, 1, 1), labels)


@pytest.mark.parametrize("counts", [(50, 7, 3), (4, 0, 90, 2), (20, 20)])
@pytest.mark.parametrize("batch_size", [6, 7])
def test_balanced_batches_have_each_class_as_often_as_any_other(counts, batch_size):
    data = uneven(*counts)
    batches = Batches(data, batch_size, torch.Generator().manual_seed(0), CPU, False, balanced=True)
    present = [label for label, count in enumerate(counts) if count]
    seen = []
    for _ in range(3 * batches.per_epoch):
        images, labels = batches.next()
        found = [(labels == label).sum().item() for label in present]
        assert max(found) - min(found) <= 2 - (batch_size % len(present) == 0)
        pixels = images.flatten().add(1).mul(127.5).round().long()
        assert torch.equal(data.labels[pixels], labels)  # each with its own label
        seen += pixels.tolist()
    totals = [sum(data.labels[pixel].item() == label for pixel in seen) for label in present]
    assert max(totals) - min(totals) <= 3  # one an epoch
    smallest = min(present, key=lambda label: counts[label])
    of_it = [pixel for pixel in seen if data.labels[pixel] == smallest]
    often = [of_it.count(pixel) for pixel in set(of_it)]
    assert len(often) == counts[smallest]
    assert max(often) - min(often) <= 3  # all come before any comes again, epoch by epoch


def test_balanced_batches_go_on_from_a_state():
    one, other = (
        Batches(uneven(30, 5), 4, torch.Generator().manual_seed(seed), CPU, False, balanced=True)
        for seed in (0, 1)
    )
    for _ in range(11):
        one.next()
    other.restore(one.state())
    for _ in range(20):
        assert all(map(torch.equal, one.next(), other.next()))


def fetching(monkeypatch: pytest.MonkeyPatch, seed: int, **how: object) -> Batches:
    """Batches of images for which the device has no room; here it is the CPU's."""
    monkeypatch.setattr(Batches, "_has_room", lambda self, images: False)
    generator = torch.Generator().manual_seed(seed)
    return Batches(uneven(30, 5), 4, generator, CPU, False, **how)  # type: ignore[arg-type]


@pytest.mark.parametrize("how", [{}, {"balanced": True}, {"ranks": Ranks(1, 2)}], ids=str)
def test_batches_that_are_fetched_are_the_same(monkeypatch, how):
    plain = Batches(uneven(30, 5), 4, torch.Generator().manual_seed(0), CPU, False, **how)
    expected = [plain.next() for _ in range(30)]
    fetched = fetching(monkeypatch, 0, **how)
    for images, labels in expected:
        mine = fetched.next()
        assert torch.equal(mine[0], images)
        assert torch.equal(mine[1], labels)


def test_batches_that_are_fetched_go_on_from_a_state(monkeypatch):
    one, other = fetching(monkeypatch, 0), fetching(monkeypatch, 1)
    for _ in range(3):
        one.next()
        other.next()  # which has gathered another ahead
    other.restore(one.state())
    for _ in range(20):
        assert all(map(torch.equal, one.next(), other.next()))


@pytest.mark.parametrize(
    ("free", "stays"), [(None, False), (10_000, False), (2 * 35 - 1, True), (2 * 35, False)]
)
def test_images_stay_on_the_host_that_take_more_than_half_of_what_is_free(monkeypatch, free, stays):
    monkeypatch.setattr(machine, "free_device_bytes", lambda device: free)
    there = torch.device("meta")  # no host
    data = uneven(30, 5)  # of a byte each
    found = Batches(data, 4, torch.Generator(), there, False)
    assert (found._fetcher is not None) == stays
    assert found._labels.device == there
    assert (found._images.device == there) != stays
