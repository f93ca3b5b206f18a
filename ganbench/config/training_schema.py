"""The keys below `training`: how long cells train, and how both players and the average learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, NonNegativeFloat, PositiveFloat, PositiveInt

from ganbench.config.choices import OptimizerChoice
from ganbench.config.settings import Settings
from ganbench.records.schedules import (
    MOST,
    NOTHING,
    SCHEDULED,
    Amount,
    Schedulable,
    Unit,
    amount_schema,
)
from ganbench.records.training_settings import (
    BatchesOf,
    BatchNorm,
    Compile,
    CriticBatches,
    FakeLabels,
    PlayerName,
    SpectralNorm,
    Updates,
)


class Budget(Settings):
    """How long a cell trains."""

    kimg: PositiveFloat | None = Field(
        default=None,
        le=MOST,
        description="thousands of real images shown to D; 100 where nothing is said",
    )
    epochs: PositiveFloat | None = Field(
        default=None, le=MOST, description="times that D is shown all of the data, in whole batches"
    )
    steps: PositiveInt | None = Field(default=None, le=MOST, description="steps of G")

    def given(self) -> dict[Unit, float]:
        """Return the one unit that is given, with its number."""
        units: tuple[Unit, ...] = ("kimg", "epochs", "steps")
        found = {unit: float(v) for unit in units if (v := getattr(self, unit)) is not None}
        return found or {"kimg": 100.0}

    @pydantic.model_validator(mode="after")
    def _of_one_unit(self) -> Budget:
        if len(units := self.given()) > 1:
            raise ValueError(
                f"a budget is of one unit, and this has {' and '.join(units)}; leave one out, or "
                "make it null where it lies below a profile or --set"
            )
        return self


Decay = Annotated[float, Field(ge=0, lt=1)]
Rate = Annotated[PositiveFloat, Schedulable(also=(0.0,))]
"""A learning rate, or a schedule of one, which may begin or end at 0."""
ScheduledDecay = Annotated[Decay, SCHEDULED]


class PlayerBlock(Settings):
    """How one player's weights follow their gradients; what is left out is as for both."""

    optimizer: OptimizerChoice | None = Field(default=None, description="of this player alone")
    lr: Rate | None = Field(default=None, description="in the place of g_lr or d_lr")
    betas: tuple[ScheduledDecay, ScheduledDecay] | None = Field(
        default=None, description="decays of averages, of optimisers that have them"
    )
    weight_decay: Annotated[NonNegativeFloat, SCHEDULED] | None = Field(
        default=None, description="of optimisers that go by it"
    )
    momentum: Decay | None = Field(default=None, description="of optimisers that go by it")
    eps: PositiveFloat | None = Field(default=None, description="of optimisers that go by it")
    clip_grad_norm: Annotated[PositiveFloat, SCHEDULED] | None = Field(
        default=None, description="the most that all its gradients' norm may be; null: no limit"
    )


AmountOfTraining = Annotated[
    Amount, pydantic.PlainValidator(Amount.of), pydantic.WithJsonSchema(amount_schema())
]


class Average(Settings):
    """An average of G's weights in which those of so long ago count half."""

    half_life: Rate = Field(description="kimg")
    ramp_up: PositiveFloat | None = Field(
        default=None, description="the half-life is at most this share of what has been shown"
    )
    start: AmountOfTraining = Field(default=NOTHING, description="until then it is G itself")


def _is_mapping(value: Any) -> str:
    return "mapping" if isinstance(value, Mapping | Average) else "number"


DecayOrHalfLife = Annotated[
    Annotated[Decay, pydantic.Tag("number")] | Annotated[Average, pydantic.Tag("mapping")],
    pydantic.Discriminator(_is_mapping),
]


class InitFrom(Settings):
    """A trained model whose weights players begin with."""

    model: str = Field(description="a model's folder, RUN/TRIAL, or a run with one model")
    players: tuple[PlayerName, ...] = Field(
        default=("generator", "discriminator"), min_length=1, description="who begins with them"
    )
    freeze: tuple[str, ...] = Field(
        default=(), description="patterns of names of their weights that stay as they are"
    )


class Training(Settings):
    """How cells train. What is left out comes from the loss's own recipe."""

    batch_size: PositiveInt = Field(default=64, description="images")
    batches: BatchesOf = Field(
        default="shuffled", description="or balanced: of each class as many as of any other"
    )
    budget: Budget = Field(default=Budget(), description="how long a cell trains")
    n_critic: PositiveInt | None = Field(default=None, description="D steps per iteration")
    critic_batches: CriticBatches = Field(
        default="own",
        description="of each D step, or shared: one for all D steps of an iteration, whose images "
        "then count once in budgets",
    )
    n_gen: PositiveInt = Field(default=1, description="G steps per iteration")
    updates: Updates = Field(
        default="alternating",
        description="simultaneous: both players' gradients at the same weights, same fakes",
    )
    fake_labels: FakeLabels = Field(
        default="real", description="of the real batch, or random: uniform over the classes"
    )
    micro_batch: PositiveInt | None = Field(
        default=None,
        description="images at once: a batch is worked through in such pieces to save memory, and "
        "batch norm takes its statistics of each piece",
    )
    batch_norm: BatchNorm = Field(
        default="local",
        description="statistics of each process's share of a batch, or synchronised: of what all "
        "`execution.processes` have",
    )
    spectral_norm: SpectralNorm = Field(
        default="each-pass",
        description="when spectrally normalised weights are computed anew, which moves their power "
        "iteration on: at each pass, or once for all passes of D in a step, which takes less time",
    )
    optimizer: OptimizerChoice | None = Field(default=None, description="of both players")
    g_lr: Rate | None = Field(default=None, description="learning rate of G, or a schedule")
    d_lr: Rate | None = Field(default=None, description="learning rate of D, or a schedule")
    betas: tuple[ScheduledDecay, ScheduledDecay] | None = Field(
        default=None, description="decays of the optimisers' averages"
    )
    generator: PlayerBlock = Field(default=PlayerBlock(), description="what G has of its own")
    discriminator: PlayerBlock = Field(default=PlayerBlock(), description="what D has of its own")
    init_from: InitFrom | None = Field(
        default=None, description="a trained model to begin with, in place of fresh weights"
    )
    ema: DecayOrHalfLife = Field(
        default=0.999,
        description="decay of the average of G's weights that is evaluated, or its half-life; 0: "
        "none. Batch norm is recalibrated before sampling either way",
    )
    precision: Literal["auto", "float32", "tf32", "bfloat16"] = Field(
        default="auto",
        description="auto: bfloat16 where the device has units for it, else float32. tf32: what "
        "NVIDIA's GPUs of capability 8.0 and more make of float32 in convolutions and products. "
        "Samples are drawn and judged in float32 either way",
    )
    deterministic: bool = Field(
        default=False,
        description="compute only what comes out the same each time on one GPU, at a cost; what "
        "cannot be computed so fails. One CPU's results are the same either way",
    )
    channels_last: bool = Field(default=True, description="the layout of images in memory")
    compile: Compile = Field(
        default="none",
        description="torch.compile both networks, D only where no loss differentiates twice; "
        "reduce-overhead captures CUDA graphs of them. graph: nothing is compiled, and a whole "
        "iteration is captured as one CUDA graph",
    )
    log_every: PositiveInt | Literal["epoch"] = Field(
        default=50, description="iterations between two log lines; epoch: at the end of each"
    )
