"""Trainings of a benchmark at revisions of a repository, kept in a folder: none is made twice."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from ganbench.errors import ConfigError, MeasurementError, PluginError, RunError
from ganbench.gate import jobs
from ganbench.gate.jobs import Job
from ganbench.gate.measurements import Measured, Measurements, Series
from ganbench.gate.trained import Number, Trained
from ganbench.gate.versions import Version, checked_out
from ganbench.records.cells import Plan
from ganbench.records.run_folder import Run
from ganbench.records.status import Status
from ganbench.util.messages import counted

ALL = "all"  # the folder of runs of all cells
TRIAL_FAILED = 3  # what `ganbench run` ends with where trials failed or diverged


@dataclass(frozen=True)
class _Taken:
    """What the runs of a commit hold: cells by label, and how their seeds ended."""

    cells: Mapping[str, Measured] = field(default_factory=dict)
    ended: Mapping[str, Mapping[int, Status]] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    last: Measurements | None = None


@dataclass
class Revisions:
    """Measures commits, each in a tree of its own that is removed again.

    What was trained stays below `folder`, and is taken from there.
    """

    job: Job
    repository: Path
    folder: Path
    seeds: tuple[int, ...]  # in the order in which they are bought
    python: str
    named: Mapping[str, str]  # by commit, the option that named it
    rules_of: Callable[[Plan, str], tuple[str, ...]]  # of --only, for a cell by its label
    tell: Callable[[str], None] = lambda line: None
    _read: dict[Path, _Taken] = field(default_factory=dict)  # runs, which no longer change
    _threads: int | None = None
    _only: dict[str, tuple[str, ...]] = field(default_factory=dict)  # by label

    def measure(self, commit: str, size: int, number: Number | None) -> Trained:
        """Return the first seeds of a commit, of all cells or of the number's; train what lacks.

        Raises MeasurementError where it cannot run, and for a revision that was asked for whatever
        else is wrong with it, too.
        """
        wanted = self.seeds[:size]
        label = number.label if number else None
        taken = self._taken(commit, label)
        if left := _left(taken, wanted, label):
            try:
                self._train(commit, left, label)
            except (ConfigError, PluginError) as error:
                if commit in self.named:
                    raise
                raise MeasurementError(str(error)) from error
            taken = self._taken(commit, label)
            if left := _left(taken, wanted, label):
                raise MeasurementError(self._failed(commit, taken, left, label))
        return _first(taken, wanted)

    def _version(self, commit: str) -> Version:
        return Version(self.named.get(commit, ""), commit, self.python, commit=commit)

    def _train(self, commit: str, seeds: tuple[int, ...], label: str | None) -> None:
        arguments = [*self.job.arguments, "--seeds", ",".join(map(str, seeds))]
        for rule in self._rules(label):
            arguments += ["--only", rule]
        if self._threads:
            arguments += ["--set", f"execution.threads={self._threads}"]
        place = self._place(commit, label)
        place.mkdir(parents=True, exist_ok=True)
        out = place / str(sum(path.is_dir() for path in place.iterdir()))
        with checked_out([self._version(commit)], [self.repository]) as (version,):
            version.package()
            self.tell(f"{version.asked}: {counted(len(seeds), 'seed')} to train")
            try:
                jobs.run(
                    replace(self.job, arguments=tuple(arguments)), version, out, "its own tree"
                )
            except MeasurementError as error:
                if error.code != TRIAL_FAILED or not _holds_run(out):
                    raise

    def _rules(self, label: str | None) -> tuple[str, ...]:
        return self._only.get(label, ()) if label else ()

    def _place(self, commit: str, label: str | None) -> Path:
        return self.folder / commit / (ALL if label is None else _short(label))

    def _taken(self, commit: str, label: str | None) -> _Taken:
        """Return all that the runs of a commit hold, those of all cells among them."""
        places = dict.fromkeys([self._place(commit, None), self._place(commit, label)])
        return _joined(self._of_run(out) for place in places for out in _runs(place))

    def _of_run(self, out: Path) -> _Taken:
        """Read a run, which may have been cut short: what has ended counts."""
        if out in self._read:
            return self._read[out]
        try:
            run = Run.read(out)
        except RunError:  # killed before it had a plan
            return _Taken()
        if self._threads is None:
            self._threads = run.info.execution.threads
        for row in (row for cell in run.plan.cells for row in cell.by_sampler()):
            if row.label not in self._only and out.parent.name == ALL:
                self._only[row.label] = self.rules_of(run.plan, row.label)
        self._read[out] = found = _of(run)
        return found

    def _failed(self, commit: str, taken: _Taken, left: tuple[int, ...], label: str | None) -> str:
        """Say why seeds that were asked for are not there."""
        asked = self._version(commit).asked
        if label is not None and label not in taken.ended:
            return f"{asked}: it has no cell {label}"
        for name, ended in taken.ended.items():
            for seed in left if label in (None, name) else ():
                status = ended.get(seed, Status.UNFINISHED)
                if not _is_there(status):
                    why = f": {taken.reasons[name]}" if taken.reasons.get(name) else ""
                    return f"{asked}: {name} with seed {seed} {status}{why}"
        return f"{asked}: nothing was trained"


def _runs(place: Path) -> list[Path]:
    return sorted(path for path in place.glob("*") if path.is_dir())


def _holds_run(out: Path) -> bool:
    try:
        Run.read(out)
    except RunError:
        return False
    return True


def _of(run: Run) -> _Taken:
    found = Measurements.of(run)
    ended: dict[str, dict[int, Status]] = {}
    reasons: dict[str, str] = {}
    for outcome in run.outcomes_by_sampler():
        cell = outcome.trial.cell
        if cell is not None and not cell.incompatible:
            ended.setdefault(cell.label, {})[outcome.trial.seed] = outcome.status
            if outcome.reason:
                reasons[cell.label] = outcome.reason
    return _Taken({cell.label: cell for cell in found.cells.values()}, ended, reasons, found)


def _joined(parts: Iterable[_Taken]) -> _Taken:
    """Return several runs of one commit as one; what has ended in any has ended."""
    cells: dict[str, Measured] = {}
    ended: dict[str, dict[int, Status]] = {}
    reasons: dict[str, str] = {}
    last = None
    protocols: dict[str, dict[str, object]] = {}
    for part in parts:
        last = part.last or last
        protocols |= part.last.protocols if part.last else {}
        reasons |= part.reasons
        for label, cell in part.cells.items():
            cells[label] = _both(cells[label], cell) if label in cells else cell
            known = ended.setdefault(label, {})
            known |= {s: e for s, e in part.ended[label].items() if not _is_there(known.get(s))}
    return _Taken(cells, ended, reasons, last and replace(last, protocols=protocols))


def _both(first: Measured, second: Measured) -> Measured:
    series = dict(second.series)
    for name, one in first.series.items():
        other = second.series.get(name)
        series[name] = (
            one
            if other is None
            else replace(
                one,
                values={**one.values, **other.values},
                protocol="+".join(dict.fromkeys(filter(None, (one.protocol, other.protocol)))),
                lacking=one.lacking + other.lacking,
            )
        )
    return replace(second, series=series)


def _left(taken: _Taken, wanted: tuple[int, ...], label: str | None) -> tuple[int, ...]:
    """Return the seeds that have not ended in a way that tells something."""
    ended = taken.ended.values() if label is None else [taken.ended.get(label, {})]
    return tuple(
        seed for seed in wanted if not ended or not all(_is_there(cell.get(seed)) for cell in ended)
    )


def _is_there(status: Status | None) -> bool:
    return status in (Status.OK, Status.DIVERGED)


def _first(taken: _Taken, wanted: tuple[int, ...]) -> Trained:
    """Return these seeds alone."""
    assert taken.last is not None
    cells = {
        label: replace(
            cell, series={name: _only(series, wanted) for name, series in cell.series.items()}
        )
        for label, cell in taken.cells.items()
    }
    diverged = {
        label: [seed for seed in wanted if ended.get(seed) is Status.DIVERGED]
        for label, ended in taken.ended.items()
    }
    return Trained(replace(taken.last, cells=cells), diverged)


def _only(series: Series, wanted: tuple[int, ...]) -> Series:
    return replace(series, values={s: series.values[s] for s in wanted if s in series.values})


def _short(label: str) -> str:
    return hashlib.sha256(label.encode()).hexdigest()[:10]
