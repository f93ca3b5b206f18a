"""The terms of both players' losses: what is refused, what diverges, and how they add up."""

from __future__ import annotations

from dataclasses import dataclass, field

import pytest
import torch
from helpers.tiny_trainer import Spy, trainer_of
from torch import Tensor, nn

from ganbench import (
    Conditioning,
    ContractError,
    DiscriminatorConditioner,
    ImageSpec,
    InputGradients,
    Regularizer,
    Step,
    Terms,
)
from ganbench.default_plugins.losses import BCE
from ganbench.errors import Diverged
from ganbench.training.trainer import Trainer


@dataclass(kw_only=True)
class Breaks(Regularizer):
    """A term of one player that turns into something else after a few iterations."""

    name = "breaks"
    player: str = "discriminator"
    term: str = "broken"
    value: Tensor = field(default_factory=lambda: torch.tensor(float("nan")))
    start: int = 5

    def discriminator_loss(self, step: Step) -> Terms:
        return self._terms(step) if self.player == "discriminator" else {}

    def generator_loss(self, step: Step) -> Terms:
        return self._terms(step) if self.player == "generator" else {}

    def _terms(self, step: Step) -> Terms:
        value = self.value if step.iteration >= self.start else torch.zeros(())
        return {self.term: value}


@pytest.mark.parametrize("player", ["discriminator", "generator"])
@pytest.mark.parametrize("value", ["nan", "inf", "-inf"])
def test_divergence_is_an_error_that_says_what_and_when(player, value):
    loss = Breaks(player=player, value=torch.tensor(float(value)))
    message = rf"^the {player}'s term 'broken' became {value} after 0\.1 kimg$"
    with pytest.raises(Diverged, match=message):
        trainer_of(BCE(), loss, kimg=1.0).run()


def test_divergence_is_found_at_the_end_of_its_window():
    trainer = trainer_of(BCE(), Breaks(start=5), kimg=1.0, log_every=4)
    with pytest.raises(Diverged):
        trainer.run()
    assert trainer.progress.iteration == 8


def test_a_term_used_twice_is_a_contract_error():
    loss = Breaks(term="fake")
    with pytest.raises(ContractError, match="'breaks' returned a term 'fake' that another loss"):
        trainer_of(BCE(), loss).run()


@pytest.mark.parametrize("player", ["discriminator", "generator"])
def test_a_term_that_is_no_scalar_is_a_contract_error(player):
    loss = Breaks(player=player, value=torch.zeros(64), start=0)
    with pytest.raises(ContractError, match=r"'broken' with shape \(64,\); .* add \.mean\(\)"):
        trainer_of(BCE(), loss).run()


def test_losses_without_any_term_are_a_contract_error():
    with pytest.raises(ContractError, match=r"no term of one player.s losses has a gradient"):
        trainer_of(Breaks(player="neither")).run()


@dataclass(kw_only=True)
class Penalty(Regularizer):
    """R1 (Mescheder et al., 2018), declared or not."""

    name = "penalty"

    def discriminator_loss(self, step: Step) -> Terms:
        return {"penalty": step.real.input_gradient.flatten(1).square().sum(1).mean()}


@dataclass(kw_only=True)
class DeclaredPenalty(Penalty):
    """R1, declared."""

    name = "declared-penalty"
    input_gradients = InputGradients.REAL


def test_undeclared_input_gradient_is_a_contract_error():
    with pytest.raises(ContractError, match="declare them in the loss's `input_gradients`"):
        trainer_of(BCE(), Penalty()).run()


def test_terms_of_several_losses_are_summed():
    together = trainer_of(BCE(), DeclaredPenalty(), optimizer="sgd")
    images, labels = together.batches.next()
    terms = together.discriminator_step(images, labels)
    assert terms.keys() == {"real", "fake", "penalty"}
    merged = [p.grad for p in together.discriminator.parameters()]
    apart = []
    for losses in ((BCE(),), (DeclaredPenalty(),)):
        alone = trainer_of(*losses, optimizer="sgd")
        assert alone.discriminator_step(*alone.batches.next()).items() <= terms.items()
        apart.append(
            [torch.zeros_like(p) if p.grad is None else p.grad for p in _parameters(alone)]
        )
    for whole, first, second in zip(merged, *apart, strict=True):
        torch.testing.assert_close(whole, first + second, atol=1e-6, rtol=1e-4)


def _parameters(trainer: Trainer) -> list[nn.Parameter]:
    return list(trainer.discriminator.parameters())


def test_input_gradients_of_all_losses_are_tracked():
    spy = Spy()
    trainer = trainer_of(spy, DeclaredPenalty())
    assert trainer.game.input_gradients == InputGradients.OWN | InputGradients.REAL
    trainer.iterate()
    tracked = {player: step.real.images.requires_grad for player, step in spy.seen}
    assert tracked == {"discriminator": True, "generator": False}


@dataclass(kw_only=True)
class WithTerms(Conditioning):
    """A conditioner with terms of its own, as AC-GAN's has."""

    name = "with-terms"

    class Side(DiscriminatorConditioner):
        def discriminator_loss(self, step: Step) -> Terms:
            return {"class_real": step.real.logits.square().mean()}

        def generator_loss(self, step: Step) -> Terms:
            return {"class_fake": step.fake.logits.square().mean()}

    def discriminator(self, image: ImageSpec) -> DiscriminatorConditioner:
        return self.Side(image.channels)


def test_the_conditioner_of_the_discriminator_adds_its_terms():
    (window,) = trainer_of(conditioning=WithTerms(), kimg=0.032).run().windows
    assert window.d_terms.keys() == {"real", "fake", "class_real"}
    assert window.g_terms.keys() == {"adversarial", "class_fake"}
