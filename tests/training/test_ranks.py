"""Processes that train together do what one process does with the same batches."""

from __future__ import annotations

import os
from functools import partial

import pytest
import torch
from helpers.rank_trainings import STEPS, Hinge, in_double, in_single, trained

from ganbench.default_plugins.conditionings import Projection
from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="trains in forks of this process")

NORMED = {"g_norm": "batch", "d_norm": "batch"}
CASES = {
    "bce": ((BCE(),), {}),
    "lsgan": ((LSGAN(),), {}),
    "wgan-gp": ((WGANGP(),), {}),
    "hinge with projection": ((Hinge(),), {"conditioning": Projection()}),
}
OF_ALL, OF_ITS_SHARE = {"batch_norm": "synchronised"}, {"batch_norm": "local"}


def apart(a, b):
    """The largest difference between two trainings' terms and signals, relative above 1."""
    assert [w.keys() for w in a["windows"]] == [w.keys() for w in b["windows"]]
    return max(
        abs(x[name] - y[name]) / max(1.0, abs(x[name]))
        for x, y in zip(a["windows"], b["windows"], strict=True)
        for name in x
    )


@pytest.mark.parametrize("norm", ["layer", "batch"])
@pytest.mark.parametrize("case", CASES)
def test_two_processes_have_the_losses_of_one(case, norm, tmp_path):
    """Over 50 steps of float64: terms, D's outputs and gradients' norms, and running statistics."""
    losses, how = CASES[case]
    d_norm = "layer" if case == "wgan-gp" else norm  # whose gradients are of single images
    make = partial(in_double, *losses, **how, g_norm=norm, d_norm=d_norm)
    one = trained(1, tmp_path, make)
    two = trained(2, tmp_path, make, **OF_ALL)
    assert len(one["windows"]) == len(two["windows"]) == STEPS
    assert apart(one, two) < 1e-9
    for a, b in zip(one["buffers"], two["buffers"], strict=True):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-9)


def test_local_batch_norm_is_that_of_a_batch_in_pieces(tmp_path):
    make = partial(in_double, BCE(), **NORMED)
    one = trained(1, tmp_path, make)
    pieces = trained(1, tmp_path, make, micro_batch=4)
    two = trained(2, tmp_path, make, **OF_ITS_SHARE)
    assert apart(pieces, two) < 1e-9
    assert apart(one, two) > 1e-3


@pytest.mark.parametrize(
    "how",
    [
        {"updates": "simultaneous"},
        {"micro_batch": 2},
        {"n_critic": 2, "critic_batches": "shared", "fake_labels": "random"},
        {"batches": "balanced", "ema": 0.9},
    ],
    ids=lambda how: ", ".join(map(str, how.values())),
)
def test_other_schedules_are_those_of_one_process_too(how, tmp_path):
    make = partial(in_double, BCE(), kimg=0.16, **how)
    assert apart(trained(1, tmp_path, make), trained(2, tmp_path, make)) < 1e-9


@pytest.mark.parametrize("how", [{}, {**NORMED, **OF_ALL}], ids=["layer", "batch"])
def test_a_first_step_in_float32_is_that_of_one_process(how, tmp_path):
    make = partial(in_single, BCE(), **how)
    assert apart(trained(1, tmp_path, make), trained(2, tmp_path, make)) < 1e-5
