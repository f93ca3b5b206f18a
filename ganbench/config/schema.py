"""The shape of a benchmark file: its keys, their types, limits and defaults."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Generic, Literal, TypeVar, get_args

import pydantic
from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    NonNegativeFloat,
    PositiveFloat,
    PositiveInt,
)

from ganbench.records.cells import PLAIN
from ganbench.records.schedules import (
    NOTHING,
    SCHEDULED,
    Amount,
    Schedulable,
    Unit,
    amount_schema,
)
from ganbench.records.training_settings import Compile, Control, FakeLabels, PlayerName, Updates
from ganbench.registry import extractor_labels
from ganbench.registry.kinds import KINDS
from ganbench.util.messages import an, brief


class Settings(BaseModel):
    """A mapping of a benchmark file: strict types, no unknown keys, nothing infinite."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, frozen=True)


Word = TypeVar("Word", bound=str)
KIND = "x-kind"
"""Where a choice's JSON Schema says of which kind it is."""


class Choice(Settings, Generic[Word]):
    """A plugin by name, with options: `wgan-gp`, or `{name: wgan-gp, gp_weight: 5}`.

    The parameter is the kind's word: `Choice[Literal["loss"]]`.
    """

    model_config = ConfigDict(json_schema_extra=lambda schema, cls: schema.update({KIND: cls.kind}))

    kind: ClassVar[str]
    name: str
    options: dict[str, Any] = {}

    @classmethod
    def model_parametrized_name(cls, params: tuple[Any, ...]) -> str:
        """Name the choice of a kind after its contract. Raises KeyError for what is no kind."""
        return f"{KINDS[get_args(params[0])[0]].contract}Choice"

    @classmethod
    def __pydantic_init_subclass__(cls, **kwargs: Any) -> None:
        if words := cls.__pydantic_generic_metadata__["args"]:
            cls.kind = get_args(words[0])[0]

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, str):
            return {"name": value}
        if isinstance(value, Mapping) and isinstance(value.get("name"), str):
            return {
                "name": value["name"],
                "options": {k: v for k, v in value.items() if k != "name"},
            }
        raise ValueError(
            f"expected the name of {an(cls.kind)}, or a mapping with a name and options"
        )

    @property
    def label(self) -> str:
        """The choice in one word, as tables have it: `wgan-gp(gp_weight=5)`."""
        given = ",".join(f"{key}={brief(value)}" for key, value in self.options.items())
        return f"{self.name}({given})" if given else self.name


LossChoice = Choice[Literal["loss"]]
ArchitectureChoice = Choice[Literal["architecture"]]
TransformChoice = Choice[Literal["transform"]]
DatasetChoice = Choice[Literal["dataset"]]
FeatureExtractorChoice = Choice[Literal["feature extractor"]]
SamplerChoice = Choice[Literal["sampler"]]
ReporterChoice = Choice[Literal["reporter"]]
ExecutorChoice = Choice[Literal["executor"]]
CallbackChoice = Choice[Literal["callback"]]
OptimizerChoice = Choice[Literal["optimizer"]]


class MetricChoice(Choice[Literal["metric"]]):
    """`fid@mnist-cnn-v1` is short for `{name: fid, features: mnist-cnn-v1}`.

    An extractor with options is a mapping of its own, `features: {name: random-conv, seed: 3}`, or
    in a word `random-conv(seed=3)`.
    """

    @pydantic.model_validator(mode="before")
    @classmethod
    def _with_features(cls, value: Any) -> Any:
        if isinstance(value, str) and "@" in value:
            name, _, features = value.partition("@")
            return {"name": name, "features": features}
        if isinstance(value, Mapping) and isinstance(value.get("features"), Mapping):
            chosen = FeatureExtractorChoice.model_validate(value["features"])
            return {**value, "features": extractor_labels.compose(chosen.name, chosen.options)}
        return value


class ConditioningSide(Choice[Literal["conditioning"]]):
    """A method for one of the players."""


class ConditioningChoice(Settings):
    """A method for both players, or `{generator: …, discriminator: …}`."""

    generator: ConditioningSide
    discriminator: ConditioningSide

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_yaml(cls, value: Any) -> Any:
        if isinstance(value, str) or (isinstance(value, Mapping) and "name" in value):
            return {"generator": value, "discriminator": value}
        if isinstance(value, Mapping) and not {"generator", "discriminator"}.isdisjoint(value):
            return value
        raise ValueError(
            "expected the name of a conditioning, a mapping with a name and options, or "
            "{generator: ..., discriminator: ...}"
        )

    @property
    def label(self) -> str:
        """One word where both sides are the same, else `GENERATOR+DISCRIMINATOR`."""
        if self.generator == self.discriminator:
            return self.generator.label
        return f"{self.generator.label}+{self.discriminator.label}"


Norm = Literal[
    "batch",
    "layer",
    "instance",
    "spectral",
    "none",
    "batch+spectral",
    "layer+spectral",
    "instance+spectral",
]
"""Norm layers, spectral norm of the weights, or both."""


class Budget(Settings):
    """How long a cell trains."""

    kimg: PositiveFloat | None = Field(
        default=None, description="thousands of real images shown to D; 100 where nothing is said"
    )
    epochs: PositiveFloat | None = Field(
        default=None, description="times that D is shown all of the data, in whole batches"
    )
    steps: PositiveInt | None = Field(default=None, description="steps of G")

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

    optimizer: OptimizerChoice | None = None
    lr: Rate | None = None
    betas: tuple[ScheduledDecay, ScheduledDecay] | None = None
    weight_decay: Annotated[NonNegativeFloat, SCHEDULED] | None = None
    momentum: Decay | None = None
    eps: PositiveFloat | None = None
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

    batch_size: PositiveInt = 64
    budget: Budget = Budget()
    n_critic: PositiveInt | None = Field(default=None, description="D steps per iteration")
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
    optimizer: OptimizerChoice | None = None
    g_lr: Rate | None = None
    d_lr: Rate | None = None
    betas: tuple[ScheduledDecay, ScheduledDecay] | None = None
    generator: PlayerBlock = PlayerBlock()
    discriminator: PlayerBlock = PlayerBlock()
    init_from: InitFrom | None = Field(
        default=None, description="a trained model to begin with, in place of fresh weights"
    )
    ema: DecayOrHalfLife = Field(
        default=0.999,
        description="decay of the average of G's weights that is evaluated, or its half-life; 0: "
        "none. Batch norm is recalibrated before sampling either way",
    )
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    channels_last: bool = True
    compile: Compile = Field(
        default="none",
        description="torch.compile both networks, D only where no loss differentiates twice; "
        "reduce-overhead captures CUDA graphs",
    )
    log_every: PositiveInt | Literal["epoch"] = Field(
        default=50, description="iterations between two log lines; epoch: at the end of each"
    )


class EvaluationSettings(Settings):
    """How generators are judged, and beside which rows of real images."""

    num_samples: Annotated[int, Field(ge=2)] = 10_000
    controls: tuple[Control, ...] = Field(
        default=("test",), description="rows of real images, right and wrong, to read others by"
    )
    metrics: tuple[MetricChoice, ...] = tuple(
        MetricChoice(name=name) for name in ("fid", "mode-coverage", "cond-accuracy", "throughput")
    )
    samplers: Annotated[tuple[SamplerChoice, ...], Field(min_length=1)] = Field(
        default=(SamplerChoice(name=PLAIN),),
        description="how images are drawn of the trained model: each gives a row of its own",
    )


class CellSettings(Settings):
    """One combination of the matrix."""

    dataset: DatasetChoice
    loss: LossChoice
    regularizers: tuple[LossChoice, ...] = ()
    conditioning: ConditioningChoice
    architecture: ArchitectureChoice
    transforms: tuple[TransformChoice, ...] = Field(default=(), description="of what D sees")
    g_norm: Norm | None = None
    d_norm: Norm | None = None
    training: Training = Training()
    evaluation: EvaluationSettings = EvaluationSettings()


_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)")
_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": f"^{_DURATION.pattern}$"},
        {"type": "null"},
    ]
}


def _seconds(value: Any) -> Any:
    if isinstance(value, str):
        found = _DURATION.fullmatch(value)
        if not found:
            raise ValueError("expected seconds, or a duration like 90s, 30m or 2h")
        return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]
    return value


Seconds = Annotated[
    PositiveFloat | None,
    pydantic.BeforeValidator(_seconds),
    pydantic.WithJsonSchema(_DURATION_SCHEMA),
]


class Execution(Settings):
    """How trials are run; none of it changes what they give."""

    executor: ExecutorChoice = ExecutorChoice(name="local")
    jobs: PositiveInt = Field(default=1, description="trials at once")
    threads: PositiveInt | None = Field(
        default=None, description="of each trial; null: a share of the cores"
    )
    timeout: Seconds = Field(default=None, description="of each trial, in seconds or like 30m")
    checkpoint: Seconds = Field(
        default=600.0, description="time between two checkpoints of a training; null: none"
    )


_FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class GateTolerance(Settings):
    """The change that does not matter: a part of the baseline's median, or an absolute amount."""

    rel: Annotated[float, Field(ge=0)] = 0.0
    abs: Annotated[float, Field(ge=0)] = 0.0

    @pydantic.model_validator(mode="before")
    @classmethod
    def _from_number(cls, value: Any) -> Any:
        number = isinstance(value, int | float) and not isinstance(value, bool)
        return {"rel": value} if number else value


_PART = {"type": "number", "minimum": 0}
_TOLERANCE_SCHEMA = {
    "anyOf": [
        _PART,
        {
            "type": "object",
            "properties": {"rel": _PART, "abs": _PART},
            "additionalProperties": False,
        },
    ]
}


class Gate(Settings):
    """What `ganbench compare` looks at. What is left out comes from the metrics themselves."""

    metrics: tuple[str, ...] | None = Field(
        default=None, description="columns such as fid@mnist-cnn-v1; few: each costs power"
    )
    alpha: Annotated[float, Field(gt=0, lt=1)] = Field(
        default=0.05, description="chance of any false alarm in one comparison"
    )
    tolerances: dict[str, Annotated[GateTolerance, pydantic.WithJsonSchema(_TOLERANCE_SCHEMA)]] = (
        Field(default={}, description="by column: a part of the baseline, or {rel: …, abs: …}")
    )


def _file_name(name: str) -> str:
    if not re.fullmatch(_FILE_NAME, name):
        raise ValueError("expected letters, digits, '.', '_' and '-', as it names a directory")
    return name


def _different(seeds: tuple[int, ...]) -> tuple[int, ...]:
    if len(set(seeds)) < len(seeds):
        raise ValueError("the same seed stands twice")
    return seeds


Seed = Annotated[int, Field(ge=0, lt=2**63)]


class RunSettings(Settings):
    """What belongs to the whole run."""

    version: Literal[1]
    name: Annotated[
        str,
        Field(max_length=80, json_schema_extra={"pattern": _FILE_NAME}),
        pydantic.AfterValidator(_file_name),
    ]
    description: str = ""
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), pydantic.AfterValidator(_different)] = (
        0,
    )
    execution: Execution = Execution()
    reporters: tuple[ReporterChoice, ...] = tuple(
        ReporterChoice(name=name) for name in ("console", "markdown", "csv", "json", "html")
    )
    callbacks: tuple[CallbackChoice, ...] = ()
    gate: Gate = Gate()
    plugins: tuple[str, ...] = Field(
        default=(), description="code to import; refused without --allow-config-plugins"
    )
    on_incompatible: Literal["error", "skip"] = "error"


ALL = "all"
"""As the value of one of the main axes: every installed plugin of that kind."""

AXES = (
    "dataset",
    "loss",
    "regularizers",
    "conditioning",
    "architecture",
    "transforms",
    "g_norm",
    "d_norm",
)
RUN_KEYS = tuple(RunSettings.model_fields)
CELL_KEYS = tuple(CellSettings.model_fields)
TOP_KEYS = (*RUN_KEYS, *CELL_KEYS, "matrix", "profiles")


def section_of(info: Any) -> type[Settings] | None:
    """Return the settings below a key, or None where it is a value or a choice of plugin."""
    kind = getattr(info, "annotation", None)
    sections = (Training, Budget, PlayerBlock, EvaluationSettings, Execution, Gate)
    return kind if isinstance(kind, type) and issubclass(kind, sections) else None
