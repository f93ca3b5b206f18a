"""Where the time of a trial goes."""

from __future__ import annotations

import json
from contextlib import contextmanager

import pytest
import torch
from helpers.tiny import TINY, ganbench
from helpers.tiny_trainer import trainer_of

from ganbench.default_plugins.losses import BCE
from ganbench.training import profiling
from ganbench.training.profiling import REST, Stopwatch


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def test_what_runs_inside_a_part_counts_for_the_inner_part_alone():
    clock = Clock()
    watch = Stopwatch(clock)
    with watch.step("D"):
        clock.now += 1  # Python's own
        with watch.part("loss"):
            clock.now += 2
            with watch.part("forward"):
                clock.now += 4
            clock.now += 8
    assert watch.seconds == {"D": {REST: 1.0, "loss": 10.0, "forward": 4.0}}


def test_parts_add_up_to_the_whole():
    measured = profiling.measure(trainer_of(n_critic=2, ema=0.9), warm_up=1, iterations=3)
    names = dict(measured.parts())
    assert {"data", "D forward", "G forward", "backward", "optimiser", "average of weights"} <= set(
        names
    )
    assert set(names["terms of 'bce'"]) == {"D", "G"}
    assert measured.total == pytest.approx(sum(sum(by_step.values()) for by_step in names.values()))
    assert all(ms >= 0 for by_step in names.values() for ms in by_step.values())


def test_who_sets_phase_hears_of_all_parts_of_an_iteration():
    trainer, heard = trainer_of(n_critic=2, ema=0.9), []

    @contextmanager
    def phase(name):
        heard.append(name)
        yield
        heard.append(f"end of {name}")

    trainer.phase = phase
    trainer.iterate()
    parts = ["latents", "terms of 'bce'", "terms of 'ConcatPlanes'", "backward", "optimiser"]
    d_step = ["data", *step("discriminator step", parts)]
    assert [name for name in heard if not name.startswith("end of") or "step" in name] == [
        *d_step, *d_step, *step("generator step", parts), "average of weights"
    ]  # fmt: skip


def step(name, parts):
    return [name, *parts, f"end of {name}"]


def test_measuring_a_training_changes_none_of_its_numbers():
    watched = trainer_of(BCE(flip=0.2), ema=0.9)
    profiling.measure(watched, warm_up=1, iterations=3)
    plain = trainer_of(BCE(flip=0.2), ema=0.9)
    for _ in range(4):
        plain.iterate()
    for a, b in zip(
        plain.average.generator.parameters(), watched.average.generator.parameters(), strict=True
    ):
        assert torch.equal(a, b)


@pytest.fixture
def tiny(tmp_path):
    (tmp_path / "tiny.yaml").write_text(TINY)
    return tmp_path


def test_command_times_training_and_judging(tiny):
    done = ganbench("profile", "tiny.yaml", "--iterations", "2", "--json", cwd=tiny)
    assert done.returncode == 0, done.stderr
    first, second = json.loads(done.stdout)["cells"]
    assert first["label"].startswith("bce")
    assert second["milliseconds"]["D"]["terms of 'lsgan'"] > 0
    assert list(first["evaluation_seconds"]) == [
        "200 samples", "modes", "fid@pixels", "train-images-per-s"
    ]  # fmt: skip


def test_command_leaves_judging_out_and_writes_a_trace(tiny):
    done = ganbench(
        "profile", "tiny.yaml", "--iterations", "2", "--no-evaluation", "--trace", "traces",
        "--only", "loss=bce", cwd=tiny,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "after training" not in done.stdout
    assert "D forward" in done.stdout
    (trace,) = (tiny / "traces").iterdir()
    names = {event.get("name") for event in json.loads(trace.read_text())["traceEvents"]}
    assert "ganbench: backward" in names
