"""LeCam against its closed forms and the conformance kit."""

from __future__ import annotations

import copy
import dataclasses
import pickle

import pytest
import torch
from ganbench_lecam import LeCam
from torch import Tensor

from ganbench import DiscriminatorOutput, Scored, Step
from ganbench.registry.options import options_model
from ganbench.testing import parametrize_with_checks


def step_with_logits(real: list[float], fake: list[float]) -> tuple[Step, Tensor, Tensor]:
    """A step whose logits are these leaves."""
    leaves = [torch.tensor(values, requires_grad=True) for values in (real, fake)]
    scored = [
        Scored(
            torch.zeros(len(leaf), 1, 1, 1),
            None,
            lambda images, labels, leaf=leaf: DiscriminatorOutput(leaf, leaf[:, None]),
        )
        for leaf in leaves
    ]
    latents = torch.zeros(len(real), 2)
    return Step(*scored, latents, 0, lambda *a, **k: None, lambda z, y: z), *leaves


def after(loss: LeCam, real: list[float], fake: list[float]) -> LeCam:
    loss.discriminator_loss(step_with_logits(real, fake)[0])
    return loss


@parametrize_with_checks(LeCam, after(LeCam(warmup=0), [5.0], [-5.0]))
def test_conformance(check):
    check()


def relu(x: float) -> float:
    return max(x, 0.0)


def test_first_step_starts_the_averages_at_its_own_means():
    loss = LeCam(warmup=0, weight=2.0)
    step, real, fake = step_with_logits([3.0, 1.0], [-2.0, 0.0])
    value = loss.discriminator_loss(step)["lecam"]
    above = (relu(3 - -1) ** 2 + relu(1 - -1) ** 2) / 2
    below = (relu(2 - -2) ** 2 + relu(2 - 0) ** 2) / 2
    assert value.item() == pytest.approx(2 * (above + below))
    at_real, at_fake = torch.autograd.grad(value, (real, fake))
    assert at_real.tolist() == pytest.approx([2 * (3 - -1), 2 * (1 - -1)])
    assert at_fake.tolist() == pytest.approx([-2 * (2 - -2), -2 * (2 - 0)])


@pytest.mark.parametrize("decay", [0.0, 0.5, 0.99])
def test_closed_form_after_several_steps(decay):
    means = [(2.0, -1.0), (0.5, -0.5), (4.0, 1.0), (1.0, -3.0)]
    loss = LeCam(warmup=0, weight=0.3, decay=decay)
    for real, fake in means[:-1]:
        after(loss, [real - 1, real + 1], [fake - 0.5, fake + 0.5])
    step, *_ = step_with_logits([0.0, 2.0], [-4.0, -2.0])
    value = loss.discriminator_loss(step)["lecam"].item()
    averages = [
        decay**3 * a + (1 - decay) * (decay**2 * b + decay * c + d)
        for a, b, c, d in zip(*means, strict=True)
    ]
    assert loss.averages.tolist() == pytest.approx(averages)
    above = sum(relu(x - averages[1]) ** 2 for x in (0.0, 2.0)) / 2
    below = sum(relu(averages[0] - x) ** 2 for x in (-4.0, -2.0)) / 2
    assert value == pytest.approx(0.3 * (above + below), rel=1e-5)


def test_averages_reach_a_constant_geometrically():
    loss = after(LeCam(warmup=0, decay=0.9), [1.0], [-1.0])
    for _ in range(20):
        after(loss, [3.0], [-5.0])
    assert loss.averages.tolist() == pytest.approx([3 - 2 * 0.9**20, -5 + 4 * 0.9**20])


def test_nothing_is_pushed_from_beyond_the_other_sides_average():
    loss = after(LeCam(warmup=0, decay=0.999_999), [1.0], [0.0])
    step, real, fake = step_with_logits([-5.0, 2.0], [6.0, -1.0])
    value = loss.discriminator_loss(step)["lecam"]
    at_real, at_fake = torch.autograd.grad(value, (real, fake))
    assert value.item() == pytest.approx(0.3 * (2.0**2 / 2 + 2.0**2 / 2), rel=1e-4)
    assert at_real.tolist() == pytest.approx([0.0, 0.3 * 2.0], rel=1e-4)
    assert at_fake.tolist() == pytest.approx([0.0, -0.3 * 2.0], rel=1e-4)


def test_averages_have_no_gradient_and_keep_no_graph():
    loss = LeCam(warmup=0)
    step, *_ = step_with_logits([1.0], [-1.0])
    loss.discriminator_loss(step)["lecam"].backward()
    assert not loss.averages.requires_grad
    assert loss.averages.grad_fn is None
    step, *_ = step_with_logits([1.0], [-1.0])
    loss.discriminator_loss(step)["lecam"].backward()


def test_warmup_feeds_the_averages_and_penalises_nothing():
    loss, prompt = LeCam(warmup=3), LeCam(warmup=0)
    for real, fake in ((1.0, 0.0), (2.0, -1.0), (0.0, 0.5)):
        step, *_ = step_with_logits([real], [fake])
        assert loss.discriminator_loss(step) == {}
        assert prompt.discriminator_loss(step).keys() == {"lecam"}
    step, *_ = step_with_logits([2.0], [-2.0])
    found, expected = (each.discriminator_loss(step)["lecam"].item() for each in (loss, prompt))
    assert found == pytest.approx(expected)


def test_generator_is_left_alone_and_does_not_feed_the_averages():
    loss = after(LeCam(warmup=0), [1.0], [0.0])
    step, *_ = step_with_logits([9.0], [9.0])
    assert loss.generator_loss(step) == {}
    assert loss.averages.tolist() == pytest.approx([1.0, 0.0])


@pytest.mark.parametrize("twin_of", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_memory_survives_a_copy_and_is_not_shared(twin_of):
    loss = LeCam(warmup=1)
    for _ in range(3):
        after(loss, [2.0], [-1.0])
    twin = twin_of(loss)
    after(loss, [8.0], [8.0])
    assert twin.averages.tolist() == pytest.approx([2.0, -1.0])
    step, *_ = step_with_logits([1.0], [0.0])
    value = twin.discriminator_loss(step)["lecam"].item()
    real, fake = (0.99 * a + 0.01 * b for a, b in ((2.0, 1.0), (-1.0, 0.0)))
    assert value == pytest.approx(0.3 * ((1 - fake) ** 2 + (real - 0) ** 2), rel=1e-5)


def test_memory_is_no_option():
    assert [*options_model(LeCam).model_fields] == ["weight", "decay", "warmup"]
    with pytest.raises(TypeError, match="averages"):
        LeCam(averages=torch.zeros(2))
    assert [f.name for f in dataclasses.fields(LeCam) if f.init] == ["weight", "decay", "warmup"]


def test_negative_weight_is_refused():
    with pytest.raises(ValueError, match=r"weight must not be negative, found -1\.0"):
        LeCam(weight=-1.0)


def test_decay_is_a_share():
    with pytest.raises(ValueError, match=r"decay must be from 0 to 1, found 1\.5"):
        LeCam(decay=1.5)
