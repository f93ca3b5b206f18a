"""What is measured of D's outputs and of the gradients, beside the terms."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from helpers.tiny_trainer import trainer_of

from ganbench import Step, Terms
from ganbench.contracts.steps import DiscriminatorOutput, Scored
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.errors import Diverged
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


def test_windows_hold_the_signals():
    trained = trainer_of(BCE()).run()
    for window in trained.windows[:2]:
        assert set(window.signals) == {
            "d_real",
            "d_fake",
            "d_real_accuracy",
            "d_fake_accuracy",
            "g_accuracy",
            "d_gradient_norm",
            "g_gradient_norm",
        }
        assert all(0 <= window.signals[name] <= 1 for name in window.signals if "accuracy" in name)
        assert window.signals["g_gradient_norm"] > 0


def test_signals_of_a_critic_have_no_accuracies():
    (window, *_) = trainer_of(WGANGP()).run().windows
    assert set(window.signals) == {"d_real", "d_fake", "d_gradient_norm", "g_gradient_norm"}
    difference = window.signals["d_fake"] - window.signals["d_real"]
    assert window.d_terms["wasserstein"] == pytest.approx(difference, rel=1e-5)


def test_looks_are_about_ten_a_window():
    seen = []

    class Counting(Meter):
        def add(self, terms: Terms) -> None:
            seen.extend(name for name in terms if name == "g_gradient_norm")
            super().add(terms)

    trainer = trainer_of(BCE(), log_every=40, kimg=0.64)
    trainer.signals = Counting()
    trainer.run()
    assert len(seen) == 16  # of 80 iterations, each fifth: the stride is odd


def test_looks_meet_what_happens_at_every_sixteenth_step():
    for log_every in (50, 100, 200, 226, 468):
        trainer = trainer_of(BCE(), log_every=log_every)
        looked = set()
        for iteration in range(16 * log_every):
            trainer.progress.iteration = iteration
            if trainer.samples_signals:
                looked.add(iteration % 16)
        assert looked == set(range(16))


def test_measuring_changes_nothing():
    often, never = (trainer_of(BCE(), log_every=every).run() for every in (1, 1000))
    for a, b in zip(often.generator.parameters(), never.generator.parameters(), strict=True):
        assert torch.equal(a, b)
    assert never.windows[-1].signals == {}


@dataclass(kw_only=True)
class Steep(BCE):
    """Finite terms whose gradient is not."""

    name = "steep"

    def generator_loss(self, step: Step) -> Terms:
        zero = step.fake.logits.mean() * 0
        return {"adversarial": zero.abs().sqrt()}


def test_a_gradient_that_is_not_finite_is_divergence():
    with pytest.raises(Diverged, match=r"^g gradient norm became nan after 0\.0 kimg"):
        trainer_of(Steep(), log_every=1).run()
