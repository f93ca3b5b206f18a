"""What was asked of a run, of what versions and on what machine, as run.json holds it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from ganbench.records.results import SCHEMA_VERSION, DataSeen, Gpu


@dataclass(frozen=True)
class PluginChoice:
    """A plugin by its name, with the options that were given."""

    name: str
    options: dict[str, Any] = field(default_factory=dict)


Kept = Literal["model", "pictures", "numbers"]
"""What a trial leaves on disk, each with those after it."""


@dataclass(frozen=True)
class Execution:
    """How trials are run."""

    executor: PluginChoice = PluginChoice("local")
    jobs: int = 1  #: trials at a time
    threads: int = 1  #: of each
    timeout: float | None = None  #: seconds of one trial
    checkpoint: float | None = None  #: seconds between two
    plugins: tuple[str, ...] = ()  #: of --plugin
    callbacks: tuple[PluginChoice, ...] = ()
    keep: Kept = "model"  #: of a trial that is done
    keep_state: bool = False  #: of each training that ended, to be gone on from
    named_device: bool = False  #: whether one GPU was asked for by its number
    own_gpus: bool = False  #: whether each of the trials at a time has GPUs to itself
    jobs_reason: str = ""  #: why so many at a time; empty where they were asked for

    @property
    def alone(self) -> bool:
        """Whether each trial has its device to itself."""
        return self.jobs == 1 or self.own_gpus


@dataclass(frozen=True)
class Machine:
    """The hardware, and how busy it was when the run began."""

    platform: str = ""
    cpu: str = ""
    cores: int | None = None  #: that the run may use
    memory_bytes: int | None = None
    device: str = ""
    device_name: str = ""
    gpu: Gpu | None = None
    auto_precision: str = ""  #: what `precision: auto` is there, and why
    load_average: float | None = None  #: of a minute


@dataclass(frozen=True)
class GitState:
    """The commit that a folder was at, and whether it had changes."""

    commit: str
    dirty: bool


@dataclass(frozen=True)
class Provenance:
    """What a run must remember to be defended: versions, commits and arguments."""

    ganbench: str = ""
    python: str = ""
    packages: dict[str, str | None] = field(default_factory=dict)  #: versions; None: not there
    plugins: tuple[str, ...] = ()
    failed_plugins: dict[str, str] = field(default_factory=dict)  #: and why
    argv: tuple[str, ...] = ()
    git: dict[str, GitState | None] = field(default_factory=dict)  #: of ganbench and the benchmark
    weights: dict[str, str] = field(default_factory=dict)  #: fingerprints by feature extractor


@dataclass(frozen=True)
class Part:
    """One of the runs that a merged run is of."""

    id: str = ""
    name: str = ""  #: of its benchmark
    created: str = ""
    config_sha256: str = ""
    profile: str | None = None
    overrides: tuple[str, ...] = ()
    threads: int = 1
    jobs: int = 1  #: trials at a time, as it ran them
    own_gpus: bool = False
    jobs_reason: str = ""
    machine: Machine = Machine()
    provenance: Provenance = Provenance()
    platform: str = ""  #: as tables call it
    trials: tuple[str, ...] = ()  #: their ids in the merged run


@dataclass(frozen=True)
class Decision:
    """A pair of variants that is decided, and at how many seeds of each."""

    better: str
    worse: str
    seeds: int
    p: float


@dataclass(frozen=True)
class Bought:
    """How far a run is that buys seeds until its variants are told apart."""

    plan: str  #: the id of the plan that it began with
    metric: str  #: by which it decides
    sizes: tuple[int, ...]  #: the numbers of seeds at which it looks
    pairs: int  #: of variants
    alpha: float
    look: int = 0  #: the next one, of `sizes`
    decisions: tuple[Decision, ...] = ()


@dataclass(frozen=True)
class RunInfo:
    """All that run.json says. What a file lacks is at its default; what it has more is ignored."""

    schema_version: int = SCHEMA_VERSION
    id: str = ""
    name: str = ""  #: of the benchmark
    plan: str = ""  #: its id
    created: str = ""  #: as ISO 8601 has it, UTC
    cwd: str = "."  #: where relative paths begin
    config: str = ""  #: the benchmark file
    config_sha256: str = ""
    extends: str | None = None  # the file that the benchmark file is laid over
    profile: str | None = None
    overrides: tuple[str, ...] = ()
    execution: Execution = Execution()
    gate: dict[str, Any] = field(default_factory=dict)  #: of the benchmark file
    reporters: tuple[PluginChoice, ...] = ()
    machine: Machine = Machine()
    provenance: Provenance = Provenance()
    data: dict[str, DataSeen] = field(default_factory=dict)  #: by data set, once trials saw it
    parts: tuple[Part, ...] = ()  #: of a merged run, the runs that it is of
    reused: dict[str, str] = field(default_factory=dict)
    """By trial's id, of those that were not trained here, the run that they are from."""
    decided: tuple[str, ...] = ()  #: a sentence on each pair for which seeds were bought
    bought: Bought | None = None  #: of a run that buys seeds, from its first look on
    left_out: tuple[str, ...] = ()  #: of a merged run, a sentence on each thing it could not take
