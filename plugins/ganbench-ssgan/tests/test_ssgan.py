"""Rotations and their cross-entropy against a second writing, and the conformance kit."""

from __future__ import annotations

import pytest
import torch
from ganbench_ssgan import Rotations, rotated

from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.loss_steps import stage_for


@parametrize_with_checks(Rotations)
def test_conformance(check):
    check()


def test_images_are_turned_by_their_own_quarters():
    images = torch.arange(4 * 2 * 9.0).view(4, 2, 3, 3)
    quarters = torch.tensor([2, 0, 3, 1])
    found = rotated(images, quarters)
    for image, turned, k in zip(images, found, quarters.tolist(), strict=True):
        assert torch.equal(turned, torch.rot90(image, k, (1, 2)))
    corner = rotated(images, torch.ones(4, dtype=torch.long))[:, :, 0, 0]
    assert torch.equal(corner, images[:, :, 0, 2])  # against the clock, the right one comes first


@pytest.mark.parametrize(("player", "weight"), [("discriminator", 3.0), ("generator", 0.7)])
def test_terms_are_a_second_writing_of_the_formula(player, weight):
    loss = Rotations(d_weight=3.0, g_weight=0.7)
    stage = stage_for(loss, count=8)
    stage.game(loss)  # makes its layer
    (layer,) = stage.owned.discriminator.values()
    torch.manual_seed(5)
    found = stage.terms(loss, player)["rotation"]
    torch.manual_seed(5)
    quarters = torch.randint(4, (8,))
    images = stage.images
    if player == "generator":
        images = stage.generator(stage.latents, stage.labels)
    pairs = zip(images, quarters.tolist(), strict=True)
    turned = torch.stack([torch.rot90(x, k, (1, 2)) for x, k in pairs])
    logits = layer(stage.discriminator(turned, stage.labels).features)
    log_p = logits - logits.exp().sum(1, keepdim=True).log()
    expected = -weight * log_p[torch.arange(8), quarters].mean()
    torch.testing.assert_close(found, expected)


@pytest.mark.parametrize("option", ["d_weight", "g_weight"])
def test_negative_weights_are_refused(option):
    with pytest.raises(ValueError, match=rf"{option} must not be negative, found -1\.0"):
        Rotations(**{option: -1.0})
