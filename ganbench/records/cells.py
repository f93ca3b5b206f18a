"""What a plan is made of: cells with nothing left open, and their plugins, built."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache, cached_property
from typing import Any, Literal, get_args

from ganbench.errors import GanbenchError
from ganbench.records.schedules import Schedule
from ganbench.records.training_settings import (
    BY_ITSELF,
    Continued,
    Control,
    Followed,
    HalfLife,
    InitialWeights,
    OwnSettings,
    PlayerName,
    TrainingSettings,
)
from ganbench.util.messages import brief

JudgedLabels = Literal["data", "uniform"]
"""How often samples are drawn for each class: as in the training data, or equally."""

MAIN_AXES = ("dataset", "loss", "conditioning", "architecture")
"""What every cell is made of; a matrix may vary more."""

NAMES = ("label", "axes", "incompatible", "followed")
"""Of a cell's fields, those that are in no id: what tables call it, why it cannot be built, and how
its training is watched."""

JUDGING = (
    "num_samples",
    "metrics",
    "extractors",
    "samplers",
    "judged_labels",
    "judge",
    "sampling_seeds",
)
"""Those that a training knows nothing of. Whatever else comes between it and the numbers belongs
here too."""

SAMPLER = "sampler"
"""The axis that tells apart rows of one training, where any is of another sampler than `plain`."""

CONTINUED = "continued"
"""The axis that tells cells whose training goes on from another run's from those that begin."""

PLAIN = "plain"
"""The sampler that draws latents as they were drawn in training."""


LOSSY = {".jpg", ".jpeg", ".jfif", ".webp", ".heic", ".heif", ".avif"}
"""How files end that change the values of images."""


@dataclass(frozen=True)
class Spec:
    """A plugin with every option spelled out."""

    kind: str
    name: str
    options: dict[str, Any]
    source: str  #: distribution and version
    counted_as: str = ""  #: what ids take for the source; "": the source itself

    @property
    def counted_source(self) -> str:
        """What ids take for the source."""
        return self.counted_as or self.source


@dataclass(frozen=True, kw_only=True)
class JudgeChoice:
    """The classifier that says of samples what classes they are of, in the place of the data's."""

    sha256: str = ""  #: of its weights; "": trained where it is first needed
    recipe: int = 0  #: by which; 0: of a judge that is there
    path: str = ""  #: its folder as the run was planned; in no id


@dataclass(frozen=True)
class Cell:
    """One combination with nothing left open. Equal ids mean comparable numbers."""

    label: str
    axes: dict[str, str]
    dataset: Spec
    loss: Spec
    regularizers: tuple[Spec, ...]
    g_conditioning: Spec
    d_conditioning: Spec
    architecture: Spec
    transforms: tuple[Spec, ...]
    g_norm: str
    d_norm: str
    schedule: TrainingSettings
    num_samples: int
    metrics: tuple[Spec, ...]
    extractors: tuple[Spec, ...]  #: that metrics and the data set's judge use
    incompatible: str | None = None  #: why it cannot be built
    g_optimizer: Spec | None = None  #: None: ganbench's own of the name in `schedule`, as it is
    d_optimizer: Spec | None = None
    samplers: tuple[Spec, ...] = ()  #: `plain` first, where it is one; (): `plain` alone
    followed: Followed = BY_ITSELF
    judged_labels: JudgedLabels = "data"  #: that samples are drawn for, by their shares or uniform
    judge: JudgeChoice | None = None  #: None: the data set's own, if it has one
    sampling_seeds: int = 1  #: how often samples are drawn of each trained model, each by itself

    @cached_property
    def id(self) -> str:
        """The first 10 hex digits of the SHA-256 of the resolved cell as canonical JSON."""
        return _digest(self, without=NAMES)

    @cached_property
    def training_id(self) -> str:
        """The same of what decides the training: equal for cells that only judging tells apart."""
        return _digest(self, without=(*NAMES, *JUDGING))

    def renamed(self, label: str, axes: Mapping[str, str]) -> Cell:
        """Return the same cell, as tables are to call it. Neither is in the id, which is kept."""
        other = replace(self, label=label, axes=dict(axes))
        vars(other)["id"] = self.id
        return other

    def optimizer(self, player: PlayerName) -> Spec:
        """Return a player's optimiser, whose name alone may be all that is said of it."""
        of_player = self.g_optimizer if player == "generator" else self.d_optimizer
        return of_player or Spec("optimizer", self.schedule.of(player, "optimizer"), {}, "")

    def by_sampler(self) -> tuple[Cell, ...]:
        """Return a row's cell for each sampler: its id is that of a cell with this sampler alone.

        Where there is no sampler but `plain`, the cell is the only row.
        """
        if not self.samplers or SAMPLER in self.axes:
            return (self,)
        return tuple(
            replace(
                self,
                label=f"{self.label}/{name}",
                axes={**self.axes, SAMPLER: name},
                samplers=() if spec.name == PLAIN else (spec,),
            )
            for spec, name in zip(self.samplers, self.sampler_names, strict=True)
        )

    @property
    def sampler_names(self) -> tuple[str, ...]:
        """What tables call each sampler: with the options that tell it from others of its name."""
        return tuple(_told_from(spec, self.samplers) for spec in self.samplers)

    @property
    def times_judged(self) -> int:
        """How often samples of one trained model are drawn and judged, all samplers together."""
        return max(1, len(self.samplers)) * self.sampling_seeds

    @property
    def losses(self) -> tuple[Spec, ...]:
        """The adversarial loss, then the regularizers."""
        return (self.loss, *self.regularizers)

    def trained_specs(self) -> Iterator[Spec]:
        """Yield the plugins that take part in training."""
        yield from self.losses
        yield self.g_conditioning
        yield self.d_conditioning
        yield self.architecture
        yield from self.transforms
        yield from filter(None, (self.g_optimizer, self.d_optimizer))

    def specs(self) -> Iterator[Spec]:
        """Yield every plugin of the cell."""
        yield self.dataset
        yield from self.trained_specs()
        yield from self.metrics
        yield from self.extractors
        yield from self.samplers


@dataclass(frozen=True)
class Samples:
    """Images that this run did not make, to be judged beside its own."""

    source: Spec  #: of kind `dataset`, which reads them, or `model`, which draws them
    sha256: str  #: of images and labels as they are judged; "" of a model, whose weights tell
    told: dict[str, Any]  #: how they were read, as protocols say it

    @property
    def place(self) -> str:
        """Where they lie, or the model that draws them."""
        return str(self.source.options.get("path", self.source.name))


@dataclass(frozen=True)
class Reference:
    """Images that no cell makes, judged like a generator's: real ones, to read the others by.

    Or samples from elsewhere, where there are `samples` in the place of a control.
    """

    label: str
    axes: dict[str, str]
    control: Control | None
    dataset: Spec
    num_samples: int
    metrics: tuple[Spec, ...]
    samples: Samples | None = None
    judge: JudgeChoice | None = None

    @cached_property
    def id(self) -> str:
        """The first 10 hex digits of the SHA-256 of the row as canonical JSON."""
        return _digest(self, without=NAMES)

    @property
    def about(self) -> str:
        """Where the samples of a row are from and what is not known of them; "" of real images."""
        if self.samples is None:
            return ""
        told, count = self.samples.told, self.num_samples
        part = f" of {told['of']:,}" if told.get("of", count) != count else ""
        lossy = ", ".join(sorted({*told.get("files", ())} & LOSSY))
        losses = f"; {lossy} files are lossy, which is in every number" if lossy else ""
        return (
            f"{self.label}: {count:,}{part} images from {self.samples.place}; what made them is "
            f"not known here, and such rows are not ranked{losses}."
        )


@dataclass(frozen=True)
class Plan:
    """What a run will do: every cell and reference, the seeds of the cells, and the device."""

    name: str  #: of the benchmark
    cells: tuple[Cell, ...]
    references: tuple[Reference, ...]
    seeds: tuple[int, ...]
    device: str
    seeds_of: dict[str, tuple[int, ...]] = field(default_factory=dict)
    """By cell's id, of a merged run, in which not every cell has every seed; else empty."""

    @property
    def processes(self) -> int:
        """How many train a cell together."""
        return max((cell.schedule.processes for cell in self.cells), default=1)

    @cached_property
    def id(self) -> str:
        """Changes when what will be run changes."""
        parts: list[object] = [*(c.id for c in self.cells), *(r.id for r in self.references)]
        parts += self.seeds
        if self.seeds_of:
            parts.append(json.dumps(self.seeds_of, sort_keys=True))
        text = json.dumps([self.name, self.device, *parts])
        return hashlib.sha256(text.encode()).hexdigest()[:10]


COUNTED_OFF_DEFAULT = (
    Spec,
    TrainingSettings,
    OwnSettings,
    HalfLife,
    InitialWeights,
    Continued,
    JudgeChoice,
    Cell,
    Reference,
)
"""Records of ours, whose fields that have a default came later."""

UNCOUNTED = {
    Spec: ("counted_as",),
    InitialWeights: ("model",),
    JudgeChoice: ("path",),
    Continued: ("cell", "label", "run"),
}
"""Fields that are no setting: where a model lay that a training began with, say."""


def label(axes: Mapping[str, str], several_datasets: bool = False) -> str:
    """Join the values of the axes; the data set's only where there are several."""
    shown = (v for axis, v in axes.items() if several_datasets or axis != "dataset")
    return "/".join(shown)


def axis_word(axis: str) -> str:
    """Return what tables call an axis: g_lr of training.g_lr, generator.lr of a player's own."""
    *sections, word = axis.split(".")
    return f"{sections[-1]}.{word}" if sections and sections[-1] in get_args(PlayerName) else word


def _told_from(spec: Spec, all_of_them: Sequence[Spec]) -> str:
    named = [other.options for other in all_of_them if other.name == spec.name]
    differing = [
        f"{key}={brief(value)}"
        for key, value in spec.options.items()
        if any(options.get(key) != value for options in named)
    ]
    return f"{spec.name}({','.join(differing)})" if differing else spec.name


def slug(text: str) -> str:
    """Return a text as a part of a file name: letters, digits and dots, at most 80 of them."""
    return re.sub(r"[^A-Za-z0-9.]+", "-", text).strip("-.")[:80]


def networks_key(cell: Cell) -> str:
    """Return a text that is the same for cells whose networks are the same before training."""
    parts = [cell.dataset, *cell.trained_specs(), cell.g_norm, cell.d_norm]
    return canonical_json(parts, cell.label)


def pace_key(cell: Cell) -> str:
    """Return a text that is the same for cells of which an image takes the same time to train."""
    schedule = cell.schedule
    alike = replace(
        schedule,
        kimg=0,
        g_lr=0,
        d_lr=0,
        betas=(0, 0),
        ema=bool(schedule.ema),
        log_every=1,
        continues=None,
    )
    looks = len(cell.followed.probes) + len(cell.followed.frames)  # which take time on the way
    per_kimg = f" {looks / cell.schedule.kimg:.3g} looks" if looks else ""
    return f"{networks_key(cell)} {alike}{per_kimg}"


def _digest(value: Cell | Reference, without: Sequence[str]) -> str:
    counted = {name: part for name, part in counted_of(value).items() if name not in without}
    return hashlib.sha256(canonical_json(counted, value.label).encode()).hexdigest()[:10]


def canonical_json(value: Any, label: str) -> str:
    """Return what ids are digests of, dataclasses as the mappings of what counts in them.

    Raises GanbenchError with the cell's `label` where an option is not plain data.
    """
    try:
        return json.dumps(value, sort_keys=True, allow_nan=False, default=counted_of)
    except TypeError as error:
        raise GanbenchError(f"an option of cell {label} is not plain data: {error}") from error


def counted_of(value: Any) -> dict[str, Any]:
    """Return what ids count of a dataclass, one level deep.

    What a record of ours was made of at first has no default. A field that came later has one, and
    left at it changes no id.
    """
    found = settings_of(value)
    if not isinstance(value, COUNTED_OFF_DEFAULT):
        return found
    defaults = _defaults(type(value))  # type: ignore[arg-type]
    return {name: part for name, part in found.items() if part != defaults[name]}


def settings_of(value: Any) -> dict[str, Any]:
    """Return a dataclass as a mapping, one level deep; a spec's source as ids count it."""
    uncounted = [
        name for cls, names in UNCOUNTED.items() if isinstance(value, cls) for name in names
    ]
    found = {name: part for name, part in fields_of(value).items() if name not in uncounted}
    if isinstance(value, Spec):
        found["source"] = value.counted_source
    return found


def settings_as_json(cell: Cell) -> dict[str, Any]:
    """Return a resolved cell as JSON has it, without its names, for saying what differs."""
    counted = {name: part for name, part in counted_of(cell).items() if name not in NAMES}
    found: dict[str, Any] = json.loads(json.dumps(counted, default=settings_of))
    return found


def fields_of(value: Any) -> dict[str, Any]:
    """Return a dataclass as a mapping, one level deep. Raises TypeError where it is none.

    It is what JSON makes of values that it does not know. A schedule is as a file says it.
    """
    if isinstance(value, Schedule):
        return value.plain()
    if not dataclasses.is_dataclass(value):
        raise TypeError(f"{value!r} is of type {type(value).__name__}")
    return {name: getattr(value, name) for name in _defaults(type(value))}  # type: ignore[arg-type]


def as_written(value: Any) -> Any:
    """Return a record as files hold it: dataclasses as mappings, schedules as files say them."""
    if isinstance(value, dict):
        return {key: as_written(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [as_written(part) for part in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return as_written(fields_of(value))
    return value


@cache
def _defaults(cls: type) -> dict[str, Any]:
    """Return the default of each field of a dataclass, or MISSING."""
    return {one.name: one.default for one in dataclasses.fields(cls)}
