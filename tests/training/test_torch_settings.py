"""Optimisers, precision and compilation train as they say."""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from functools import partialmethod

import pytest
import torch
from helpers import tiny
from helpers.tiny_trainer import same, trainer_of, weights

from ganbench import load_run
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.util import float32
from ganbench.util.process_settings import as_in_a_new_process


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


@dataclass(kw_only=True)
class Noting(BCE):
    """Notes what torch is told of float32 in each player's step."""

    name = "noting"
    seen: list[tuple[str, bool]] = field(default_factory=list)

    def discriminator_loss(self, step):
        self.seen.append((torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32))
        return super().discriminator_loss(step)


def test_tf32_is_let_in_iterations_and_only_there():
    noting = Noting()
    trainer = trainer_of(noting, precision="tf32")
    before = float32.read()
    trainer.iterate()
    assert noting.seen == [("high", True)]
    assert float32.read() == before


def test_float32_is_told_to_be_float32_in_a_trial(tmp_path):
    noting = Noting()
    with as_in_a_new_process():
        trainer_of(noting).iterate()
    assert noting.seen == [("highest", False)]


CAREFUL = """\
from dataclasses import dataclass

import torch

from ganbench import hookimpl
from ganbench.default_plugins.losses import BCE


@dataclass(kw_only=True)
class Careful(BCE):
    name = "careful"

    def discriminator_loss(self, step):
        if not torch.are_deterministic_algorithms_enabled():
            raise RuntimeError("anything may come")
        return super().discriminator_loss(step)


@hookimpl
def register_losses(register):
    register(Careful)
"""


def test_deterministic_is_of_the_trial_that_asks_for_it(tmp_path):
    plugin = tmp_path / "careful.py"
    plugin.write_text(CAREFUL, encoding="utf-8")
    text = tiny.INLINE.replace("loss: [bce, lsgan]", "loss: [careful]").replace(
        "num_samples: 200", "num_samples: 200, controls: []"
    )
    asked = ("run", tiny.write(tmp_path, text), "--plugin", plugin)
    more = ("--set", "training.deterministic=true", "--out", "asked")
    done = tiny.ganbench(*asked, *more, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert tiny.ganbench(*asked, "--out", "not", cwd=tmp_path).returncode == 3
    (cell,) = load_run(tmp_path / "asked").plan.cells
    (other,) = load_run(tmp_path / "not").plan.cells
    assert (cell.schedule.deterministic, other.schedule.deterministic) == (True, False)
    assert cell.id != other.id
