"""Consistency terms against closed forms, a second writing and the conformance kit."""

from __future__ import annotations

import pytest
import torch
from ganbench_consistency import BCR, CR, ZCR, augmented
from torch import Tensor

from ganbench import DiscriminatorOutput, Scored, Step
from ganbench.testing import parametrize_with_checks
from ganbench.testing.fixtures.loss_steps import stage_for

COUNT = 4000


@parametrize_with_checks(CR, BCR, ZCR)
def test_conformance(check):
    check()


def left_minus_right(images: Tensor, labels: Tensor | None) -> DiscriminatorOutput:
    """A D that is the negative of itself where images are mirrored."""
    logits = images[:, 0, 0, 0] - images[:, 0, 0, 1]
    return DiscriminatorOutput(logits, logits[:, None])


def step_of(real: Tensor, fake: Tensor, generate=lambda z, y: z) -> Step:
    def score(images, labels, *, track_inputs=False):
        return Scored(images, labels, left_minus_right, track_inputs=track_inputs)

    return Step(score(real, None), score(fake, None), torch.zeros(len(fake), 2), 0, score, generate)


def constant(a: float, b: float) -> Tensor:
    return torch.tensor([[[[a, b]]]]).expand(COUNT, -1, -1, -1)


def test_half_of_the_images_change_by_twice_their_difference():
    torch.manual_seed(0)
    step = step_of(constant(0.8, 0.3), constant(-0.2, 0.4))
    each_real, each_fake = (2 * 0.5) ** 2, (2 * -0.6) ** 2
    terms = BCR(shift=0.0, real_weight=3.0, fake_weight=5.0).discriminator_loss(step)
    assert terms["consistency_real"].item() == pytest.approx(3 * each_real / 2, rel=0.05)
    assert terms["consistency_fake"].item() == pytest.approx(5 * each_fake / 2, rel=0.05)
    alone = CR(shift=0.0, weight=2.0).discriminator_loss(step)
    assert alone["consistency"].item() == pytest.approx(2 * each_real / 2, rel=0.05)
    still = CR(shift=0.0, flip=False).discriminator_loss(step)
    assert still["consistency"].item() == 0


@pytest.mark.parametrize(("loss", "real"), [(CR(), True), (BCR(), True), (BCR(), False)])
def test_terms_are_a_second_writing_of_the_formula(loss, real):
    stage = stage_for(loss, count=16, channels=3, resolution=8)
    torch.manual_seed(1)
    found = stage.discriminator_terms(loss)
    torch.manual_seed(1)
    moved = augmented(stage.images, 0.125, True)
    if not real:
        fakes = stage.generator(stage.latents, stage.labels).detach()
        moved, stage.images = augmented(fakes, 0.125, True), fakes
    d = stage.discriminator
    change = d(stage.images, stage.labels).logits - d(moved, stage.labels).logits
    term = found["consistency_real" if real else "consistency_fake"] if len(found) == 2 else (
        found["consistency"]
    )  # fmt: skip
    torch.testing.assert_close(term, 10 * (change**2).sum() / 16)


def test_latents_of_a_linear_g_move_images_by_the_noise():
    """G(z) = (z0, z1) is moved by Δz itself: E‖Δz‖² over two pixels is 2σ², their mean σ²."""

    def generate(z, labels):
        return z.view(-1, 1, 1, 2)

    torch.manual_seed(0)
    step = step_of(constant(0.0, 0.0), constant(0.0, 0.0), generate)
    zcr = ZCR(sigma=0.3, d_weight=2.0, g_weight=5.0)
    apart = zcr.generator_loss(step)["latent_diversity"].item()
    assert apart == pytest.approx(-5 * 0.3**2, rel=0.05)
    change = zcr.discriminator_loss(step)["latent_consistency"].item()
    assert change == pytest.approx(2 * 2 * 0.3**2, rel=0.08)  # of Δz0 − Δz1


def test_images_move_whole_and_repeat_their_border():
    torch.manual_seed(0)
    image = torch.arange(8.0).view(1, 1, 1, 8).expand(500, 2, 8, 8)
    moved = augmented(image, 0.25, False)
    shifts = moved[:, 0, 0, 3] - 3
    assert sorted(set(shifts.tolist())) == [-2, -1, 0, 1, 2]
    expected = (torch.arange(8) + shifts[:, None]).clamp(0, 7)
    assert torch.equal(moved[:, 1, 5], expected)
    assert torch.equal(augmented(image, 0.0, False), image)
    points = torch.rand(5, 2, 1, 1)
    assert torch.equal(augmented(points, 0.125, True), points)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: CR(weight=-1.0), r"weight must not be negative, found -1\.0"),
        (lambda: BCR(fake_weight=-2.0), r"fake_weight must not be negative, found -2\.0"),
        (lambda: ZCR(sigma=-0.1), r"sigma must not be negative, found -0\.1"),
        (lambda: CR(shift=1.0), r"shift is a share below 1, found 1\.0"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
