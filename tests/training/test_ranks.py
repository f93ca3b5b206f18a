"""Processes that train together do what one process does with the same batches."""

from __future__ import annotations

import os
from functools import partial

import pytest
import torch
from helpers.rank_trainings import STEPS, Hinge, Straying, in_double, in_single, trained
from helpers.tiny_trainer import same, trainer_of

from ganbench.default_plugins.conditionings import Projection
from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP
from ganbench.errors import RunError
from ganbench.runs import processes
from ganbench.training.ranks import ALONE, Ranks

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


@pytest.mark.parametrize(
    ("case", "norm"),
    [
        *((case, "batch") for case in CASES),
        pytest.param("wgan-gp", "layer", marks=pytest.mark.integration),
        pytest.param("bce", "layer", marks=pytest.mark.integration),
        pytest.param("lsgan", "layer", marks=pytest.mark.integration),
        ("hinge with projection", "layer"),
    ],
)
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
    make = partial(in_double, BCE(), kimg=0.08, **how)
    assert apart(trained(1, tmp_path, make), trained(2, tmp_path, make)) < 1e-9


@pytest.mark.parametrize("how", [{}, {**NORMED, **OF_ALL}], ids=["layer", "batch"])
def test_a_first_step_in_float32_is_that_of_one_process(how, tmp_path):
    make = partial(in_single, BCE(), **how)
    assert apart(trained(1, tmp_path, make), trained(2, tmp_path, make)) < 1e-5


def test_going_on_draws_what_each_process_would_have_drawn(tmp_path):
    """Also what losses draw of each process's own stream, here where gradients are taken."""
    make = partial(in_single, WGANGP(), kimg=0.064)
    whole = trained(2, tmp_path, make, draws="own")
    parts = trained(2, tmp_path, make, draws="own", again_at=4)
    assert parts["windows"] == whole["windows"]
    assert same(parts["weights"], whole["weights"])


def test_processes_whose_weights_come_apart_are_told_of(tmp_path):
    with pytest.raises(AssertionError, match=r"processes' weights are no longer the same: a plug"):
        trained(2, tmp_path, partial(in_single, Straying()))


def test_processes_that_are_not_there_are_no_training():
    with pytest.raises(RunError, match=r"^the training is of 2 processes, and this is one of 1"):
        trainer_of(processes=2)


def test_one_process_alone_shares_nothing():
    batch = torch.arange(4)
    assert ALONE.share(batch) is batch
    assert [Ranks(rank, 2).share(batch).tolist() for rank in (0, 1)] == [[0, 1], [2, 3]]
    assert ALONE.gathered("own") == ["own"]
    assert ALONE.decided(True)
    assert not ALONE.decided(False)


def test_a_gradient_that_some_lack_counts_as_none_there(tmp_path):
    """And what has none anywhere, as what is frozen, is left without."""
    why = processes.together(2, "cpu", _average, tmp_path, forks=True)
    assert not why
    found = [torch.load(tmp_path / f"{rank}.pt", weights_only=True) for rank in (0, 1)]
    assert found == [[[2.0, 2.0], [0.5], None]] * 2


def _average(rank, folder):
    sizes = (2, 1, 1)
    parameters = [torch.zeros(size, requires_grad=True) for size in sizes]
    parameters[0].grad = torch.full((2,), 1.0 + 2 * rank)
    if rank:
        parameters[1].grad = torch.ones(1)
    Ranks(rank, 2).average_gradients(parameters)
    grads = [None if p.grad is None else p.grad.tolist() for p in parameters]
    torch.save(grads, folder / f"{rank}.pt")
