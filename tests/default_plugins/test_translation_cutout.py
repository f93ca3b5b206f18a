"""The built-in augmentation: what moves, what is cut out, and that gradients pass."""

from __future__ import annotations

import pytest
import torch

from ganbench.default_plugins.transforms import TranslationCutout, cut_out, moved
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(
    TranslationCutout, TranslationCutout(cutout=0.0), TranslationCutout(translation=0.0, fill=-1.0)
)
def test_conformance(check):
    check()


def test_images_move_whole_by_at_most_their_share():
    torch.manual_seed(0)
    images = torch.zeros(300, 2, 16, 8)
    images[:, :, 8, 4] = 1.0
    found = moved(images, 0.125, 0.0)
    assert found.sum((2, 3)).eq(1).all()
    places = found[:, 0].flatten(1).argmax(1)
    assert torch.equal(places, found[:, 1].flatten(1).argmax(1))
    assert sorted(set((places // 8 - 8).tolist())) == [-2, -1, 0, 1, 2]
    assert sorted(set((places % 8 - 4).tolist())) == [-1, 0, 1]


def test_what_moves_in_is_the_fill():
    torch.manual_seed(0)
    found = moved(torch.rand(50, 3, 8, 8) + 1, 1.0, -1.0)
    assert found[found <= 0].eq(-1).all()
    assert found.eq(-1).any()


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5, 1.0])
def test_holes_have_their_size_and_lie_anywhere(share):
    torch.manual_seed(0)
    cut = cut_out(torch.ones(500, 2, 8, 8), share, 0.0) == 0
    assert torch.equal(cut[:, 0], cut[:, 1])
    assert cut.sum((2, 3)).max().item() == (8 * share) ** 2
    assert bool(cut.any(0).all()) == (share > 0)


def test_gradients_are_those_of_what_is_shown():
    torch.manual_seed(0)
    images = torch.rand(4, 1, 8, 8, requires_grad=True)
    shown = TranslationCutout(fill=-1.0).apply(images)
    shown.sum().backward()
    assert images.grad.sum().item() == pytest.approx((shown > -1).sum().item())
    assert set(images.grad.unique().tolist()) == {0.0, 1.0}


def test_each_image_is_drawn_for_and_a_seed_decides():
    images = torch.arange(64.0).view(1, 1, 8, 8).expand(20, -1, -1, -1)
    torch.manual_seed(3)
    first = TranslationCutout().apply(images)
    assert len({one.numpy().tobytes() for one in first}) > 15
    torch.manual_seed(3)
    assert torch.equal(TranslationCutout().apply(images), first)


@pytest.mark.parametrize("option", ["translation", "cutout"])
@pytest.mark.parametrize("value", [-0.1, 1.1])
def test_shares_beyond_reason_are_refused(option, value):
    with pytest.raises(ValueError, match=f"{option} is a share from 0 to 1, found {value}"):
        TranslationCutout(**{option: value})
