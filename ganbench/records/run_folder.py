"""What stands in a run's directory, and how it is read back.

run.json               what was asked, of what versions, on what machine
config.source.yaml     the benchmark file as it was
config.parent.yaml     the one that it extends, where it does
config.resolved.yaml   with the profile and the overrides merged in
plan.json              every cell, resolved
data.json              the data that the trials have seen; others are refused
trials/ID/trial.json   what one worker was told
trials/ID/metrics.jsonl  a line per window of the training; of a long one that is open,
                       window.json has the means so far
trials/ID/probes.jsonl  a line per moment at which numbers were taken on the way
trials/ID/result.json  what came of it; end.json instead, when a worker died, or beside it, when
                       that was in a metric, and the numbers before it are kept
trials/ID/job.json     of a trial that is at work on a cluster: the job, for whoever resumes the run
trials/ID/added.json   columns that were measured later, of samples drawn again, and by what
trials/ID/samplers/NAME  pictures of what other samplers than `plain` drew
trials/ID/checkpoint.pt  of a training that has not ended: `resume` goes on from there
trials/ID/state.pt     of one that has, where `execution.keep_state` asks for it: `run --continue`
                       goes on from there
results.csv            one line per trial and number; table.* the summary
parts/ID/              of a merged run, what each of the runs that it is of had beside its trials
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import pydantic

from ganbench.errors import RunError
from ganbench.records import additions, platforms, results, stored, windows
from ganbench.records.additions import Addition
from ganbench.records.cells import PLAIN, SAMPLER, Cell, Plan, Reference, as_written, slug
from ganbench.records.columns import Column
from ganbench.records.results import SCHEMA_VERSION, DataSeen, MetricValue, TrialResult
from ganbench.records.run_info import Execution, Part, PluginChoice, RunInfo
from ganbench.records.status import Status
from ganbench.records.windows import Window
from ganbench.util import files, sealed
from ganbench.util.messages import shown

if TYPE_CHECKING:
    import pandas as pd

RUN, PLAN, TRIALS = "run.json", "plan.json", "trials"
SOURCE, PARENT = "config.source.yaml", "config.parent.yaml"
RESOLVED = "config.resolved.yaml"
TRIAL, RESULT, END, WINDOWS = "trial.json", "result.json", "end.json", "metrics.jsonl"
OPEN_WINDOW = "window.json"  # while a trial trains
PROBES = "probes.jsonl"  # where `evaluation.every` asks for any
LOG = "worker.log"
JOB = "job.json"  # where it runs, of a trial that outlives its run's command
FORESEEN = "foreseen.json"  # what the result is if the metric that is at work ends the process
STATE = "state.pt"  # where `execution.keep_state` asks for it
MOST_BRACKETS = 100  # in a description

_DESCRIPTION = re.compile(r"^description:.{0,20000}(?:\n(?:[ \t].{0,20000})?){0,500}", re.MULTILINE)

T = TypeVar("T")
COLUMNS = (
    "run",
    "cell",
    "label",
    "dataset",
    "loss",
    "conditioning",
    "architecture",
    "seed",
    "status",
    "metric",
    "value",
    "unit",
    "direction",
    "protocol",
    "reason",
    "sampler",
    "training",
    "platform",
)


@dataclass(frozen=True)
class _Axes:
    """Of a cell in plan.json, what tables call its parts."""

    axes: dict[str, str]


@dataclass(frozen=True)
class _Cells:
    """Of plan.json, the cells."""

    cells: tuple[_Axes, ...]


@dataclass(frozen=True)
class Trial:
    """What a worker is told: a cell and a seed, or a reference row."""

    cell: Cell | None
    reference: Reference | None
    seed: int
    device: str
    threads: int
    alone: bool
    plugins: tuple[str, ...]  #: of --plugin
    run: str = ""  #: the benchmark's name
    callbacks: tuple[PluginChoice, ...] = ()
    checkpoint: float | None = None  #: seconds between two
    keep_state: bool = False  #: of the training, once it has ended

    @property
    def subject(self) -> Cell | Reference:
        """The cell or the reference."""
        found = self.cell or self.reference
        assert found is not None
        return found

    @property
    def id(self) -> str:
        """The name of the trial's directory."""
        end = f"-s{self.seed}" if self.cell else ""
        return f"{slug(self.subject.label)}-{self.subject.id}{end}"

    @classmethod
    def read(cls, path: Path) -> Trial:
        """Return what a worker was told. Raises RunError where the file is missing or damaged."""
        found = files.read_json(path)
        if found is None:
            raise RunError(f"{path}: missing or not whole; a trial begins with this file")
        return _typed(cls, found, f"{path}:")

    def write(self, path: Path) -> None:
        """Write the file that a worker begins with, with the cell's ids for whoever reads it.

        One that says the same is left as it is: checkpoints know their trial by its text.
        """
        with suppress(RunError):
            if path.exists() and Trial.read(path) == self:
                return
        training = self.cell.training_id if self.cell else None
        ids = {"cell_id": self.subject.id, "training_id": training}
        files.write_json(path, {**as_written(self), **ids})


@dataclass(frozen=True)
class TrialOutcome:
    """A trial and what came of it."""

    trial: Trial
    directory: Path
    result: TrialResult  #: of result.json, or of end.json; else unfinished; with what was added
    additions: tuple[Addition, ...] = ()  #: of added.json, by time
    run: str = ""  #: the id of the run that it is of; in a merged one, of that which it came from
    platform: str = ""  #: that it ran on, as tables call it

    @property
    def status(self) -> Status:
        """How it ended, or that it has not; a cell that cannot be built is incompatible."""
        return Status.INCOMPATIBLE if self._incompatible else self.result.status

    @property
    def reason(self) -> str:
        """Why it is not ok; else empty."""
        return self._incompatible or self.result.reason

    @property
    def is_whole(self) -> bool:
        """Whether the trial went well and no metric of it raised."""
        return self.status is Status.OK and not self.result.errors

    def by_sampler(self) -> list[TrialOutcome]:
        """Return what came of it as rows of tables have it: of each sampler's images.

        Of each, `trial.cell` is `Cell.by_sampler`'s; the folder is the trial's.
        """
        cell = self.trial.cell
        if cell is None or not cell.samplers:
            return [self]
        first, *others = cell.by_sampler()
        rows = [(first, replace(self.result, samplers={}))]
        rows += [(row, self.result.of_sampler(row.axes[SAMPLER])) for row in others]
        return [
            replace(self, trial=replace(self.trial, cell=row), result=result)
            for row, result in rows
        ]

    @property
    def pictures(self) -> Path:
        """The folder with samples.png and nearest.png of the row's sampler."""
        return pictures_in(self.directory, self.trial.subject.axes.get(SAMPLER, PLAIN))

    @property
    def windows(self) -> tuple[Window, ...]:
        """The windows of its log: of a long training, evenly spread ones."""
        return windows.read(self.directory / WINDOWS)

    @property
    def _incompatible(self) -> str:
        return (self.trial.cell and self.trial.cell.incompatible) or ""


@dataclass(frozen=True)
class Run:
    """A run's folder, with its two files read back; the trials are read when they are asked for."""

    directory: Path
    info: RunInfo
    plan: Plan
    known: Mapping[str, TrialOutcome] = field(default_factory=dict)
    """By trial's id, what was read before, wherever it lies, as where runs are shown as one."""

    @classmethod
    def read(cls, directory: Path) -> Run:
        """Return the run in a folder. Raises RunError for none, and where its plan is another."""
        info, plan = files.read_json(directory / RUN), files.read_json(directory / PLAN)
        if info is None or plan is None:
            missing = f"{RUN if info is None else PLAN} is missing or not whole"
            if not directory.is_dir():
                missing = "there is no such folder"
            raise RunError(
                f"{directory}: not a run of ganbench: {missing}; `ganbench list` shows the runs"
            )
        found = info.get("schema_version") if isinstance(info, dict) else None
        if found != SCHEMA_VERSION:
            raise RunError(
                f"{directory}: {RUN} is of schema version {shown(found)}, and this ganbench reads "
                f"{SCHEMA_VERSION}; use the version that wrote it"
            )
        told = "{}: {} is not as ganbench writes it:"
        read = cls(
            directory,
            _typed(RunInfo, info, told.format(directory, RUN)),
            _typed(Plan, plan, told.format(directory, PLAN)),
        )
        if not (read.plan.cells or read.plan.references) or not read.plan.seeds:
            raise RunError(
                f"{told.format(directory, PLAN)} expected one or more cells and seeds, found "
                f"{len(read.plan.cells)} and {len(read.plan.seeds)}"
            )
        if not sealed.is_as_written(plan) or read.info.plan not in ("", read.plan.id):
            raise RunError(
                f"{directory}: {PLAN} is not the plan that the run was begun with: it is damaged "
                "or was changed; bring the former back, or begin a new run"
            )
        return read

    @cached_property
    def trials(self) -> tuple[Trial, ...]:
        """All trials, references first: they fill the cache of real statistics for the others."""
        return tuple(_trials(self.plan, self.info.execution))

    def outcomes(self) -> list[TrialOutcome]:
        """Return every trial with what its folder says now."""
        return [self.outcome(trial) for trial in self.trials]

    def outcomes_by_sampler(self) -> list[TrialOutcome]:
        """Return the same as rows of tables have it: a trial is as many as it has samplers."""
        return [row for outcome in self.outcomes() for row in outcome.by_sampler()]

    def outcome(self, trial: Trial) -> TrialOutcome:
        """Return a trial with what its folder says now."""
        if trial.id in self.known:
            return self.known[trial.id]
        directory = self.directory / TRIALS / trial.id
        result = result_in(directory)
        added = additions.read(directory, result)
        for one in added:
            result = result.with_added(one.result)
        part = self._parts.get(trial.id)
        run, platform = (part.id, part.platform) if part else self._whole
        return TrialOutcome(trial, directory, result, added, run, platform)

    @cached_property
    def _parts(self) -> dict[str, Part]:
        return {trial: part for part in self.info.parts for trial in part.trials}

    @cached_property
    def _whole(self) -> tuple[str, str]:
        return self.info.id, platforms.text(self.info)

    def frame(self) -> pd.DataFrame:
        """Return the long form: a row for each trial and number, with the columns of COLUMNS."""
        import pandas as pd

        rows = [row for outcome in self.outcomes_by_sampler() for row in _rows(outcome)]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    @property
    def source(self) -> str:
        """The benchmark file as it was, or nothing where it cannot be read."""
        return _text(self.directory / SOURCE)

    @property
    def description(self) -> str:
        """What the benchmark says of itself; nothing where config.resolved.yaml is damaged."""
        import yaml

        found = _DESCRIPTION.search(_text(self.directory / RESOLVED))
        # Of the whole file, a few lines can fill any memory, and brackets take any time.
        if not found or len(re.findall(r"[\[{]", found[0])) > MOST_BRACKETS:
            return ""
        try:
            said = yaml.safe_load(found[0])["description"]
        except (ValueError, yaml.YAMLError):
            return ""
        return said if isinstance(said, str) else ""

    def remember_data(self, seen: dict[str, DataSeen]) -> None:
        """Write into run.json what data the trials have seen, by data set."""
        path = self.directory / RUN
        written = files.read_json(path) or asdict(self.info)
        data = {name: asdict(found) for name, found in seen.items()}
        files.write_json(path, {**written, "data": data})


def pictures_in(directory: Path, sampler: str) -> Path:
    """Return where the pictures of a sampler's images are: `plain` ones in the trial's folder."""
    return directory if sampler == PLAIN else directory / "samplers" / slug(sampler)


def result_in(directory: Path) -> TrialResult:
    """Return the result in a trial's folder, or how the trial ended without one."""
    return results.read(directory / RESULT, directory / END)


def below(place: Path) -> list[Path]:
    """Return the folders of the runs in a folder and below it, sorted."""
    return sorted(path.parent for path in place.rglob(RUN)) if place.is_dir() else []


def info_in(directory: Path) -> RunInfo | None:
    """Return what run.json in a folder says; None where it is missing or damaged."""
    found = files.read_json(directory / RUN)
    try:
        return stored.typed(RunInfo, found)
    except pydantic.ValidationError:
        return None


def datasets_in(directory: Path) -> list[str]:
    """Return what tables call the data sets of a run; nothing where plan.json is damaged."""
    try:
        cells = stored.typed(_Cells, files.read_json(directory / PLAN)).cells
    except pydantic.ValidationError:
        return []
    return list(dict.fromkeys(cell.axes["dataset"] for cell in cells if "dataset" in cell.axes))


def _text(path: Path) -> str:
    try:
        return files.read_text(path)
    except OSError:
        return ""


def write_plan(path: Path, plan: Plan) -> None:
    """Write every cell of a plan, resolved, with a SHA-256 by which it is known again."""
    sealed.write_json(path, as_written(plan))


def _typed(cls: type[T], found: Any, told: str) -> T:
    try:
        return stored.typed(cls, found)
    except pydantic.ValidationError as error:
        wrong = stored.problems(cls, found, error)
        raise RunError(f"{told} {'; '.join(wrong)}") from error


def _trials(plan: Plan, execution: Execution) -> Iterator[Trial]:
    subjects: list[tuple[Cell | None, Reference | None, int]] = [
        (None, reference, 0) for reference in plan.references
    ]
    subjects += [
        (cell, None, seed) for cell in plan.cells for seed in plan.seeds_of.get(cell.id, plan.seeds)
    ]
    for cell, reference, seed in subjects:
        yield Trial(
            cell,
            reference,
            seed,
            plan.device,
            execution.threads,
            execution.alone,
            execution.plugins,
            plan.name,
            execution.callbacks,
            execution.checkpoint,
            execution.keep_state,
        )


def _rows(outcome: TrialOutcome) -> Iterator[dict[str, Any]]:
    trial, subject = outcome.trial, outcome.trial.subject
    shared = {
        "run": outcome.run,
        "cell": subject.id,
        "label": subject.label,
        **{axis: subject.axes.get(axis, "") for axis in COLUMNS[3:7]},
        "seed": trial.seed if trial.cell else None,
        "status": outcome.status.value,
    }
    for number in list(outcome.result.numbers()) or [MetricValue(Column(""), None)]:
        yield {
            **shared,
            "metric": number.column.name,
            "value": number.value,
            "unit": number.column.unit,
            "direction": number.column.direction,
            "protocol": number.protocol,
            "reason": number.reason or outcome.reason,
            "sampler": subject.axes.get(SAMPLER, PLAIN) if trial.cell else None,
            "training": trial.cell.training_id if trial.cell else None,
            "platform": outcome.platform,
        }
