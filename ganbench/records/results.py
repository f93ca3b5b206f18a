"""What came of a trial, as result.json holds it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import pydantic

from ganbench.records import stored
from ganbench.records.columns import Column
from ganbench.records.status import Status
from ganbench.records.windows import Probe, Timings
from ganbench.util import files, sealed
from ganbench.util.messages import shown

SCHEMA_VERSION = 1  # of run.json and result.json
ENOUGH_ITERATIONS = 400
"""Of a shorter training a diagnosis says little: D is ahead at first, and no G has spread its
samples yet. Whether it diverged, whether D was always right and whether all samples are one image
is said of any."""
_COLUMN = tuple(one.name for one in fields(Column))


@dataclass(frozen=True)
class MetricValue:
    """One number with everything needed to defend it, or the reason why there is none."""

    column: Column
    value: float | None
    protocol: str = ""  #: its id
    reason: str = ""
    classes: dict[str, float] = field(default_factory=dict)  #: what it is made of, by class
    which: str = ""  #: the class that decides it, such as the worst
    draws: tuple[float | None, ...] = ()  #: of each sampling seed, where several; the value: a mean


@dataclass(frozen=True)
class Finding:
    """One trouble of a training, with the numbers it was seen in."""

    kind: str  #: such as mode-collapse
    title: str
    seen: str
    remedies: tuple[str, ...]


@dataclass(frozen=True)
class DataSeen:
    """The real images that samples were compared with."""

    sha256: str
    num_images: int = 0
    problems: tuple[str, ...] = ()  #: files that were left out
    remarks: tuple[str, ...] = ()  #: what may be wrong with the images or labels


@dataclass(frozen=True)
class TrainingCounts:
    """How long a training was. `images` counts real images shown to the discriminator."""

    images: int
    iterations: int = 0
    g_updates: int = 0
    d_updates: int = 0


@dataclass(frozen=True)
class Parameters:
    """The sizes of the networks, in weights."""

    generator: int
    discriminator: int


@dataclass(frozen=True)
class Gpu:
    """A GPU of NVIDIA's, and what torch was told to do on it. What is not known is empty."""

    uuid: str = ""
    name: str = ""
    capability: str = ""  #: as `9.0`
    memory_bytes: int = 0
    driver: str = ""
    cuda: str = ""  #: that torch was built for
    cudnn: int = 0
    flags: dict[str, Any] = field(default_factory=dict)  #: of torch


@dataclass(frozen=True)
class Environment:
    """What a worker ran on."""

    ganbench: str = ""
    torch: str = ""
    python: str = ""
    device: str = ""
    threads: int = 0
    allocator: str = ""  #: GLIBC_TUNABLES
    gpu: Gpu | None = None


@dataclass(frozen=True)
class SamplerResult:
    """What came of another sampler's images than those of the trial's first one."""

    metrics: tuple[MetricValue, ...] = ()
    metric_seconds: dict[str, float] = field(default_factory=dict)
    samples_per_second: float | None = None
    drawn: str = ""  #: SHA-256 of its images and labels


@dataclass(frozen=True)
class TrialResult:
    """All that is known of how a trial went. What does not apply, or is lost, is at its default."""

    schema_version: int = SCHEMA_VERSION
    status: Status = Status.UNFINISHED
    reason: str = ""  #: why it is not ok
    cause: str = ""  #: what kind of end that is, where it is known: `out-of-memory`
    metrics: tuple[MetricValue, ...] = ()
    protocols: dict[str, dict[str, Any]] = field(default_factory=dict)  #: by id
    data: DataSeen | None = None
    metric_seconds: dict[str, float] = field(default_factory=dict)
    errors: tuple[str, ...] = ()  #: of metrics that raised, whose columns have no value
    diagnosis: tuple[Finding, ...] = ()
    probes: tuple[Probe, ...] = ()  #: that metrics watch
    followed: tuple[Probe, ...] = ()  #: of `evaluation.every`
    resumed_at_kimg: float | None = None  #: None: it ran in one go
    training: TrainingCounts | None = None  #: of a whole one
    parameters: Parameters | None = None
    timings: Timings | None = None
    seconds: dict[str, float] = field(default_factory=dict)  #: of each part, and in `total`
    environment: Environment | None = None
    samplers: dict[str, SamplerResult] = field(default_factory=dict)  #: by name, beside the first
    drawn: str = ""
    """SHA-256 of the images and labels that were judged, by the first sampler; of several draws
    that of their digests."""

    @property
    def too_short_to_diagnose(self) -> bool:
        """Whether the training was too short for most of what a diagnosis looks for."""
        return self.training is not None and 0 < self.training.iterations < ENOUGH_ITERATIONS

    def of_sampler(self, name: str) -> TrialResult:
        """Return the result with the numbers of one of `samplers` in the place of the first's."""
        found = self.samplers.get(name, SamplerResult())  # of a trial that came to nothing, none
        timings = self.timings and replace(
            self.timings, samples_per_second=found.samples_per_second
        )
        return replace(
            self,
            metrics=found.metrics,
            metric_seconds=found.metric_seconds,
            timings=timings,
            diagnosis=(),  # of the training, which the first row tells
            drawn=found.drawn,
        )

    def with_added(self, added: TrialResult) -> TrialResult:
        """Return the result with columns that were measured later, where it has no values."""
        samplers = {
            name: replace(
                one,
                metrics=_filled(one.metrics, added.samplers[name].metrics),
                metric_seconds={**added.samplers[name].metric_seconds, **one.metric_seconds},
            )
            if name in added.samplers
            else one
            for name, one in self.samplers.items()
        }
        return replace(
            self,
            metrics=_filled(self.metrics, added.metrics),
            metric_seconds={**added.metric_seconds, **self.metric_seconds},
            protocols=added.protocols | self.protocols,
            samplers=samplers,
        )

    def numbers(self) -> Iterator[MetricValue]:
        """Yield the metrics' values, and counts and durations in the same form."""
        yield from self.metrics
        if counts := self.training:
            yield MetricValue(KIMG, counts.images / 1000)
            yield MetricValue(G_UPDATES, counts.g_updates)
            yield MetricValue(D_UPDATES, counts.d_updates)
        if self.parameters:
            yield MetricValue(G_PARAMETERS, self.parameters.generator)
            yield MetricValue(D_PARAMETERS, self.parameters.discriminator)
        if "total" in self.seconds:
            yield MetricValue(SECONDS, self.seconds["total"])

    def plain(self) -> dict[str, Any]:
        """Return the result as result.json holds it; without a training, what is empty is out."""
        found = asdict(self)
        found["status"] = self.status.value
        for part in (found, *found["samplers"].values()):
            part["metrics"] = [_flat(one) for one in part["metrics"]]
        for name in ("samplers", "drawn", "cause"):
            if not found[name]:
                del found[name]
        if self.environment and not self.environment.gpu:
            del found["environment"]["gpu"]
        if self.timings and not self.timings.without_graph:
            del found["timings"]["without_graph"]
        if self.data and not self.data.remarks:
            del found["data"]["remarks"]
        if self.training is None:
            found = {k: v for k, v in found.items() if v or k in ("status", "reason")}
        return found


def _filled(
    measured: tuple[MetricValue, ...], added: tuple[MetricValue, ...]
) -> tuple[MetricValue, ...]:
    """Return what was measured, with added columns in the place of those without a value."""
    later = {one.column.name: one for one in added}
    kept = tuple(later.pop(one.column.name, one) if one.value is None else one for one in measured)
    there = {one.column.name for one in kept}
    return (*kept, *(one for name, one in later.items() if name not in there))


def _flat(number: dict[str, Any]) -> dict[str, Any]:
    """Return a metric's value as files have it, without what is known of few of them."""
    of_few = {key: number.pop(key) for key in ("classes", "which", "draws")}
    return {**number.pop("column"), **number, **{k: v for k, v in of_few.items() if v}}


def protocol_id(protocol: Any) -> str:
    """Return the id of a protocol, which is a digest of all that it says."""
    text = json.dumps(protocol, sort_keys=True, allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _count(name: str, unit: str = "") -> Column:
    return Column(name, unit, kind="count", gated=True)


KIMG = _count("kimg", "kimg")
G_UPDATES, D_UPDATES = map(_count, ("g-updates", "d-updates"))
G_PARAMETERS, D_PARAMETERS = map(_count, ("g-parameters", "d-parameters"))
SECONDS = Column("seconds", "s", kind="timing")


def write(path: Path, result: TrialResult) -> None:
    """Write the file that `read` reads, with a SHA-256 by which it knows it again."""
    sealed.write_json(path, result.plain())


def read(*paths: Path) -> TrialResult:
    """Return what the first of these files that is there and whole says.

    A damaged part costs only itself: it is at its default, and the reason says what is wrong. Where
    no file is there, the trial is unfinished; where none is whole, its reason says so too.
    """
    damaged = []
    for path in paths:
        try:
            found = files.parse_json(files.read_bytes(path))
            if sealed.is_as_written(found):
                return _parsed(path, found)
            damaged.append(f"{path}: not as it was written: its SHA-256 is another")
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            damaged.append(f"{path}: cannot be read: {error.strerror}")
        except ValueError:
            damaged.append(f"{path}: expected a whole JSON document, found a damaged file")
    return TrialResult(reason="; ".join(damaged))


def parsed(found: Any) -> TrialResult:
    """Return a result of its JSON. Raises pydantic.ValidationError where it is none."""
    return stored.typed(TrialResult, _as_typed(found))


def _as_typed(found: Any) -> Any:
    """Return a result with the columns of all its metrics set apart."""
    found = _with_columns(found)
    if isinstance(found, dict) and isinstance(samplers := found.get("samplers"), dict):
        parts = {name: _with_columns(part) for name, part in samplers.items()}
        found = {**found, "samplers": parts}
    return found


def _parsed(path: Path, found: Any) -> TrialResult:
    if not isinstance(found, dict):
        return TrialResult(reason=f"{path}: expected a mapping, found {type(found).__name__}")
    if (version := found.get("schema_version", SCHEMA_VERSION)) != SCHEMA_VERSION:
        return TrialResult(
            reason=f"{path}: of schema version {shown(version)}, and this ganbench reads "
            f"{SCHEMA_VERSION}; use the version that wrote it"
        )
    found = _as_typed(found)
    wrong = [] if "status" in found else ["'status' is missing"]
    try:
        whole = stored.typed(TrialResult, found)
    except pydantic.ValidationError as error:
        # Files have what belongs to a metric's column beside its value.
        wrong += [
            text.replace(".column.", ".") for text in stored.problems(TrialResult, found, error)
        ]
        whole = stored.typed(TrialResult, _without(found, error))
    if not wrong:
        return whole
    told = f"{path}: {'; '.join(wrong)}"
    return replace(whole, reason="; ".join(filter(None, [whole.reason, told])))


def _without(found: dict[str, Any], error: pydantic.ValidationError) -> dict[str, Any]:
    """Leave out what is broken: of the metrics those alone, of all else the whole part."""
    places = [one["loc"] for one in error.errors(include_url=False)]
    metrics = {place[1] for place in places if place[0] == "metrics" and len(place) > 1}
    parts = {place[0] for place in places if place[0] != "metrics" or len(place) == 1}
    kept = {key: value for key, value in found.items() if key not in parts}
    if metrics and "metrics" in kept:
        kept["metrics"] = [m for i, m in enumerate(found["metrics"]) if i not in metrics]
    return kept


def _with_columns(found: Any) -> Any:
    """Return a copy of what has `metrics`, each as `_with_column` gives it."""
    if not isinstance(found, dict) or not isinstance(metrics := found.get("metrics"), list):
        return found
    return {**found, "metrics": [_with_column(one) for one in metrics]}


def _with_column(found: Any) -> Any:
    """Return a value as files have it, flat, with what belongs to its column set apart."""
    if not isinstance(found, dict):
        return found
    return {**found, "column": {key: found[key] for key in _COLUMN if key in found}}
