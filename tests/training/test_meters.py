"""What is measured of D's outputs and of the gradients, beside the terms."""

from __future__ import annotations

import pytest
import torch

from ganbench.contracts.steps import DiscriminatorOutput, Scored
from ganbench.training.meters import Meter, gradient_norm, outputs_of_d, share_that_fools_d


def scored(*logits: float) -> Scored:
    found = torch.tensor(logits)
    judged = Scored(found, None, lambda images, labels: DiscriminatorOutput(images, images))
    assert judged.logits is found
    return judged


def test_meter_gives_means_and_begins_anew():
    meter = Meter()
    for value in (1.0, 2.0, 6.0):
        meter.add({"a": torch.tensor(value)})
    meter.add({"b": torch.tensor(4.0)})
    assert meter.read() == {"a": 3.0, "b": 4.0}
    assert meter.read() == {}


def test_outputs_and_accuracies_have_their_closed_forms():
    found = outputs_of_d(scored(-1.0, 1.0, 3.0, 5.0), scored(-2.0, 0.5), boundary=0.0)
    assert {name: value.item() for name, value in found.items()} == {
        "d_real": 2.0,
        "d_real_accuracy": 0.75,
        "d_fake": -0.75,
        "d_fake_accuracy": 0.5,
    }
    assert share_that_fools_d(scored(-2.0, 0.5), 0.0)["g_accuracy"] == 0.5


def test_boundary_of_another_loss_moves_the_line():
    found = outputs_of_d(scored(0.4, 0.6), scored(0.4, 0.6), boundary=0.5)
    assert found["d_real_accuracy"] == found["d_fake_accuracy"] == 0.5


def test_loss_without_a_boundary_has_outputs_alone():
    assert set(outputs_of_d(scored(1.0), scored(0.0), None)) == {"d_real", "d_fake"}
    assert share_that_fools_d(scored(1.0), None) == {}


def test_what_the_loss_did_not_look_at_is_not_computed():
    unseen = Scored(torch.ones(1), None, lambda images, labels: pytest.fail("D was asked"))
    assert set(outputs_of_d(scored(1.0), unseen, 0.0)) == {"d_real", "d_real_accuracy"}
    assert share_that_fools_d(unseen, 0.0) == {}


def test_gradient_norm_is_that_of_all_gradients_together():
    a, b, without = (torch.zeros(2, requires_grad=True) for _ in range(3))
    a.grad, b.grad = torch.tensor([2.0, 3.0]), torch.tensor([6.0, 0.0])
    assert gradient_norm([a, b, without]).item() == pytest.approx(7.0)
