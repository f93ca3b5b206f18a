"""Between two windows nothing waits for the device."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from helpers.tiny_trainer import trainer_of
from torch.utils._python_dispatch import TorchDispatchMode

from ganbench.default_plugins.losses import BCE, LSGAN, WGANGP


class Peek(LSGAN):
    def discriminator_loss(self, step):
        return {k: v for k, v in super().discriminator_loss(step).items() if v.item() > -1}


# What needs a value on the host: `.item()`, `float(x)`, `if x:`, shapes that depend on values.
WAITING = {"_local_scalar_dense", "nonzero", "masked_select", "equal", "_unique2"}
COPIES = ("cpu", "numpy", "tolist")


class Waits(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[str] = []

    def __torch_dispatch__(self, op: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        name = op.overloadpacket.__name__
        if name in WAITING:
            self.found.append(name)
        return op(*args, **(kwargs or {}))


@pytest.fixture
def waits(monkeypatch):
    """What waited, also copies to the host, which are nothing on a CPU."""
    mode = Waits()

    def counted(name: str):
        plain = getattr(torch.Tensor, name)

        def call(tensor: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            mode.found.append(name)
            return plain(tensor, *args, **kwargs)

        return call

    for name in COPIES:
        monkeypatch.setattr(torch.Tensor, name, counted(name))
    return mode


@pytest.mark.parametrize("loss", [BCE(), BCE(flip=0.1), LSGAN(), WGANGP()], ids=str)
@pytest.mark.parametrize(
    "how",
    [
        {},
        {"n_critic": 2, "ema": 0.9},
        {"precision": "bfloat16", "channels_last": True},
        {"fake_labels": "random", "micro_batch": 4},
        {"updates": "simultaneous"},
    ],
    ids=str,
)
def test_iterations_do_not_wait(loss, how, waits):
    how = {"log_every": 100, **how}
    if isinstance(loss, WGANGP) and "fake_labels" in how:
        how["fake_labels"] = "real"
    trainer = trainer_of(loss, **how)
    trainer.iterate()  # fused optimisers make their state
    with waits:
        for _ in range(12):  # one of which looks at outputs and gradients, and an epoch ends
            trainer.iterate()
    assert waits.found == []
    with waits:
        trainer.close_window(1.0, 13)
    assert set(waits.found) == {"_local_scalar_dense"}


def test_a_loss_that_waits_is_seen(waits):
    trainer = trainer_of(Peek())
    with waits:
        trainer.iterate()
    assert "_local_scalar_dense" in waits.found
