"""The shape of a benchmark file: its keys, their types, limits and defaults."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

import pydantic
from pydantic import Field, PositiveFloat, PositiveInt

from ganbench.config.choices import (
    ArchitectureChoice,
    CallbackChoice,
    ConditioningChoice,
    DatasetChoice,
    ExecutorChoice,
    LossChoice,
    MetricChoice,
    ReporterChoice,
    SamplerChoice,
    TransformChoice,
)
from ganbench.config.settings import Settings
from ganbench.config.training_schema import AmountOfTraining, Budget, PlayerBlock, Training
from ganbench.records.cells import PLAIN, JudgedLabels
from ganbench.records.run_info import Kept
from ganbench.records.schedules import MOST
from ganbench.records.training_settings import Control

MOST_AT_ONCE = 10_000  # trials, and threads
MOST_IMAGES = 10**9
MOST_FRAMES = 1000  # that one trial keeps
MOST_DRAWS = 1000  # of samples, of one trained model

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


Moments = Annotated[
    tuple[Annotated[PositiveFloat, Field(le=MOST)], ...],
    Field(min_length=1, max_length=MOST_FRAMES),
]


class Frames(Settings):
    """Moments at which a picture of the fixed latents is kept, in one unit."""

    kimg: Moments | None = Field(default=None, description="at each of these, such as [10, 100]")
    epochs: Moments | None = Field(default=None, description="after each of these")
    steps: Moments | None = Field(default=None, description="after each of these steps of G")
    every: AmountOfTraining | None = Field(
        default=None, description="at each multiple of it, such as {epochs: 1}"
    )

    def given(self) -> dict[str, Any]:
        """Return what is given, by its key: nothing, or one of the four."""
        return {key: value for key, value in vars(self).items() if value is not None}

    @pydantic.model_validator(mode="after")
    def _of_one_unit(self) -> Frames:
        if len(given := self.given()) > 1:
            raise ValueError(
                f"frames are told in one way, and these in {' and '.join(given)}; leave one out, "
                "or make it null where it lies below a profile or --set"
            )
        return self


class EvaluationSettings(Settings):
    """How generators are judged, and beside which rows of real images."""

    num_samples: Annotated[int, Field(ge=2, le=MOST_IMAGES)] = Field(
        default=10_000, description="images that are drawn of each trained generator and judged"
    )
    controls: tuple[Control, ...] = Field(
        default=("test",), description="rows of real images, right and wrong, to read others by"
    )
    metrics: tuple[MetricChoice, ...] = Field(
        default=tuple(
            MetricChoice(name=n) for n in ("fid", "mode-coverage", "cond-accuracy", "throughput")
        ),
        description="numbers of the table, such as fid@mnist-cnn-v1",
    )
    samplers: Annotated[tuple[SamplerChoice, ...], Field(min_length=1)] = Field(
        default=(SamplerChoice(name=PLAIN),),
        description="how images are drawn of the trained model: each gives a row of its own",
    )
    sampling_seeds: Annotated[int, Field(ge=1, le=MOST_DRAWS)] = Field(
        default=1,
        description="how often samples are drawn of each trained model, each time by other random "
        "streams: from two on, tables tell the spread of sampling from that of training",
    )
    judge: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description="of samples' classes: the folder of `ganbench judge train`, or auto, which "
        "trains one once and keeps it; null: the data set's own",
    )
    frames: Frames = Field(
        default=Frames(), description="moments at which a picture of the fixed latents is kept"
    )
    labels: JudgedLabels = Field(
        default="data",
        description="that samples are drawn for: as often as in the data, or uniform over classes",
    )
    every: AmountOfTraining | None = Field(
        default=None,
        description="measure cheap columns and draw the fixed latents at each multiple of it while "
        "a cell trains, such as 20 kimg or {epochs: 1}",
    )


class CellSettings(Settings):
    """One combination of the matrix."""

    dataset: DatasetChoice = Field(description="what is learnt")
    loss: LossChoice = Field(description="what both players minimise")
    regularizers: tuple[LossChoice, ...] = Field(
        default=(), description="terms beside the loss, such as gradient-penalty"
    )
    conditioning: ConditioningChoice = Field(description="how labels enter both players, or none")
    architecture: ArchitectureChoice = Field(description="the networks of both players")
    transforms: tuple[TransformChoice, ...] = Field(default=(), description="of what D sees")
    g_norm: Norm | None = Field(default=None, description="norm layers of G")
    d_norm: Norm | None = Field(default=None, description="norm layers of D")
    training: Training = Field(default=Training(), description="how cells train")
    evaluation: EvaluationSettings = Field(
        default=EvaluationSettings(), description="how generators are judged"
    )


_DURATION = re.compile(r"(\d+(?:\.\d+)?)\s*(s|m|h)")
_DURATION_SCHEMA = {
    "anyOf": [
        {"type": "number", "exclusiveMinimum": 0},
        {"type": "string", "pattern": f"^{_DURATION.pattern}$"},
        {"type": "null"},
    ]
}


def seconds(value: Any) -> Any:
    """Return a duration like 90s, 30m or 2h in seconds, and what is no text as it is.

    Raises ValueError for any other text.
    """
    if isinstance(value, str):
        found = _DURATION.fullmatch(value)
        if not found:
            raise ValueError("expected seconds, or a duration like 90s, 30m or 2h")
        return float(found[1]) * {"s": 1, "m": 60, "h": 3600}[found[2]]
    return value


Seconds = Annotated[
    PositiveFloat | None,
    pydantic.BeforeValidator(seconds),
    pydantic.WithJsonSchema(_DURATION_SCHEMA),
]


class Execution(Settings):
    """How trials are run; `processes` changes what they give, and `threads` its last digits."""

    executor: ExecutorChoice = Field(
        default=ExecutorChoice(name="local"), description="what trials are started by"
    )
    jobs: Annotated[PositiveInt, Field(le=MOST_AT_ONCE)] | Literal["auto"] | None = Field(
        default=None,
        description="trials at once; auto: one for each free GPU, or as many as are fastest on "
        "the cores; null: auto where no column is time, speed or memory, else 1",
    )
    threads: PositiveInt | None = Field(
        default=None, le=MOST_AT_ONCE, description="of each trial; null: a share of the cores"
    )
    processes: PositiveInt = Field(
        default=1,
        le=MOST_AT_ONCE,
        description="that train each cell together, each on a GPU of its own where there are GPUs, "
        "with an equal share of every batch; counts in ids",
    )
    timeout: Seconds = Field(default=None, description="of each trial, in seconds or like 30m")
    checkpoint: Seconds = Field(
        default=600.0, description="time between two checkpoints of a training; null: none"
    )
    keep: Kept = Field(
        default="model",
        description="what a trial that is done leaves on disk: model, with pictures and numbers; "
        "pictures, with numbers; or numbers",
    )
    keep_state: bool = Field(
        default=False,
        description="keep the state of each training that ended, which `run --continue` goes on "
        "from; several times as large as a model",
    )


_FILE_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]*$"


class GateTolerance(Settings):
    """The change that does not matter: a part of the baseline's median, or an absolute amount."""

    rel: Annotated[float, Field(ge=0)] = Field(default=0.0, description="a part of the median")
    abs: Annotated[float, Field(ge=0)] = Field(default=0.0, description="in the number's own unit")

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

    version: Literal[1] = Field(description="of the format")
    name: Annotated[
        str,
        Field(max_length=80, json_schema_extra={"pattern": _FILE_NAME}),
        pydantic.AfterValidator(_file_name),
    ] = Field(description="of the run's folder and its baselines")
    description: str = Field(default="", description="a sentence for readers of tables")
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1), pydantic.AfterValidator(_different)] = (
        Field(default=(0,), description="each cell is trained once with each")
    )
    execution: Execution = Field(default=Execution(), description="how trials are run")
    reporters: tuple[ReporterChoice, ...] = Field(
        default=tuple(
            ReporterChoice(name=name) for name in ("console", "markdown", "csv", "json", "html")
        ),
        description="what shows or writes the table",
    )
    callbacks: tuple[CallbackChoice, ...] = Field(
        default=(), description="what is told of each trial's progress"
    )
    gate: Gate = Field(default=Gate(), description="what `ganbench compare` looks at")
    plugins: tuple[str, ...] = Field(
        default=(), description="code to import; refused without --allow-config-plugins"
    )
    on_incompatible: Literal["error", "skip"] = Field(
        default="error", description="skip: cells that cannot be built become rows with the reason"
    )


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
EXTENDS = "extends"
TOP_KEYS = (EXTENDS, *RUN_KEYS, *CELL_KEYS, "matrix", "profiles")


def section_of(info: Any) -> type[Settings] | None:
    """Return the settings below a key, or None where it is a value or a choice of plugin."""
    kind = getattr(info, "annotation", None)
    sections = (Training, Budget, PlayerBlock, EvaluationSettings, Frames, Execution, Gate)
    return kind if isinstance(kind, type) and issubclass(kind, sections) else None
