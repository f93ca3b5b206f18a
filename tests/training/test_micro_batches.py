"""A batch in parts gives the gradients of the whole."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from helpers.tiny_trainer import trainer_of

from ganbench.default_plugins.losses import BCE, WGANGP


@pytest.mark.parametrize("loss", [BCE(), replace(WGANGP(), gp_weight=0.0)], ids=["bce", "wgan"])
@pytest.mark.parametrize("updates", ["alternating", "simultaneous"])
def test_pieces_give_the_gradients_of_the_whole_batch(loss, updates):
    whole, pieces = (
        trainer_of(loss, micro_batch=size, updates=updates, optimizer="sgd", kimg=0.032).run()
        for size in (None, 2)
    )
    for a, b in zip(whole.generator.parameters(), pieces.generator.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-6)
    for a, b in zip(whole.windows, pieces.windows, strict=True):
        assert b.d_terms == pytest.approx(a.d_terms, abs=1e-5)
        assert b.g_terms == pytest.approx(a.g_terms, abs=1e-5)
        assert b.signals == pytest.approx(a.signals, abs=1e-4)


def test_the_networks_see_no_more_than_a_piece_at_once():
    trainer = trainer_of(BCE(), micro_batch=2)
    sizes = set()
    for net in (trainer.generator, trainer.discriminator):
        net.register_forward_hook(lambda net, given, made: sizes.add(len(given[0])))
    trainer.iterate()
    assert sizes == {2}
