"""DiffAugment's three operations one by one, and the conformance kit."""

import pytest
import torch
from ganbench_diffaugment import DiffAugment, cut_out, recoloured, translated

from ganbench.testing import parametrize_with_checks

POLICIES = ("color", "translation", "cutout")


@parametrize_with_checks(DiffAugment, *(DiffAugment(policy=(name,)) for name in POLICIES))
def test_conformance(check):
    check()


def test_empty_policy_changes_nothing():
    images = torch.randn(3, 1, 8, 8)
    assert torch.equal(DiffAugment(policy=()).apply(images), images)


def test_translation_moves_each_image_whole_by_at_most_its_share():
    torch.manual_seed(0)
    images = torch.zeros(200, 1, 16, 16)
    images[:, :, 8, 8] = 1.0
    moved = translated(images, 0.125, 0.0)
    places = moved.flatten(1).argmax(1)
    down, right = places // 16 - 8, places % 16 - 8
    assert moved.sum((1, 2, 3)).tolist() == [1.0] * 200
    assert sorted(set(down.tolist())) == sorted(set(right.tolist())) == [-2, -1, 0, 1, 2]


def test_translation_keeps_channels_together_and_fills_the_rest():
    torch.manual_seed(1)
    images = torch.rand(50, 3, 8, 8) + 1
    moved = translated(images, 1.0, -1.0)
    kept = moved > 0
    assert torch.equal(kept[:, 0], kept[:, 1])
    assert torch.equal(kept[:, 0], kept[:, 2])
    assert moved[~kept].eq(-1).all()


@pytest.mark.parametrize("share", [0.0, 0.25, 0.5])
def test_hole_has_its_size_where_it_lies_inside(share):
    torch.manual_seed(0)
    holes = (cut_out(torch.ones(500, 2, 8, 8), share, 0.0) == 0).sum((2, 3))
    assert torch.equal(holes[:, 0], holes[:, 1])
    assert holes.max().item() == (8 * share) ** 2
    assert holes.float().mean().item() == pytest.approx((8 * share) ** 2, rel=0.6, abs=1e-6)


def test_holes_lie_everywhere():
    torch.manual_seed(0)
    hit = (cut_out(torch.ones(500, 1, 8, 8), 0.5, 0.0) == 0).any(0)
    assert hit.all()


def test_colour_is_affine_in_each_image_and_drawn_for_each():
    torch.manual_seed(0)
    images = torch.randn(6, 1, 4, 4)
    flat, changed = images.flatten(1), recoloured(images).flatten(1)
    contrast = changed.std(1) / flat.std(1)
    assert ((contrast >= 0.5) & (contrast <= 1.5)).all()
    assert ((changed.mean(1) - flat.mean(1)).abs() <= 0.5).all()
    assert len(set(contrast.tolist())) == 6
    centred = changed - changed.mean(1, keepdim=True)
    expected = contrast[:, None] * (flat - flat.mean(1, keepdim=True))
    assert torch.allclose(centred, expected, atol=1e-6)


def test_grey_has_no_saturation_to_change():
    torch.manual_seed(0)
    grey = torch.rand(4, 1, 4, 4).expand(-1, 3, -1, -1)
    changed = recoloured(grey)
    assert torch.allclose(changed[:, 0], changed[:, 1])
    assert torch.allclose(changed[:, 0], changed[:, 2])


@pytest.mark.parametrize("option", ["translation", "cutout"])
def test_share_beyond_one_is_refused(option):
    with pytest.raises(ValueError, match=f"{option} is a share from 0 to 1, found 1.5"):
        DiffAugment(**{option: 1.5})


def test_chance_decides_how_many_images_are_augmented():
    images = torch.zeros(2000, 1, 4, 4)
    augmented = DiffAugment(policy=("color",), chance=0.3).apply(images).flatten(1).any(1)
    assert 0.25 < float(augmented.float().mean()) < 0.35
    assert torch.equal(DiffAugment(chance=0.0).apply(images), images)
