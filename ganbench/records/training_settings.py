"""What a cell's training is told, once the plan has resolved every default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ganbench.records.schedules import Schedule

Precision = Literal["float32", "bfloat16"]
Control = Literal["test", "train-half", "drop-class", "memorised"]
FakeLabels = Literal["real", "random"]
Compile = Literal["none", "default", "reduce-overhead"]
Updates = Literal["alternating", "simultaneous"]


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """Everything that decides a training run, given the networks, the losses and the data."""

    batch_size: int
    kimg: float  # thousands of real images shown to the discriminator
    n_critic: int  # discriminator steps per generator step
    updates: Updates  # simultaneous: both gradients at the same weights and for the same fakes
    optimizer: str
    g_lr: float | Schedule
    d_lr: float | Schedule
    betas: tuple[float | Schedule, float | Schedule]
    ema: float  # decay of the generator's weight average; 0: none
    precision: Precision
    channels_last: bool
    log_every: int | Literal["epoch"]  # iterations per window, or as many as end an epoch
    fake_labels: FakeLabels = "real"  # of the real batch, or drawn anew, uniform over the classes
    micro_batch: int | None = None  # images that go through the networks at once; None: all
    compile: Compile = "none"  # the mode of `torch.compile`; reduce-overhead captures CUDA graphs
