"""Estimates of how long trials take: measured once for all that take the same time, and bounded."""

from __future__ import annotations

import math
import time

import pytest
from helpers.bench import TEXT

from ganbench.training import time_estimate

SMALL = """\
version: 1
name: small
dataset: ring
loss: bce
conditioning: none
architecture: {name: mlp, width: 8, depth: 1}
"""


@pytest.mark.parametrize(
    ("matrix", "measured"),
    [
        ("training.g_lr: [1e-3, 2e-3], training.budget.kimg: [1, 2]", 1),
        ("training.ema: [0.9, 0.99, 0]", 2),
        ("training.batch_size: [8, 16]", 2),
        ("training.precision: [float32, bfloat16]", 2),
        ("training.channels_last: [true, false]", 2),
        ("training.n_critic: [1, 2]", 2),
        ("training.n_critic: [1, 100000], training.budget.kimg: [1]", 2),
        ("training.compile: [none, default]", 2),
        ("architecture: [{name: dcgan, width: 8}, {name: dcgan, width: 16}]", 2),
        ("loss: [bce, {name: bce, flip: 0.1}]", 2),
    ],
)
def test_cells_that_take_the_same_time_are_measured_once(
    planned, plugins, monkeypatch, matrix, measured
):
    asked = []
    monkeypatch.setattr(
        time_estimate,
        "_measure",
        lambda cell, *_, **__: asked.append(cell) or time_estimate._Measured(0.5, 0.25, False),
    )
    axes = {part.partition(":")[0] for part in matrix.split(", ")}
    text = "".join(
        line for line in TEXT.splitlines(keepends=True) if line.partition(":")[0] not in axes
    )
    found = planned(f"{text}matrix: {{{matrix}}}\n").cells
    estimator = time_estimate.Estimator(plugins, "cpu")
    seconds = [estimator.estimate(cell).seconds for cell in found]
    assert len(asked) == measured
    for cell, took in zip(found, seconds, strict=True):
        iteration = cell.schedule.batch_size * cell.schedule.n_critic  # which is not cut short
        images = math.ceil(1000 * cell.schedule.kimg / iteration) * iteration
        assert took == pytest.approx(0.5 * images + 0.25 * cell.num_samples)


@pytest.mark.parametrize(
    ("changes", "is_bound"),
    [
        ("training: {batch_size: 64}", False),
        ("training: {batch_size: 1000000000000000000}", True),
        ("training: {batch_size: 64, n_critic: 1000000000}", False),
        ("training: {batch_size: 64, budget: {kimg: 1e-308}}", False),
    ],
)
def test_estimates_end_whatever_is_asked(planned, plugins, changes, is_bound):
    [cell] = planned(f"{SMALL}{changes}\n").cells
    began = time.process_time()
    found = time_estimate.Estimator(plugins, "cpu").estimate(cell)
    assert found.seconds > 0
    assert found.is_bound == is_bound
    assert time.process_time() - began < 30


def test_an_iteration_that_nobody_waits_for_is_a_bound_from_below(planned, plugins, monkeypatch):
    [cell] = planned(SMALL).cells
    monkeypatch.setattr(time_estimate, "GIVEN_UP_SECONDS", -1.0)
    found = time_estimate.Estimator(plugins, "cpu").estimate(cell)
    assert (found.bound, found.is_bound) == ("at least", True)
    assert 0 < found.seconds < 60


def test_networks_beyond_memory_are_not_tried_out(planned, plugins):
    [cell] = planned(SMALL.replace("width: 8, depth: 1", "width: 20000")).cells
    assert time_estimate.Estimator(plugins, "cpu").estimate(cell) is None


def test_estimates_of_many_steps_of_g_are_bounds(plugins, planned):
    estimator = time_estimate.Estimator(plugins, "cpu")
    text = SMALL + "training: {batch_size: 2, n_gen: %d}\n"
    usual, beyond = (
        estimator.estimate(cell) for n_gen in (5, 5_000_000) for cell in planned(text % n_gen).cells
    )
    assert not usual.is_bound
    assert beyond.is_bound
    assert beyond.seconds > 1e5 * usual.seconds
