"""MGAN's generators and classifier against second writings, and the conformance kit."""

from __future__ import annotations

import math

import pytest
import torch
from ganbench_mgan import MGAN, FirstLayers, chosen

from ganbench import DiscriminatorOutput, ImageSpec, Scored, Step
from ganbench.testing import parametrize_with_checks


@parametrize_with_checks(MGAN)
def test_conformance(check):
    check()


def test_each_generator_comes_as_often():
    torch.manual_seed(0)
    index = chosen(torch.randn(20_000, 3), 8)
    shares = torch.bincount(index, minlength=8) / 20_000
    assert shares.tolist() == pytest.approx([1 / 8] * 8, abs=0.01)
    assert chosen(torch.tensor([[-50.0], [-1e-3], [1e-3], [50.0]]), 2).tolist() == [0, 0, 1, 1]


def test_latents_go_through_their_generators_own_layer():
    torch.manual_seed(0)
    side, z = FirstLayers(4, 3), torch.randn(6, 4)
    found = side.latent(z, None)
    for row, index in enumerate(chosen(z, 3).tolist()):
        expected = side.weights[index] @ z[row] + side.biases[index]
        torch.testing.assert_close(found[row], expected)


def test_both_players_want_generators_told_apart():
    torch.manual_seed(0)
    side = MGAN(generators=3, weight=0.2).discriminator(ImageSpec(1, 4))
    side.head(5)
    features, z = torch.randn(4, 5), torch.randn(4, 2)

    def judge(images, labels):
        return DiscriminatorOutput(torch.zeros(4), features)

    fake = Scored(torch.zeros(4, 1, 1, 1), None, judge)
    step = Step(fake, fake, z, 0, lambda *a, **k: None, lambda z, y: z)
    logits = features @ side.classifier.weight.T + side.classifier.bias
    losses = [
        math.log(sum(math.exp(x) for x in row)) - row[index]
        for row, index in zip(logits.tolist(), chosen(z, 3).tolist(), strict=True)
    ]
    of_d, of_g = (terms["generator"].item() for terms in (
        side.discriminator_loss(step), side.generator_loss(step)
    ))  # fmt: skip
    assert of_d == pytest.approx(sum(losses) / 4, rel=1e-5)
    assert of_g == pytest.approx(0.2 * sum(losses) / 4, rel=1e-5)


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (lambda: MGAN(generators=1), "generators must be at least 2, found 1"),
        (lambda: MGAN(weight=-1.0), r"weight must not be negative, found -1\.0"),
    ],
)
def test_wrong_options_are_refused(wrong, message):
    with pytest.raises(ValueError, match=message):
        wrong()
