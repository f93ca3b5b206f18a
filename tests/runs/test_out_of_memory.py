"""A trial that ran out of memory says so in its result, and what to try."""

from __future__ import annotations

import json

import pytest
import torch
from helpers import tiny

from ganbench.errors import OUT_OF_MEMORY, DataError, cause

GREEDY = '''\
"""A loss that asks for too much."""

from dataclasses import dataclass

import torch

from ganbench import hookimpl
from ganbench.default_plugins.losses import BCE


@dataclass(kw_only=True)
class Greedy(BCE):
    """Asks for more memory than any machine has."""

    name = "greedy"

    def discriminator_loss(self, step):
        torch.empty(2**58)


@hookimpl
def register_losses(register):
    register(Greedy)
'''


def test_a_trial_without_memory_has_a_cause_and_what_to_try(tmp_path):
    plugin = tmp_path / "greedy.py"
    plugin.write_text(GREEDY, encoding="utf-8")
    text = tiny.INLINE.replace("loss: [bce, lsgan]", "loss: [greedy]").replace(
        "num_samples: 200", "num_samples: 200, controls: []"
    )
    done = tiny.ganbench(
        "run", tiny.write(tmp_path, text), "--plugin", plugin, "--out", "run", cwd=tmp_path
    )
    assert done.returncode == 3, done.stderr
    (path,) = tmp_path.glob("run/trials/*/result.json")
    result = json.loads(path.read_text("utf-8"))
    assert (result["status"], result["cause"]) == ("failed", "out-of-memory")
    assert "; training.micro_batch, a divisor of training.batch_size, works" in result["reason"]


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to"),
        RuntimeError("CUDA error: out of memory"),
    ],
    ids=str,
)
def test_no_memory_is_known_by_what_is_raised(error):
    assert cause(error) == OUT_OF_MEMORY


@pytest.mark.parametrize(
    "error",
    [RuntimeError("shapes differ"), ValueError("out of memory"), DataError("out of memory")],
    ids=repr,
)
def test_other_errors_have_no_cause(error):
    assert cause(error) == ""
