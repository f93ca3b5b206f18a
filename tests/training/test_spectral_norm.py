"""Weights divided by their spectral norm once for all passes of a step."""

from __future__ import annotations

import pytest
import torch
from helpers.tiny_trainer import trainer_of
from torch import nn

from ganbench import Regularizer
from ganbench.default_plugins.constraints import GradientPenalty
from ganbench.default_plugins.losses import BCE

SPECTRAL = {"g_norm": "none", "d_norm": "spectral"}


class LooksFirst(Regularizer):
    """Asks D without a gradient before anything else does."""

    name = "looks-first"

    def discriminator_loss(self, step):
        with torch.no_grad():
            step.real.of(step.real.images, step.real.labels).logits.sum()
        return {}


def passes(trainer) -> list[nn.Module]:
    """Return a list that grows by a weight's norm each time it is computed anew."""
    seen: list[nn.Module] = []
    for module in trainer.discriminator.modules():
        if type(module).__name__ == "_SpectralNorm":
            module.register_forward_hook(lambda m, given, made: seen.append(m))
    return seen


def counted(*losses, **how) -> tuple[int, int]:
    """Return how often each of D's weights is normalised in a step of D, and in one of G."""
    trainer = trainer_of(*losses, **SPECTRAL, **how)
    seen = passes(trainer)
    norms = sum(type(m).__name__ == "_SpectralNorm" for m in trainer.discriminator.modules())
    images, labels = trainer.next_batch()
    trainer.discriminator_step(images, labels)
    d_step = len(seen)
    trainer.generator_step(images, labels)
    assert norms
    assert not d_step % norms
    assert not (len(seen) - d_step) % norms
    return d_step // norms, (len(seen) - d_step) // norms


def test_once_a_step_however_many_passes_there_are():
    assert counted(BCE()) == (2, 1)
    assert counted(BCE(), spectral_norm="each-step") == (1, 1)
    assert counted(BCE(), GradientPenalty()) == (3, 1)
    assert counted(BCE(), GradientPenalty(), spectral_norm="each-step") == (1, 1)
    assert counted(BCE(), spectral_norm="each-step", micro_batch=4) == (2, 2)  # once a piece


def gradients(trainer) -> list[torch.Tensor]:
    images, labels = trainer.next_batch()
    trainer.d_optimizer.step = lambda: None  # what it would go by stays
    trainer.discriminator_step(images, labels)
    return [p.grad.clone() for p in trainer.discriminator.parameters()]


def settled(trainer):
    """Let the power iteration find the norm, so that one more step changes nothing."""
    for _ in range(200):
        for module in trainer.discriminator.modules():
            if hasattr(module, "parametrizations"):
                _ = module.weight
    return trainer


@pytest.mark.parametrize("losses", [(BCE(),), (BCE(), GradientPenalty()), (LooksFirst(), BCE())])
def test_gradients_are_the_same_where_the_norm_is_known_already(losses):
    found, expected = (
        gradients(settled(trainer_of(*losses, **SPECTRAL, spectral_norm=when)))
        for when in ("each-step", "each-pass")
    )
    for ours, theirs in zip(found, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-6)
    assert sum(float(g.abs().sum()) for g in found) > 0


def test_training_is_another_one_and_repeats_itself():
    runs = [
        trainer_of(BCE(), **SPECTRAL, spectral_norm=when).run().windows[-1].d_terms
        for when in ("each-step", "each-step", "each-pass")
    ]
    assert runs[0] == runs[1] != runs[2]


def test_nothing_is_kept_beyond_the_step():
    trainer = trainer_of(BCE(), **SPECTRAL, spectral_norm="each-step")
    trainer.iterate()
    assert not torch.nn.utils.parametrize._cache
    normed = [m for m in trainer.discriminator.modules() if hasattr(m, "parametrizations")]
    before = [m.weight.clone() for m in normed]
    trainer.iterate()
    after = [m.weight for m in normed]
    assert any(not torch.equal(a, b) for a, b in zip(before, after, strict=True))
