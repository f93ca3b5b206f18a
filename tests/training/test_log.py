"""Windows of the log: where they end, and what they hold."""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import torch
from helpers.tiny_trainer import data_of, trainer_of

from ganbench import Regularizer, Step, Terms
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.errors import Diverged
from ganbench.training.meters import Meter


def test_windows_tile_the_training():
    told = []
    trained = trainer_of(n_critic=2, kimg=0.144, on_window=told.append).run()
    assert [window.iteration for window in trained.windows] == [4, 8, 9]
    assert [window.kimg for window in trained.windows] == pytest.approx([0.064, 0.128, 0.144])
    assert tuple(told) == trained.windows
    assert sum(window.seconds for window in told) == pytest.approx(trained.seconds, rel=0.2)
    for window, iterations in zip(told, (4, 4, 1), strict=True):
        assert window.images_per_second == pytest.approx(iterations * 16 / window.seconds)
        assert window.g_steps_per_second == pytest.approx(iterations / window.seconds)


@pytest.mark.parametrize(
    ("images", "n_critic", "ends"),
    [
        (48, 1, [6, 12, 18, 20]),  # six batches of eight
        (52, 1, [6, 12, 18, 20]),  # what fills no batch is dropped
        (56, 2, [4, 7, 11, 14, 18, 20]),  # seven batches, two an iteration
        (8, 2, list(range(1, 21))),  # two epochs an iteration
    ],
)
def test_windows_end_with_the_first_iteration_that_ends_an_epoch(images, n_critic, ends):
    trainer = trainer_of(
        data=data_of(images), n_critic=n_critic, kimg=0.16 * n_critic, log_every="epoch"
    )
    windows = trainer.run().windows
    assert [window.iteration for window in windows] == ends
    per_epoch = images // 8
    assert [w.epoch for w in windows] == pytest.approx([n_critic * i / per_epoch for i in ends])
    assert [w.progress for w in windows] == [i / 20 for i in ends]


@dataclass(kw_only=True)
class Counts(Regularizer):
    """Terms that count the steps, to follow means through windows."""

    name = "counts"
    steps: int = 0

    def discriminator_loss(self, step: Step) -> Terms:
        self.steps += 1
        return {"count": torch.tensor(float(self.steps)), **self._at_times(step)}

    def _at_times(self, step: Step) -> Terms:
        return {} if step.iteration % 2 else {"lazy": torch.tensor(10.0)}


def test_windows_hold_the_mean_of_every_term():
    windows = trainer_of(BCE(), Counts(), n_critic=2, kimg=0.128).run().windows
    assert [window.d_terms["count"] for window in windows] == pytest.approx([4.5, 12.5])
    assert [window.d_terms["lazy"] for window in windows] == pytest.approx([10, 10])
    assert windows[0].d_terms.keys() == {"real", "fake", "count", "lazy"}
    assert windows[0].g_terms.keys() == {"adversarial"}


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
    trainer.log.signals = Counting()
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


def test_window_that_is_open_is_told_and_changes_nothing(monkeypatch):
    from ganbench.training import trainer

    plain = trainer_of(kimg=0.08, log_every=6).run()
    monkeypatch.setattr(trainer, "LOOK_SECONDS", 0.0)
    told = []
    watching = trainer_of(kimg=0.08, log_every=6)
    watching.on_open = told.append
    watched = watching.run()
    assert [window.iteration for window in told] == [1, 2, 3, 4, 5, 7, 8, 9]
    assert [w.d_terms for w in watched.windows] == [w.d_terms for w in plain.windows]
    assert [w.g_terms for w in watched.windows] == [w.g_terms for w in plain.windows]
    assert told[4].progress == pytest.approx(0.5)
    assert told[0].d_terms.keys() == plain.windows[0].d_terms.keys()
    first = plain.windows[0]
    fifth = told[4]
    assert fifth.d_terms != first.d_terms
    assert fifth.images_per_second == pytest.approx(5 * 8 / fifth.seconds)
