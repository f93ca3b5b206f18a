"""Optimisers, precision and compilation train as they say."""

from __future__ import annotations

import shutil
from functools import partialmethod

import pytest
import torch
from helpers.tiny_trainer import same, trainer_of, weights

from ganbench.default_plugins.losses import BCE, WGANGP


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "sgd"])
def test_every_optimizer_trains_both_players(optimizer):
    trainer = trainer_of(optimizer=optimizer)
    before = weights(trainer.generator), weights(trainer.discriminator)
    trainer.iterate()
    assert not same(weights(trainer.generator), before[0])
    assert not same(weights(trainer.discriminator), before[1])


@pytest.mark.parametrize("loss", [BCE(), WGANGP()], ids=lambda loss: loss.name)
def test_bfloat16_trains_in_finite_float32_weights(loss):
    trained = trainer_of(loss, precision="bfloat16").run()
    exact = trainer_of(loss).run()
    found = weights(trained.generator)
    assert all(w.dtype == torch.float32 and w.isfinite().all() for w in found)
    assert not same(found, weights(exact.generator))
    for window, other in zip(trained.windows, exact.windows, strict=True):
        assert window.d_terms == pytest.approx(other.d_terms, rel=0.1, abs=0.1)


@pytest.mark.parametrize("mode", ["default", "reduce-overhead"])
@pytest.mark.parametrize("loss", [BCE(), WGANGP()], ids=["bce", "wgan-gp"])
def test_compile_leaves_out_what_is_differentiated_twice(mode, loss, monkeypatch):
    compiled = {}
    monkeypatch.setattr(
        torch.nn.Module, "compile", lambda module, mode: compiled.update({module: mode})
    )
    trainer = trainer_of(loss, compile=mode)
    both = [trainer.generator, trainer.discriminator]
    expected = both if isinstance(loss, BCE) else both[:1]
    assert compiled == dict.fromkeys(expected, None if mode == "default" else mode)
    trainer.iterate()


def test_compile_none_compiles_nothing(monkeypatch):
    monkeypatch.setattr(torch.nn.Module, "compile", None)  # a call would raise
    trainer_of().iterate()


INDUCTOR = pytest.param(
    "inductor",
    marks=[
        pytest.mark.integration,
        pytest.mark.skipif(shutil.which("g++") is None, reason="it needs a C++ compiler here"),
    ],
)


@pytest.mark.parametrize("backend", ["eager", INDUCTOR])  # the first does what was traced as it is
@pytest.mark.filterwarnings("ignore")  # of torch's, about itself
def test_compiled_networks_train_as_plain_ones_do(backend, monkeypatch):
    compile = partialmethod(torch.nn.Module.compile, backend=backend)
    monkeypatch.setattr(torch.nn.Module, "compile", compile)
    plain, compiled = trainer_of(), trainer_of(compile="default")
    for _ in range(3):
        plain.iterate()
        compiled.iterate()
    assert compiled.log.d_meter.read() == pytest.approx(plain.log.d_meter.read(), rel=1e-4)
    assert compiled.log.g_meter.read() == pytest.approx(plain.log.g_meter.read(), rel=1e-4)
    compiled._take_snapshot(0.0)  # copies a compiled generator
    assert compiled.state().networks[0].keys() == plain.state().networks[0].keys()
