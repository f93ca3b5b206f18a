"""A training that was cut off goes on where it was, to the last bit, or begins anew and says so."""

from __future__ import annotations

import copy
import io
import random
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers import tiny
from helpers.hanging import start_hanging, wait_until, worker_of
from helpers.tiny_trainer import data_of, trainer_of
from torch import Tensor

from ganbench import ImageSpec, Loss, Step, Terms
from ganbench.default_plugins.conditionings import Projection
from ganbench.default_plugins.losses import BCE, WGANGP
from ganbench.training.checkpoints import Checkpoints
from ganbench.training.state import TrainerState
from ganbench.training.trainer import Trainer
from ganbench.util import sealed


@dataclass(kw_only=True)
class Remembering(BCE):
    """BCE scaled by what it saw before, and with a draw of its own."""

    name = "remembering"
    average: Tensor | None = field(default=None, init=False)

    def discriminator_loss(self, step: Step) -> Terms:
        seen = step.real.logits.mean().detach()
        self.average = seen if self.average is None else 0.9 * self.average + 0.1 * seen
        noise = torch.rand(())
        return {
            k: v * (1 + noise + self.average) for k, v in super().discriminator_loss(step).items()
        }


@dataclass(kw_only=True)
class Drawing(BCE):
    """BCE scaled by draws of the generators of all."""

    name = "drawing"

    def discriminator_loss(self, step: Step) -> Terms:
        noise = np.random.rand() + abs(np.random.randn()) + random.random() + abs(random.gauss())
        return {k: v * (1 + noise) for k, v in super().discriminator_loss(step).items()}


@dataclass(kw_only=True)
class Unstorable(BCE):
    """Keeps what no file of plain values can hold."""

    name = "unstorable"
    kept: object = field(default_factory=lambda: lambda: None, init=False)


HOW = {
    "plain": {},
    "average": {"ema": 0.9},
    "bfloat16": {"precision": "bfloat16", "channels_last": True},
    "critic": {"n_critic": 2},
    "simultaneous": {"updates": "simultaneous", "optimizer": "rmsprop"},
    "batch norm": {"d_norm": "batch"},
    "spectral G": {"g_norm": "layer+spectral", "ema": 0.9},
    "vectors": {
        "image": ImageSpec(1, 4, condition_dim=2),
        "data": replace(data_of(52), labels=torch.arange(104.0).view(52, 2) / 52 - 1),
        "conditioning": Projection(),
        "fake_labels": "random",
    },
}


def of(name: str, *losses: Loss) -> Trainer:
    return trainer_of(*losses, **{"data": data_of(52), "kimg": 0.24, **HOW[name]})


def everything(trainer: Trainer) -> list[Tensor]:
    trained = trainer.run()
    nets = (trained.generator, trained.discriminator, trainer.generator)
    return [value.clone() for net in nets for value in net.state_dict().values()]


@pytest.mark.parametrize(
    ("name", "loss"),
    [*((name, Remembering) for name in HOW), ("critic", WGANGP), ("plain", Drawing)],
)
def test_training_goes_on_to_the_last_bit(name, loss, tmp_path):
    whole = of(name, loss())
    states = []
    whole.on_window = lambda window: states.append(kept_and_read(whole, tmp_path))
    expected = everything(whole)
    assert len(states) >= 3
    for state in states[:2]:
        later = of(name, loss())
        later.restore(state)
        found = everything(later)
        assert all(torch.equal(a, b) for a, b in zip(found, expected, strict=True))
        assert [w.d_terms for w in later.log.windows] == [w.d_terms for w in whole.log.windows]
        assert later.progress == whole.progress


def kept_and_read(trainer: Trainer, folder: Path) -> dict:
    kept = Checkpoints(folder / "checkpoint.pt", "{}", 1e-9)
    kept.save_in_time(trainer, {"beside": [1]})
    state, beside = kept.load()
    assert beside == {"beside": [1]}
    return state


def test_state_of_the_version_before_goes_on_to_the_last_bit():
    whole = of("average", Remembering())
    states = []
    whole.on_window = lambda window: states.append(copy.deepcopy(whole.state().plain()))
    expected = everything(whole)
    now = states[0]
    former = {
        "networks": now["networks"],
        "optimizers": now["optimizers"],
        "plugins": now["plugins"],
        "batches": now["batches"],
        "latents": now["latents"],
        "fake labels": now["fake_labels"],
        "random": now["random"],
        "device random": now["device_random"],
        "progress": now["progress"],
        "windows": now["windows"],
        "seconds": now["seconds"],
        "probes": [5000],
    }
    later = of("average", Remembering())
    later.restore(TrainerState.from_plain(former))
    assert later.snapshots_at == [5000]
    assert all(torch.equal(a, b) for a, b in zip(everything(later), expected, strict=True))


def test_nothing_is_kept_before_its_time(tmp_path):
    for every in (None, 3600.0):
        Checkpoints(tmp_path / "c.pt", "{}", every).save_in_time(of("plain"), {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 cut off", b"\x80\x02}q\x00."], ids=len)
def test_damaged_checkpoint_is_a_new_beginning(content, tmp_path, caplog):
    (tmp_path / "c.pt").write_bytes(content)
    assert Checkpoints(tmp_path / "c.pt", "{}", 1.0).load() is None
    assert "beginning anew" in caplog.text


def test_no_flipped_bit_is_trained_on(tmp_path, caplog):
    kept = Checkpoints(tmp_path / "c.pt", "{}", 1e-9)
    kept.save_in_time(of("plain"), {})
    assert kept.load() is not None
    whole = kept.path.read_bytes()
    places = random.Random(0).sample(range(8 * len(whole)), 200)
    for place in places:
        changed = bytearray(whole)
        changed[place // 8] ^= 1 << place % 8
        kept.path.write_bytes(changed)
        assert kept.load() is None
    assert caplog.text.count("beginning anew") == len(places)


@pytest.mark.parametrize(
    "garbage",
    [
        [1],
        torch.zeros(3),
        {},
        {"trainer": {}, "more": {}},
        {"made by": "ORIGIN", "trainer": [], "more": {}},
        {"made by": "ORIGIN", "trainer": {"networks": []}, "more": {}},
        {"made by": "ORIGIN", "trainer": "WHOLE"},
    ],
    ids=str,
)
def test_garbage_is_a_new_beginning(garbage, tmp_path, caplog):
    kept = Checkpoints(tmp_path / "c.pt", "{}", 1e-9)
    if isinstance(garbage, dict):
        known = {"ORIGIN": kept._origin(), "WHOLE": of("plain").state().plain()}
        garbage = {
            key: known.get(value, value) if isinstance(value, str) else value
            for key, value in garbage.items()
        }
    torch.save(garbage, kept.path)
    assert kept.resume(of("plain")) is None
    assert "beginning anew" in caplog.text


def test_state_that_does_not_fit_leaves_the_trainer_as_it_was(tmp_path, caplog):
    kept = Checkpoints(tmp_path / "c.pt", "{}", 1e-9)
    trained = of("plain")
    trained.on_window = lambda window: kept.save_in_time(trained, {})
    trained.run()
    state = torch.load(io.BytesIO(sealed.read(kept.path)), weights_only=True)
    state["trainer"]["optimizers"].pop()  # after the networks are restored
    torch.save(state, kept.path)
    later = of("plain")
    assert kept.resume(later) is None
    assert "beginning anew" in caplog.text
    expected = everything(of("plain"))
    assert all(torch.equal(a, b) for a, b in zip(everything(later), expected, strict=True))


def test_checkpoint_without_a_seal_is_gone_on_from(tmp_path):
    kept = Checkpoints(tmp_path / "c.pt", "{}", 1e-9)
    kept.save_in_time(of("plain"), {"beside": [1]})
    kept.path.write_bytes(sealed.read(kept.path))
    assert kept.resume(of("plain")) == {"beside": [1]}


def test_checkpoint_of_another_trial_is_not_taken_over(tmp_path, caplog):
    Checkpoints(tmp_path / "c.pt", "one trial", 1e-9).save_in_time(of("plain"), {})
    assert Checkpoints(tmp_path / "c.pt", "another", 1e-9).load() is None
    assert "of another trial or version" in caplog.text


def test_no_checkpoint_is_no_news(tmp_path, caplog):
    assert Checkpoints(tmp_path / "c.pt", "{}", 1.0).load() is None
    assert caplog.text == ""


def test_loss_that_keeps_what_cannot_be_kept_costs_only_the_checkpoints(tmp_path, caplog):
    kept = Checkpoints(tmp_path / "c.pt", "{}", 1e-9)
    for _ in range(2):
        kept.save_in_time(of("plain", Unstorable()), {})
    assert caplog.text.count("no checkpoints of this trial") == 1
    assert not (tmp_path / "c.pt").exists()


def test_kill_9_in_the_middle_and_resume_give_the_weights_of_one_go(tmp_path):
    text = tiny.UNCONTROLLED.replace("threads: 1", "threads: 1, checkpoint: 1e-6")
    run, other = tmp_path / "run", tmp_path / "other"
    process = start_hanging(tmp_path, run, text)
    wait_until(lambda: list(run.glob("trials/trouble*/checkpoint.pt")), process)
    worker = worker_of(run, process)
    wait_until(lambda: hangs(run), process)
    process.kill()
    process.communicate(timeout=60)
    done = tiny.ganbench("resume", run, cwd=tmp_path, NO_MORE_TROUBLE="1")
    assert done.returncode == 0, done.stderr
    assert worker
    again = tiny.ganbench(
        "run", tmp_path / "tiny.yaml", "--plugin", tmp_path / "trouble.py", "--out", other,
        cwd=tmp_path, NO_MORE_TROUBLE="1",
    )  # fmt: skip
    assert again.returncode == 0, again.stderr
    for path in run.glob("trials/*/model.safetensors"):
        twin = other / path.relative_to(run)
        assert path.read_bytes() == twin.read_bytes()
    (result,) = (r for name, r in tiny.results(run).items() if name.startswith("trouble"))
    assert result["resumed_at_kimg"] == 0.5
    assert not list(run.glob("trials/*/checkpoint.pt"))
    (log,) = run.glob("trials/trouble*/metrics.jsonl")
    assert len(log.read_text().splitlines()) == 4


def hangs(run: Path) -> bool:
    (log,) = run.glob("trials/trouble*/metrics.jsonl")
    return len(log.read_text().splitlines()) == 2
