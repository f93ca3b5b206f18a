"""What stands in a run's directory, and how it is read back.

run.json               what was asked, of what versions, on what machine
config.source.yaml     the benchmark file as it was
config.resolved.yaml   with the profile and the overrides merged in
plan.json              every cell, resolved
trials/ID/trial.json   what one worker was told
trials/ID/result.json  what came of it; end.json instead, when a worker died
trials/ID/checkpoint.pt  of a training that has not ended: `resume` goes on from there
results.csv            one line per trial and number; table.* the summary
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pydantic

import ganbench
from ganbench.errors import RunError
from ganbench.records.cells import Cell, Plan, Reference, slug
from ganbench.util import files

if TYPE_CHECKING:
    import pandas as pd

SCHEMA_VERSION = 1
RUN, PLAN, TRIALS = "run.json", "plan.json", "trials"
TRIAL, RESULT, END = "trial.json", "result.json", "end.json"

FINAL = ("ok", "diverged", "incompatible")  # `resume` runs the others again
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
    "training",
)


@dataclass(frozen=True)
class Trial:
    """What a worker is told: a cell and a seed, or a reference row."""

    cell: Cell | None
    reference: Reference | None
    seed: int
    device: str
    threads: int
    alone: bool
    plugins: tuple[str, ...]  # of --plugin
    run: str = ""  # the benchmark's name
    callbacks: tuple[dict[str, Any], ...] = ()  # names and options
    checkpoint: float | None = None  # seconds between two

    @property
    def subject(self) -> Cell | Reference:
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
        found = files.read_json(path)
        if found is None:
            raise RunError(f"{path}: missing or not whole; a trial begins with this file")
        return _adapter(Trial).validate_python(found)

    def write(self, path: Path) -> None:
        training = self.cell.training_id if self.cell else None
        ids = {"cell_id": self.subject.id, "training_id": training}
        files.write_json(path, {**asdict(self), **ids, "ganbench": ganbench.__version__})


@dataclass(frozen=True)
class TrialOutcome:
    """A trial and what came of it."""

    trial: Trial
    directory: Path
    result: dict[str, Any]  # of result.json, or of end.json, or empty

    @property
    def status(self) -> str:
        """ok, diverged, failed, timeout, incompatible or unfinished."""
        if self.trial.cell is not None and self.trial.cell.incompatible:
            return "incompatible"
        return self.result.get("status", "unfinished")

    @property
    def reason(self) -> str:
        if self.trial.cell is not None and self.trial.cell.incompatible:
            return self.trial.cell.incompatible
        return self.result.get("reason", "")


@dataclass(frozen=True)
class Run:
    """A run's directory, read back."""

    directory: Path
    about: dict[str, Any]
    plan: Plan

    @classmethod
    def read(cls, directory: Path) -> Run:
        """Raises RunError where the directory holds no run."""
        about, plan = files.read_json(directory / RUN), files.read_json(directory / PLAN)
        if about is None or plan is None:
            missing = RUN if about is None else PLAN
            raise RunError(
                f"{directory}: not a run of ganbench: {missing} is missing or not whole; "
                "`ganbench list` shows the runs"
            )
        found = about.get("schema_version") if isinstance(about, dict) else None
        if found != SCHEMA_VERSION:
            raise RunError(
                f"{directory}: {RUN} is of schema version {found}, and this ganbench reads "
                f"{SCHEMA_VERSION}; use the version that wrote it"
            )
        try:
            return cls(directory, about, _adapter(Plan).validate_python(plan))
        except pydantic.ValidationError as error:
            raise RunError(
                f"{directory}: {PLAN} is not as ganbench writes it: {error.errors()[0]['msg']}"
            ) from error

    @property
    def trials(self) -> list[Trial]:
        return trials_of(self.plan, self.about["execution"])

    def outcomes(self) -> list[TrialOutcome]:
        return [self.outcome(trial) for trial in self.trials]

    def outcome(self, trial: Trial) -> TrialOutcome:
        directory = self.directory / TRIALS / trial.id
        result = files.read_json(directory / RESULT) or files.read_json(directory / END) or {}
        return TrialOutcome(trial, directory, result)

    def frame(self) -> pd.DataFrame:
        """The long form: one row per trial and number."""
        import pandas as pd

        rows = [row for outcome in self.outcomes() for row in _rows(self.about["id"], outcome)]
        return pd.DataFrame(rows, columns=list(COLUMNS))


def trials_of(plan: Plan, execution: dict[str, Any]) -> list[Trial]:
    """References first: they fill the cache of real statistics for the others."""
    subjects: list[tuple[Cell | None, Reference | None, int]] = [
        (None, reference, 0) for reference in plan.references
    ]
    subjects += [(cell, None, seed) for cell in plan.cells for seed in plan.seeds]
    return [
        Trial(
            cell,
            reference,
            seed,
            plan.device,
            execution["threads"],
            execution["jobs"] == 1,
            tuple(execution["plugins"]),
            plan.name,
            tuple(execution["callbacks"]),
            execution.get("checkpoint"),
        )
        for cell, reference, seed in subjects
    ]


def write_plan(path: Path, plan: Plan) -> None:
    files.write_json(path, asdict(plan))


def _rows(run: str, outcome: TrialOutcome) -> Iterator[dict[str, Any]]:
    trial, subject = outcome.trial, outcome.trial.subject
    shared = {
        "run": run,
        "cell": subject.id,
        "label": subject.label,
        **{axis: subject.axes.get(axis, "") for axis in COLUMNS[3:7]},
        "seed": trial.seed if trial.cell else None,
        "status": outcome.status,
    }
    for number in list(numbers(outcome.result)) or [{"name": "", "reason": outcome.reason}]:
        yield {
            **shared,
            "metric": number["name"],
            "value": number.get("value"),
            "unit": number.get("unit", ""),
            "direction": number.get("direction", "none"),
            "protocol": number.get("protocol", ""),
            "reason": number.get("reason", "") or outcome.reason,
            "training": trial.cell.training_id if trial.cell else None,
        }


def numbers(result: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """A trial's metrics, and its counts and durations in the same form."""
    yield from result.get("metrics", [])
    training, parameters = result.get("training", {}), result.get("parameters", {})
    found = {
        ("kimg", "kimg", "count"): training["images"] / 1000 if training else None,
        ("g-updates", "", "count"): training.get("g_updates"),
        ("d-updates", "", "count"): training.get("d_updates"),
        ("g-parameters", "", "count"): parameters.get("generator"),
        ("d-parameters", "", "count"): parameters.get("discriminator"),
        ("seconds", "s", "timing"): result.get("seconds", {}).get("total"),
    }
    for (name, unit, kind), value in found.items():
        if value is not None:
            yield {
                "name": name,
                "unit": unit,
                "kind": kind,
                "gated": kind == "count",
                "value": value,
            }


@cache
def _adapter(cls: Any) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(cls)
