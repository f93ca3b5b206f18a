"""A whole trial on a disguised device: trained, drawn, looked at, judged and gone on with.

Autograd counts the devices at its first backward, so that all of this happens in a process of its
own, which the last test starts.
"""

from __future__ import annotations

import copy
import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import torch
from helpers import fake_gpu, recorded_graph, tiny
from helpers.tiny_trainer import data_of, trainer_of
from torch import Tensor

import ganbench
from ganbench.default_plugins.losses import BCE
from ganbench.errors import RunError
from ganbench.training import batches, graphs
from ganbench.training.state import TrainerState, on_device
from ganbench.util import machine

ONE = tiny.INLINE.replace("loss: [bce, lsgan]", "loss: [bce]").replace(
    "num_samples: 200", "num_samples: 200, controls: []"
)


OWN_PROCESS = "GANBENCH_TEST_FAKE_GPU"
in_a_process_of_its_own = pytest.mark.skipif(
    OWN_PROCESS not in os.environ, reason="in the process that the last test of the file starts"
)


@pytest.fixture
def beside_the_cpu(monkeypatch) -> str:
    name = str(fake_gpu.device())
    monkeypatch.setattr(machine, "devices", lambda: ["cpu", name])
    monkeypatch.setattr(machine, "resolve_device", lambda asked: asked)
    return name


def run(folder: Path, device: str) -> dict[str, Any]:
    folder.mkdir()
    overrides = ["evaluation.every=0.4 kimg"]
    ganbench.run(tiny.write(folder, ONE), out=folder / "run", device=device, overrides=overrides)
    (outcome,) = ganbench.load_run(folder / "run").outcomes
    assert outcome.status == "ok", outcome.reason
    found: dict[str, Any] = outcome.result.plain()
    return found


@in_a_process_of_its_own
def test_a_trial_finds_on_a_device_what_it_finds_on_the_cpu(tmp_path, beside_the_cpu):
    expected = run(tmp_path / "cpu", "cpu")
    with fake_gpu.working() as log:
        found = run(tmp_path / "there", beside_the_cpu)
    assert log.computed["addmm"] > 100
    assert found["environment"]["device"] == beside_the_cpu
    mine, theirs = (
        {m["name"]: m["value"] for m in one["metrics"] if m["kind"] == "quality"}
        for one in (found, expected)
    )
    assert mine == pytest.approx(theirs, rel=1e-4)
    assert len(mine) > 3
    for one, other in zip(found["followed"], expected["followed"], strict=True):
        assert one["values"] == pytest.approx(other["values"], rel=1e-4)


@in_a_process_of_its_own
def test_a_run_whose_device_is_gone_is_refused_before_its_first_trial(
    tmp_path, beside_the_cpu, monkeypatch
):
    folder = tmp_path / "run"
    with fake_gpu.working(), monkeypatch.context() as patch:
        patch.setattr("ganbench.runs.runner._run_trials", lambda *given: iter(()))
        ganbench.run(tiny.write(tmp_path, ONE), out=folder, device=beside_the_cpu)
    monkeypatch.setattr(machine, "devices", lambda: ["cpu"])
    with pytest.raises(RunError, match=rf"begun on {beside_the_cpu} .*, and this machine has cpu;"):
        ganbench.run(tmp_path / "tiny.yaml", out=folder, device=beside_the_cpu)
    assert not list(folder.glob("trials/*/result.json"))


@dataclass(kw_only=True)
class Keeping(BCE):
    """Keeps a vector of the device, and beside it one of the CPU."""

    name = "keeping"
    average: Tensor | None = field(default=None, init=False)
    counts: list[Tensor] = field(default_factory=lambda: [torch.zeros(2)], init=False)

    def discriminator_loss(self, step):
        seen = step.real.logits.detach().flatten()[:3]
        self.average = seen if self.average is None else 0.9 * self.average + 0.1 * seen
        self.counts = [self.counts[0] + torch.ones(2)]
        scale = 1 + self.average.mean() + float(self.counts[0][0]) / 100
        return {k: v * scale for k, v in super().discriminator_loss(step).items()}


def as_a_file_gives_it(state: TrainerState) -> dict[str, Any]:
    """All tensors copied, and on the CPU."""
    return copy.deepcopy(on_device(state.plain(), torch.device("cpu")))


@in_a_process_of_its_own
def test_what_plugins_keep_comes_back_where_it_was():
    where = fake_gpu.device()
    with fake_gpu.working():
        whole = trainer_of(Keeping(), device=where, ema=0.9)
        for _ in range(3):
            whole.iterate()
        state = TrainerState.from_plain(as_a_file_gives_it(whole.state()))
        for _ in range(3):
            whole.iterate()
        again = trainer_of(Keeping(), device=where, ema=0.9)
        again.restore(state)
        (loss,) = again.losses
        assert loss.average.device == where
        assert loss.counts[0].device.type == "cpu"
        for _ in range(3):
            again.iterate()
        pairs = zip(whole.generator.parameters(), again.generator.parameters(), strict=True)
        assert all(torch.equal(a.detach().cpu(), b.detach().cpu()) for a, b in pairs)


@in_a_process_of_its_own
def test_checkpoints_of_before_bring_everything_to_the_device():
    where = fake_gpu.device()
    with fake_gpu.working():
        trainer = trainer_of(Keeping(), device=where)
        trainer.iterate()
        plain = as_a_file_gives_it(trainer.state())
        del plain["plugins_on_cpu"]
        trainer.restore(TrainerState.from_plain(plain))
        assert trainer.losses[0].counts[0].device == where


HOWS = [
    {},
    {"n_critic": 2, "ema": 0.9},
    {"precision": "bfloat16", "channels_last": True},
    {"updates": "simultaneous"},
    {"micro_batch": 4, "fake_labels": "random"},
]


@in_a_process_of_its_own
@pytest.mark.parametrize("how", HOWS, ids=str)
def test_iterations_copy_nothing_and_wait_for_nothing(how):
    with fake_gpu.working() as log:
        trainer = trainer_of(device=fake_gpu.device(), log_every=100, data=data_of(480), **how)
        trainer.iterate()
        for counter in (log.to_device, log.to_host, log.waits):
            counter.clear()
        for _ in range(4):  # within an epoch, whose order comes from the CPU
            trainer.iterate()
    assert not log.to_host
    assert not log.to_device
    assert not log.waits
    assert log.convolutions


@in_a_process_of_its_own
@pytest.mark.parametrize("how", [{}, {"n_critic": 2}, {"fake_labels": "random"}], ids=str)
def test_images_that_a_device_has_no_room_for_are_fetched_without_waiting(how, monkeypatch):
    monkeypatch.setattr(batches, "MOST_ON_DEVICE", 0)
    with fake_gpu.working() as log:
        trainer = trainer_of(device=fake_gpu.device(), log_every=100, data=data_of(480), **how)
        trainer.iterate()
        for counter in (log.to_device, log.to_host, log.waits, log.blocking):
            counter.clear()
        for _ in range(13):
            trainer.iterate()
    assert log.to_device.total() == 13 * trainer.settings.n_critic
    assert not log.to_host
    assert not log.blocking
    assert not log.waits


@in_a_process_of_its_own
@pytest.mark.parametrize("how", [{}, {"n_critic": 2, "ema": 0.9}], ids=str)
def test_replayed_iterations_are_those_of_python_and_copy_nothing(how, monkeypatch):
    monkeypatch.setitem(graphs.KINDS, fake_gpu.NAME, recorded_graph.KIND)
    how = {"device": fake_gpu.device(), "log_every": 100, "data": data_of(480), **how}
    with fake_gpu.working() as log:
        captured, plain = trainer_of(compile="graph", **how), trainer_of(**how)
        for _ in range(6):
            captured.iterate()
            plain.iterate()
        for counter in (log.to_device, log.to_host, log.waits):
            counter.clear()
        for _ in range(4):
            captured.iterate()
        assert not captured.whole.why_not
        assert not log.to_host
        assert not log.to_device
        assert not log.waits
        for _ in range(4):
            plain.iterate()
        of_both = (one.game.g_parameters + one.game.d_parameters for one in (captured, plain))
        for mine, theirs in zip(*of_both, strict=True):
            torch.testing.assert_close(mine.detach().cpu(), theirs.detach().cpu())


@pytest.mark.skipif(OWN_PROCESS in os.environ, reason="it is this process that is started")
def test_all_of_this_in_a_process_of_its_own():
    fake_gpu.device()  # skips where torch has no such backends
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__]
    surroundings = {**os.environ, OWN_PROCESS: "1"}
    done = subprocess.run(command, env=surroundings, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "14 passed, 1 skipped" in done.stdout
